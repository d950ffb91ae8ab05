"""How long the index of all runs takes at 10,000, and how large it is: ``python benchmarks/index.py [RUNS]``."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from golive_lib.index import index_of, refresh_index
from golive_lib.ledger import HEAD, LEDGER, NOTHING, Entry
from golive_lib.records import RECORD, RUN, RunRecord, history

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
NOTEBOOKS = ("canary", "canary", "canary", "health", "readiness", "sanity", "aftercare")
ENDS = (("promote", "green"), ("continue", "green"), ("continue", "green"), ("hold", "amber"), ("rollback", "red"))
KPIS = ("api_p95", "db_p95", "api_errors", "rls_violations", "call_setup_p95", "siren_p90", "payment_success")


def record(number: int) -> RunRecord:
    """Make a run as the canary leaves it: a sentence, facts of seven KPIs, four files with their hashes."""
    notebook, (verdict, status) = NOTEBOOKS[number % len(NOTEBOOKS)], ENDS[number % len(ENDS)]
    at = BEGAN + timedelta(minutes=5 * number)
    run_id = f"{at:%Y%m%dT%H%M%SZ}-{notebook}-{number:04x}"
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return RunRecord(
        run_id=run_id,
        notebook=notebook,
        started_at=at.isoformat(),
        seconds=number % 50 / 10,
        state="finished",
        verdict=verdict,
        status=status,
        sentence=f"Call setup P95: {number % 20} of at least 20 events; ≈ {number % 90} more calls, about 3 hours.",
        judged_at=at.isoformat(),
        zone="Asia/Beirut",
        parameters={"stage": 10.0 + number % 4},
        database="postgres on db.example.org:5432 as golive_ro",
        error=None,
        html=f"{run_id}/{notebook}.html",
        ipynb=f"{run_id}/{notebook}.ipynb",
        version="0.1.0",
        launch="SAMIA TAROT: backend.flatTables",
        plan=NOTHING,
        facts={"stage": 10.0, "kpis": dict.fromkeys(KPIS, status), "started_at": at.isoformat()},
        files={f"{name}.csv": digest for name in ("a", "b", "c", "d")},
    )


def fill(outputs: Path, runs: int) -> None:
    """Write a ledger of so many runs at once, each with its folder."""
    lines: list[bytes] = []
    before = NOTHING
    for number in range(runs):
        made = record(number)
        line = Entry(number + 1, made.started_at, RUN, asdict(made), before).line()
        before = hashlib.sha256(line).hexdigest()
        lines.append(line + b"\n")
        (outputs / made.run_id).mkdir()
        (outputs / made.run_id / RECORD).write_text("{}", encoding="utf-8")
    content = b"".join(lines)
    (outputs / LEDGER).write_bytes(content)
    (outputs / HEAD).write_text(json.dumps({"seq": runs, "hash": before, "bytes": len(content)}), encoding="utf-8")


def main(runs: int) -> None:
    """Print how long reading, building and the whole refresh took, the best of three, and the sizes."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = Path(folder)
        fill(outputs, runs)
        took: dict[str, list[float]] = {"read the records": [], "build the page": [], "refresh, all in all": []}
        for _ in range(3):
            clock = time.perf_counter()
            found = history(outputs)
            took["read the records"].append(time.perf_counter() - clock)
            clock = time.perf_counter()
            index_of(found)
            took["build the page"].append(time.perf_counter() - clock)
            clock = time.perf_counter()
            page = refresh_index(outputs)
            took["refresh, all in all"].append(time.perf_counter() - clock)
        print(f"{runs:,} runs, a ledger of {(outputs / LEDGER).stat().st_size / 1e6:.1f} MB")
        for what, seconds in took.items():
            print(f"{what:20} {min(seconds):6.2f} s")
        print(f"{'index.html':20} {page.stat().st_size / 1e6:6.2f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
