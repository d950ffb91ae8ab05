"""Run records: what each published run found, as its ``record.json`` keeps it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from golive_lib.judge import EXIT_CODES, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from golive_lib.statement import Value

CRASHED = 1
SCHEMA = 1
RECORD = "record.json"


@dataclass(frozen=True)
class RunRecord:
    """One execution of a notebook, as ``record.json`` keeps it; ``html`` and ``ipynb`` are relative to the outputs."""

    run_id: str
    notebook: str
    started_at: str
    seconds: float
    state: str
    verdict: str | None
    status: str | None
    sentence: str
    judged_at: str | None
    zone: str
    parameters: Mapping[str, Value]
    database: str
    error: str | None
    html: str | None
    ipynb: str | None
    version: str
    schema: int = SCHEMA

    @property
    def exit_code(self) -> int:
        """0 go, 1 crash, 3 hold or unknown, 4 red."""
        return EXIT_CODES[Verdict(self.verdict)] if self.verdict else CRASHED

    def is_of(self, database: str) -> bool:
        """Say whether the run was of this database, whoever was connected."""
        return self.database.rpartition(" as ")[0] == database.rpartition(" as ")[0]


def read_records(outputs: Path, runs: str = "[!.]*") -> list[RunRecord]:
    """Return the records of all published runs; one that cannot be read is listed as failed, never left out."""
    records = []
    for path in outputs.glob(f"{runs}/{RECORD}"):
        try:
            record = RunRecord(**json.loads(path.read_text(encoding="utf-8")))
            datetime.fromisoformat(record.started_at)
            records.append(record)
        except (OSError, ValueError, TypeError) as error:
            records.append(_unreadable(path, error))
    return records


def _unreadable(path: Path, error: Exception) -> RunRecord:
    problem = f"{RECORD} cannot be read: {error}"
    return RunRecord(
        run_id=path.parent.name,
        notebook=path.parent.name,
        started_at=datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds"),
        seconds=0.0,
        state="failed",
        verdict=None,
        status=None,
        sentence=problem,
        judged_at=None,
        zone="UTC",
        parameters={},
        database="",
        error=problem,
        html=None,
        ipynb=None,
        version="",
    )


def newest(outputs: Path, notebook: str, database: str) -> RunRecord | None:
    """Return the latest run of a notebook that could judge a database, whoever was connected; None without one."""
    runs = [
        record
        for record in read_records(outputs, f"*-{notebook}-*")
        if record.notebook == notebook
        and record.judged_at
        and record.status != Status.UNKNOWN
        and record.is_of(database)
    ]
    return max(runs, key=lambda record: record.judged_at or "", default=None)
