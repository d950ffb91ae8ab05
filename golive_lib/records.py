"""Run records: what each published run found, as the ledger and its own ``record.json`` keep it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from golive_lib.errors import LedgerError
from golive_lib.ledger import Ledger
from golive_lib.settings import place_of
from golive_lib.verdicts import EXIT_CODES, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from golive_lib.ledger import Audit, Entry
    from golive_lib.statement import Value

CRASHED = 1
SCHEMA = 2
RECORD = "record.json"
JUDGED = "judged.json"
RUN = "run"
PRUNE = "prune"


@dataclass(frozen=True)
class RunRecord:
    """One execution of a notebook; ``html`` and ``ipynb`` are relative to the outputs.

    ``facts`` are the figures to know a run by: of a canary its stage, when it started and until when it was judged,
    and the status of each KPI. ``files`` holds the SHA-256 of everything published, ``plan`` that of the launch plan.
    ``attempt`` counts from 1 after crashes; ``every`` is in how many seconds the next run is due, None when none is.
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
    attempt: int = 1
    every: float | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def exit_code(self) -> int:
        """0 go, 1 crash, 3 hold or unknown, 4 red."""
        return EXIT_CODES[Verdict(self.verdict)] if self.verdict else CRASHED

    @property
    def newer(self) -> bool:
        """Whether a newer golive wrote it, so that this one cannot say what it found."""
        return self.error is None and self.verdict is None

    def is_of(self, database: str) -> bool:
        """Say whether the run was of this database, whoever was connected."""
        return place_of(self.database) == place_of(database)


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


_KEYS = RunRecord.__dataclass_fields__.keys()
_KNOWN = {None, *Verdict}, {None, *Status}


@dataclass(frozen=True)
class History:
    """All runs there were: those whose files ``golive prune`` took away by id, and why the ledger cannot be read."""

    records: tuple[RunRecord, ...]
    pruned: frozenset[str] = frozenset()
    problem: str = ""


def history(outputs: Path) -> History:
    """Return every run: from the ledger, and one that is not there (older, or another machine's) from its folder.

    A record that cannot be read is listed as failed, and one of a newer golive as unknown; neither is left out.
    """
    kept = ledger_history(outputs)
    known = {record.run_id for record in kept.records}
    folders = (folder for folder in outputs.glob("[!.]*-*-*") if folder.name not in known)
    strays = (_stray(folder / RECORD) for folder in folders if (folder / RECORD).is_file())
    return replace(kept, records=(*kept.records, *strays))


def ledger_history(outputs: Path) -> History:
    """Return what the ledger alone tells; when it cannot be read, no runs and why."""
    try:
        entries = Ledger(outputs).entries(RUN, PRUNE)
    except LedgerError as error:
        return History((), problem=str(error))
    gone = (run_id for entry in entries if entry.kind == PRUNE for run_id in entry.data.get("runs", ()))
    return History(tuple(recorded(entry) for entry in entries if entry.kind == RUN), frozenset(gone))


def read_records(outputs: Path, notebook: str = "*") -> list[RunRecord]:
    """Return the records of all runs, of one notebook if it is named; one that cannot be read is listed as failed."""
    every = history(outputs).records
    if notebook == "*":
        return list(every)
    # Of a run whose record cannot be read only the folder's name tells which notebook it was.
    return [record for record in every if record.notebook == notebook or f"-{notebook}-" in record.notebook]


def recorded(entry: Entry) -> RunRecord:
    """Return a run as its record in the ledger tells it; of one that a newer golive wrote nothing is believed."""
    try:
        return _read(entry.data)
    except (ValueError, TypeError) as error:
        name = str(entry.data.get("run_id") or f"record {entry.seq}")
        return _unreadable(name, entry.at, f"record {entry.seq} of the ledger cannot be read: {error}")


def _read(data: Mapping[str, Any]) -> RunRecord:
    """Read a record as far as this version understands it; raises ValueError or TypeError for what is none."""
    record = RunRecord(**{key: value for key, value in data.items() if key in _KEYS})
    datetime.fromisoformat(record.started_at)
    _ = dict(record.facts), dict(record.files)
    verdicts, statuses = _KNOWN
    known = data.keys() <= _KEYS and record.verdict in verdicts and record.status in statuses
    if known and record.schema <= SCHEMA:
        return record
    said = f"Written by a newer golive, which can judge it: {record.sentence}"
    return replace(record, verdict=None, status=None, sentence=said)


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
    return replace(found, faults=(*found.faults, *published_faults(outputs)))


def published_faults(outputs: Path) -> tuple[str, ...]:
    """Name the published files that are not as they were, and the runs that the ledger does not know."""
    kept = ledger_history(outputs)
    runs = (record for record in kept.records if record.run_id not in kept.pruned)
    faults = [fault for record in runs for fault in file_faults(outputs, record)]
    known = {record.run_id for record in kept.records}
    strays = sorted(path.parent.name for path in outputs.glob(f"[!.]*/{RECORD}") if path.parent.name not in known)
    return (*faults, *(f"run {name} lies here and no record of it is in the ledger" for name in strays))


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
        return _read(dict(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError) as error:
        at = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
        return _unreadable(path.parent.name, at, f"{RECORD} cannot be read: {error}")


def _unreadable(name: str, at: str, problem: str) -> RunRecord:
    return RunRecord(
        run_id=name,
        notebook=name,
        started_at=at,
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
        and record.status not in {None, Status.UNKNOWN}
        and record.is_of(database)
    ]
    return max(runs, key=lambda record: record.judged_at or "", default=None)
