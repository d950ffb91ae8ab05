"""Rows per second per core: the same window asked of each engine.

``python benchmarks/engines.py STAGE AS_OF ADDRESS[=CORES] …``, as in ``50 2026-03-25T22:00:00Z postgresql://…
duckdb:FOLDER=2 'sc://host:15002/;archive=FOLDER=8'``; without CORES it is one, as PostgreSQL uses here.
"""

from __future__ import annotations

import json
import re
import sys
import time
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


def measure(address: str, cores: int, percent: float, as_of: datetime) -> str:
    """Ask an engine for a stage's minutes several times; print its line and return the stage's record."""
    launch = open_launch(address)
    stage = soak(launch.plan, percent, None, as_of)
    window = Window(stage.started_at, stage.matured, as_of)
    began = time.perf_counter()
    with launch.database.snapshot():
        connected = time.perf_counter() - began
    rows, seconds = minutes(launch, window)
    began = time.perf_counter()
    record = json.dumps(judge_now(launch, percent, as_of=as_of).record())
    judged = time.perf_counter() - began
    speed = rows / seconds / cores
    times = f"{connected:8.2f} s {seconds * 1000:9.1f} ms {judged:8.2f} s"
    print(f"{launch.database.url!s:60} {times} {rows:12,} {speed:14,.0f}")
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
    print(f"{'engine':60} {'connect':>10} {'minutes':>12} {'canary':>10} {'rows':>12} {'rows/s/core':>14}")
    records = set()
    for each in addresses:
        cores = re.fullmatch(r"(.*)=(\d+)", each)
        address, count = (cores[1], int(cores[2])) if cores else (each, 1)
        records.add(measure(address, count, float(percent), instant(as_of, "AS_OF")))
    print("all judge alike, byte for byte" if len(records) == 1 else "THEY JUDGE OTHERWISE")


if __name__ == "__main__":
    main()
