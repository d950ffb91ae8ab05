"""Run a notebook and keep what came of it: the executed notebook, one HTML file, a record, and the index."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import fasteners
import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from golive_lib import engine
from golive_lib.errors import ReportError
from golive_lib.export import ReportMeta, to_html
from golive_lib.index import index_html
from golive_lib.judge import EXIT_CODES, VERDICT_MIME, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from nbformat import NotebookNode

    from golive_lib.statement import Value

CRASHED = 1
SCHEMA = 1


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
    html: str
    ipynb: str
    version: str
    schema: int = SCHEMA

    @property
    def exit_code(self) -> int:
        """0 go, 1 crash, 3 hold or unknown, 4 red."""
        return EXIT_CODES[Verdict(self.verdict)] if self.verdict else CRASHED


@dataclass(frozen=True)
class Run:
    """What to run: a notebook with validated parameters on a database (its masked address), into ``outputs``."""

    notebook: Path
    parameters: Mapping[str, Value]
    database: str
    outputs: Path


def execute(run: Run, on_cell: Callable[[int, int], None] = lambda *_: None) -> RunRecord:
    """Run a notebook and publish its report, whole or not at all.

    A crash is published too, with its error on top. ``on_cell`` is told the cell's index and how many there are.
    Raises ReportError when the outputs folder cannot be written; an interruption leaves nothing behind.
    """
    started = datetime.now(UTC)
    with _workplace(run, started) as (run_id, folder):
        clock = time.monotonic()
        notebook, error = _execute(run, folder, on_cell)
        outcome = _outcome(notebook) if error is None else None
        if error is None and outcome is None:
            error = "the notebook finished without a verdict; its last cells may not have run (sys.exit?)"
        record = RunRecord(
            run_id=run_id,
            notebook=run.notebook.stem,
            started_at=started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - clock, 1),
            state="failed" if error else "finished",
            verdict=outcome["verdict"] if outcome else None,
            status=outcome["status"] if outcome else None,
            sentence=outcome["sentence"] if outcome else error or "",
            judged_at=outcome["at"] if outcome else None,
            zone=outcome["zone"] if outcome else "UTC",
            parameters=dict(run.parameters),
            database=run.database,
            error=error,
            html=f"{run_id}/{run.notebook.stem}.html",
            ipynb=f"{run_id}/{run.notebook.stem}.ipynb",
            version=version("golive"),
        )
        _write(folder, notebook, record)
    refresh_index(run.outputs)
    return record


def _execute(run: Run, folder: Path, on_cell: Callable[[int, int], None]) -> tuple[NotebookNode, str | None]:
    """Return the notebook as far as it came, and what stopped it."""
    kept: list[NotebookNode] = []
    error = None
    try:
        papermill.execute_notebook(
            run.notebook,
            folder / f"{run.notebook.stem}.ipynb",
            dict(run.parameters),
            engine_name=engine.NAME,
            progress_bar=False,
            request_save_on_cell_execute=False,
            keep=kept.append,
            on_cell=lambda index: on_cell(index, len(kept[0].cells)),
        )
    except PapermillExecutionError as crash:
        error = f"{crash.ename}: {crash.evalue}"
    except DeadKernelError as death:
        error = f"the kernel died: it was killed, or ran out of memory{f' ({death})' if str(death) else ''}"
    if not kept:
        raise ReportError(f"{run.notebook}: the notebook could not be started: {error}")
    return kept[0], error


def _outcome(notebook: NotebookNode) -> dict[str, str] | None:
    """Return the last verdict among a notebook's outputs."""
    found = [
        output.data[VERDICT_MIME]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if VERDICT_MIME in output.get("data", {})
    ]
    return found[-1] if found else None


def _write(folder: Path, notebook: NotebookNode, record: RunRecord) -> None:
    # papermill notes where the files lay, which is nobody's business.
    for key in ("input_path", "output_path"):
        notebook.metadata.get("papermill", {}).pop(key, None)
    meta = ReportMeta(
        title=_title(notebook, record.notebook),
        run_id=record.run_id,
        generated_at=datetime.fromisoformat(record.started_at).astimezone(ZoneInfo(record.zone)),
        parameters={name: str(value) for name, value in record.parameters.items()},
        error=record.error,
    )
    nbformat.write(notebook, folder / f"{record.notebook}.ipynb")
    (folder / f"{record.notebook}.html").write_text(to_html(notebook, meta=meta), encoding="utf-8")
    (folder / "record.json").write_text(_json(asdict(record)), encoding="utf-8")


def _title(notebook: NotebookNode, name: str) -> str:
    headings = (line for cell in notebook.cells if cell.cell_type == "markdown" for line in cell.source.splitlines())
    return next((line.removeprefix("# ") for line in headings if line.startswith("# ")), name)


def _json(data: Any) -> str:  # noqa: ANN401  a record is any JSON
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


@contextmanager
def _workplace(run: Run, started: datetime) -> Iterator[tuple[str, Path]]:
    """Give a folder of the run's own that takes its final name when all went well, and is gone otherwise."""
    run_id = f"{started:%Y%m%dT%H%M%SZ}-{run.notebook.stem}-{secrets.token_hex(2)}"
    folder = run.outputs / f".{run_id}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ReportError(f"{run.outputs}: reports cannot be written there: {error.strerror}; see --outputs") from None
    try:
        yield run_id, folder
        folder.rename(run.outputs / run_id)
    except OSError as error:
        raise ReportError(f"{run.outputs}: the report could not be written: {error.strerror}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_records(outputs: Path) -> list[dict[str, Any]]:
    """Return the records of all published runs; one that cannot be read is listed as failed, never left out."""
    records = []
    for path in outputs.glob("[!.]*/record.json"):
        try:
            records.append(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            problem = f"record.json cannot be read: {error}"
            records.append(
                {
                    "run_id": path.parent.name,
                    "notebook": path.parent.name,
                    "started_at": datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds"),
                    "seconds": 0.0,
                    "state": "failed",
                    "verdict": None,
                    "status": None,
                    "sentence": problem,
                    "parameters": {},
                    "html": None,
                    "ipynb": None,
                    "error": problem,
                }
            )
    return records


def refresh_index(outputs: Path) -> Path:
    """Write ``index.html`` anew from the records; runs that end at once wait for each other."""
    target = outputs / "index.html"
    scratch = outputs / f".index-{os.getpid()}-{secrets.token_hex(2)}"
    with fasteners.InterProcessLock(outputs / ".index.lock"):
        try:
            scratch.write_text(index_html(read_records(outputs)), encoding="utf-8")
            scratch.replace(target)
        except OSError as error:
            raise ReportError(f"{target}: cannot be written: {error.strerror}") from None
        finally:
            with suppress(OSError):
                scratch.unlink(missing_ok=True)
    return target
