"""Ways to count a window's requests, each run by ``scale.py`` in a process of its own, which prints what it took."""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from golive_lib import open_launch
from golive_lib.demo.build import CLOCK
from golive_lib.events import Window, minute_statement

KPIS = ("slow", "failed")
COLUMNS = "created_at, response_time_ms, status_code, flat_tables"


def window(hours: float) -> Window:
    """Return the table's last hours."""
    return Window(CLOCK - timedelta(hours=hours), CLOCK, CLOCK)


def kit(url: str, plan: Path, hours: float) -> float:
    """Ask for the minutes as the canary does; return when it began to connect."""
    launch = open_launch(url, plan=plan)
    began = time.perf_counter()
    with launch.database.snapshot() as snapshot:
        statement, values = minute_statement(snapshot, launch, window(hours), "canary/api", KPIS, lean=True)
        snapshot.frame(statement, values)
    return began


def analyst(url: str, columns: str, hours: float) -> float:
    """Read the rows into pandas and group them; return when it began to connect."""
    began = time.perf_counter()
    span = {"since": window(hours).since, "until": window(hours).until}
    rows = sa.text(f"select {columns} from public.api_logs where created_at >= :since and created_at < :until")
    with sa.create_engine(url).connect() as connection:
        frame = pd.read_sql(rows, connection, params=span)
    frame["slow"] = frame["response_time_ms"] >= 2000
    frame["failed"] = frame["status_code"] >= 500
    minutes = frame.groupby([frame["created_at"].dt.floor("min"), "flat_tables"])
    minutes.agg(n=("slow", "size"), slow=("slow", "sum"), failed=("failed", "sum"), newest=("created_at", "max"))
    return began


def peak() -> float:
    """Return the most memory this process has held, in MB; its ru_maxrss would begin with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main(way: str, plan: str, hours: str, url: str) -> None:
    """Run one way and print its milliseconds, from connecting to the frame, and its memory.

    It is warmed up on six minutes first, as a session at work has imported what it needs.
    """
    for span in (0.1, float(hours)):
        began = kit(url, Path(plan), span) if way == "kit" else analyst(url, way, span)
        took = (time.perf_counter() - began) * 1e3
    print(json.dumps({"ms": took, "peak": peak()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
