"""Rows per second per core: the minutes of a stage, and of eight days, asked of each engine.

``python benchmarks/engines.py STAGE AS_OF ADDRESS[=CORES] …``, as in ``50 2026-03-25T22:00:00Z postgresql://…
duckdb:FOLDER=2 'sc://host:15002/;archive=FOLDER=8'``; without CORES it is one, as PostgreSQL uses here.
"""

from __future__ import annotations

import json
import re
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from golive_lib import open_launch
from golive_lib.canary import flags_asked, judge_now, soak
from golive_lib.events import Window, minute_statement, time_indexed
from golive_lib.plan_types import instant

if TYPE_CHECKING:
    from datetime import datetime

    from golive_lib.launch import Launch

QUERY = "canary/api"
TIMES = 5
LONG = timedelta(days=8)  # a window in which what a question costs whatever its rows is little


def measure(address: str, cores: int, percent: float, as_of: datetime) -> str:
    """Ask an engine several times for the minutes of a stage and of days; print its line and return the record."""
    launch = open_launch(address)
    stage = soak(launch.plan, percent, None, as_of)
    began = time.perf_counter()
    with launch.database.snapshot():
        connected = time.perf_counter() - began
    figures = []
    for since in (stage.started_at, stage.matured - LONG):
        rows, seconds = minutes(launch, Window(since, stage.matured, as_of))
        figures.append(f"{rows:12,} {seconds * 1000:9.1f} ms {rows / seconds / cores:12,.0f}")
    began = time.perf_counter()
    record = json.dumps(judge_now(launch, percent, as_of=as_of).record())
    judged = time.perf_counter() - began
    print(f"{launch.database.url!s:60} {connected:8.2f} s {judged:8.2f} s {' '.join(figures)}")
    return record


def minutes(launch: Launch, window: Window) -> tuple[int, float]:
    """Return the window's rows, and the best time of several for its minutes."""
    flags = dict(flags_asked(launch.plan))[QUERY]
    times = []
    with launch.database.snapshot() as snapshot:
        indexed = time_indexed(snapshot, launch, window, QUERY)
        statement, values = minute_statement(snapshot, launch, window, QUERY, flags, lean=indexed)
        for _ in range(TIMES):
            began = time.perf_counter()
            frame = snapshot.frame(statement, values)
            times.append(time.perf_counter() - began)
    return int(frame["n"].sum()), min(times)


def main() -> None:
    """Measure every address, and say whether all judge alike."""
    percent, as_of, *addresses = sys.argv[1:]
    window = f"{'rows':>12} {'minutes':>12} {'rows/s/core':>12}"
    print(f"{'engine':60} {'connect':>10} {'canary':>10} {window} {window}")
    records = set()
    for each in addresses:
        cores = re.fullmatch(r"(.*)=(\d+)", each)
        address, count = (cores[1], int(cores[2])) if cores else (each, 1)
        records.add(measure(address, count, float(percent), instant(as_of, "AS_OF")))
    print("all judge alike, byte for byte" if len(records) == 1 else "THEY JUDGE OTHERWISE")


if __name__ == "__main__":
    main()
