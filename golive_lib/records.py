"""Run records: what each published run found, as the ledger and its own ``record.json`` keep it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from golive_lib.errors import LedgerError
from golive_lib.ledger import Ledger
from golive_lib.verdicts import EXIT_CODES, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from golive_lib.ledger import Audit
    from golive_lib.statement import Value

CRASHED = 1
SCHEMA = 2
RECORD = "record.json"
JUDGED = "judged.json"
RUN = "run"


@dataclass(frozen=True)
class RunRecord:
    """One execution of a notebook; ``html`` and ``ipynb`` are relative to the outputs.

    ``facts`` are the figures to know a run by: of a canary its stage, when it started and until when it was judged,
    and the status of each KPI. ``files`` holds the SHA-256 of everything published, ``plan`` that of the launch plan.
    """

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
    launch: str = ""
    plan: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def exit_code(self) -> int:
        """0 go, 1 crash, 3 hold or unknown, 4 red."""
        return EXIT_CODES[Verdict(self.verdict)] if self.verdict else CRASHED

    def is_of(self, database: str) -> bool:
        """Say whether the run was of this database, whoever was connected."""
        return self.database.rpartition(" as ")[0] == database.rpartition(" as ")[0]


def facts(judged: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run is known by: the single values of what was judged, and of each list of items their statuses."""
    single = {name: value for name, value in judged.items() if value is None or isinstance(value, str | int | float)}
    listed = {
        name: {key: item["status"] for key, item in found.items() if isinstance(item, dict) and "status" in item}
        for name, found in judged.items()
        if isinstance(found, dict)
    }
    texts = {name for name in single if name.endswith(".md")}
    return {name: value for name, value in (single | listed).items() if name not in texts}


def read_records(outputs: Path, notebook: str = "*") -> list[RunRecord]:
    """Return the records of all runs, of one notebook if it is named; one that cannot be read is listed as failed.

    The ledger has them. A run that is not there (older, or another machine's) is read from its own folder.
    """
    recorded = [record for record in ledger_records(outputs) if notebook in ("*", record.notebook)]
    known = {record.run_id for record in recorded}
    strays = (path for path in outputs.glob(f"[!.]*-{notebook}-*/{RECORD}") if path.parent.name not in known)
    return [*recorded, *map(_stray, strays)]


def ledger_records(outputs: Path) -> list[RunRecord]:
    """Return the runs that the ledger holds; when it cannot be read, none: their folders tell of them."""
    try:
        return [RunRecord(**entry.data) for entry in Ledger(outputs).entries(RUN)]
    except (LedgerError, TypeError):
        return []


def judged(outputs: Path, record: RunRecord) -> dict[str, Any]:
    """Return all the figures of a run, if they are still those that were published.

    Raises LedgerError when they were edited since, or are gone.
    """
    path = outputs / record.run_id / JUDGED
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LedgerError(f"{path}: the figures of this run are gone ({error.strerror}); judge it again") from None
    if record.files and record.files.get(JUDGED) != sha256(content).hexdigest():
        raise LedgerError(f"{path}: was edited since the run; judge it again")
    found: dict[str, Any] = json.loads(content)
    return found


def audit(outputs: Path) -> Audit:
    """Look for ledger records that were edited, removed or reordered, and for published files that were."""
    found = Ledger(outputs).audit()
    runs = ledger_records(outputs)
    faults = [fault for record in runs for fault in file_faults(outputs, record)]
    known = {record.run_id for record in runs}
    strays = sorted(path.parent.name for path in outputs.glob(f"[!.]*/{RECORD}") if path.parent.name not in known)
    faults += [f"run {name} lies here and no record of it is in the ledger" for name in strays]
    return replace(found, faults=(*found.faults, *faults))


def file_faults(outputs: Path, record: RunRecord) -> Iterator[str]:
    """Name the published files of a run that are gone, or not as they were published."""
    for name, digest in record.files.items():
        try:
            content = (outputs / record.run_id / name).read_bytes()
        except OSError:
            yield f"run {record.run_id}: {name} is gone"
            continue
        if sha256(content).hexdigest() != digest:
            yield f"run {record.run_id}: {name} was edited since it was published"


def _stray(path: Path) -> RunRecord:
    try:
        record = RunRecord(**json.loads(path.read_text(encoding="utf-8")))
        datetime.fromisoformat(record.started_at)
    except (OSError, ValueError, TypeError) as error:
        return _unreadable(path, error)
    return record


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
        for record in read_records(outputs, notebook)
        if record.notebook == notebook
        and record.judged_at
        and record.status != Status.UNKNOWN
        and record.is_of(database)
    ]
    return max(runs, key=lambda record: record.judged_at or "", default=None)
