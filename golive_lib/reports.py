"""Run a notebook and keep what came of it: the executed notebook, one HTML file, a record, and the index."""

from __future__ import annotations

import csv
import io
import json
import secrets
import shutil
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import fasteners
import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from golive_lib import engine
from golive_lib.errors import ReportError
from golive_lib.formats import mask_rows, plain
from golive_lib.leaks import leak, secrets_of, without_places
from golive_lib.ledger import Ledger
from golive_lib.outcomes import outcome_of
from golive_lib.paper import printed
from golive_lib.plan import kit_folder
from golive_lib.records import JUDGED, RECORD, RUN, RunRecord, facts
from golive_lib.settings import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nbformat import NotebookNode

    from golive_lib.statement import Value
    from golive_lib.warm_kernels import WarmKernels


@dataclass(frozen=True)
class Run:
    """What to run: a notebook with validated parameters on a database (its masked address), into ``outputs``.

    ``launch`` and ``plan`` are the launch's name and the SHA-256 of its plan. ``every`` is how many seconds after this
    run the next one is due by the plan, None when none is; ``timeout`` bounds this one, in seconds. With ``pdf`` the
    page is printed too.
    """

    notebook: Path
    parameters: Mapping[str, Value]
    database: str
    outputs: Path
    launch: str = ""
    plan: str = ""
    every: float | None = None
    timeout: float | None = None
    attempt: int = 1
    pdf: bool = False


def execute(
    run: Run,
    on_cell: Callable[[int, int], None] = lambda *_: None,
    *,
    say: Callable[[str], object] = lambda _: None,
    kernels: WarmKernels | None = None,
) -> RunRecord:
    """Run a notebook, publish its report, whole or not at all, and record it in the ledger.

    A crash is published too, with its error on top. ``on_cell`` is told the cell's index and how many there are,
    ``say`` what else is to be known; ``kernels`` gives kernels by forks. Raises ReportError when the page's template is
    missing or broken, the outputs folder cannot be written or the run was stopped, LedgerError when the record cannot
    be; an interruption leaves nothing behind.
    """
    started = datetime.now(UTC)
    with _workplace(run, started) as (run_id, folder):
        clock = time.monotonic()
        notebook, error = _execute(run, on_cell, kernels)
        if kernels and kernels.closed:
            raise ReportError(f"{run.notebook.stem}: stopped; nothing was written")
        outcome, error = (None, error) if error else outcome_of(notebook)
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
            launch=run.launch,
            plan=run.plan,
            facts=facts((outcome or {}).get("judged") or {}),
            attempt=run.attempt,
            every=run.every,
        )
        record = _publish(folder, notebook, record, (outcome or {}).get("judged"))
        if run.pdf and record.html:
            record = _on_paper(folder, record, say)
        (folder / RECORD).write_text(_json(asdict(record)), encoding="utf-8")
    Ledger(run.outputs, say).append(RUN, asdict(record))
    from golive_lib.index import refresh_index  # noqa: PLC0415  it needs not be loaded before a kernel works

    refresh_index(run.outputs)
    return record


def _execute(
    run: Run, on_cell: Callable[[int, int], None], kernels: WarmKernels | None
) -> tuple[NotebookNode, str | None]:
    """Return the notebook as far as it came, and what stopped it."""
    kept: list[NotebookNode] = []
    error = None

    def begun(notebook: NotebookNode) -> None:
        kept.append(notebook)
        _pages()

    def cell(index: int) -> None:
        if index == 0:
            _pages().result()  # nothing runs for a page that cannot be made
        on_cell(index, len(kept[0].cells))

    try:
        papermill.execute_notebook(
            run.notebook,
            None,  # nothing is written before it has been looked through for secrets
            dict(run.parameters),
            engine_name=engine.NAME,
            progress_bar=False,
            request_save_on_cell_execute=False,
            keep=begun,
            kernels=kernels,
            timeout_s=run.timeout,
            on_cell=cell,
        )
    except PapermillExecutionError as crash:
        error = f"{crash.ename}: {crash.evalue}"
    except DeadKernelError as death:
        error = f"the kernel died: it was killed, or ran out of memory{f' ({death})' if str(death) else ''}"
    except ReportError:
        raise
    except Exception as failure:  # noqa: BLE001  a missing kernel, one that does not start: the notebook is kept
        error = f"{type(failure).__name__}: {failure}"
    if not kept:
        raise ReportError(f"{run.notebook}: the notebook could not be started: {error}")
    return kept[0], error


@cache
def _pages() -> Future[None]:
    """Prepare for making pages, once, while a kernel starts; the future raises ReportError where none can be made."""

    def prepared() -> None:
        from golive_lib import export, index  # noqa: F401, PLC0415  a quarter of a second that is not waited for

        export.ready()

    thread = ThreadPoolExecutor(1)
    future = thread.submit(prepared)
    thread.shutdown(wait=False)
    return future


def _publish(folder: Path, notebook: NotebookNode, record: RunRecord, judged: dict[str, Any] | None) -> RunRecord:
    """Write the notebook and its page; what holds a secret is withheld, and the record says so."""
    # papermill notes where the files lay and what the environment was, which is nobody's business.
    for key in ("input_path", "output_path", "environment_variables"):
        notebook.metadata.get("papermill", {}).pop(key, None)
    _mask(notebook)
    whole = {record.ipynb: nbformat.writes(notebook), record.html: _page(notebook, record)}
    texts = {path: without_places(text, _places()) for path, text in whole.items()}
    if record.error:
        record = replace(record, error=(plainly := without_places(record.error, _places())), sentence=plainly)
    secrets_ = secrets_of(environment(Path.cwd()))
    held = next((kind for text in (*texts.values(), _json(asdict(record))) if (kind := leak(text, secrets_))), None)
    if held:
        why = f"withheld: the executed notebook shows {held}; take that out of its cells and run it again"
        nothing: dict[str, Any] = {"verdict": None, "status": None, "html": None, "ipynb": None}
        record = replace(record, state="failed", sentence=why, error=why, parameters={}, facts={}, **nothing)
    else:
        from golive_lib.export import complete  # noqa: PLC0415  as above

        named = {Path(path or "").name: complete(text).encode() for path, text in texts.items()}
        named |= {name: text.encode() for name, text in _figures(judged or {})}
        for name, content in named.items():
            (folder / name).write_bytes(content)
        record = replace(record, files={name: sha256(content).hexdigest() for name, content in named.items()})
    return record


def _mask(notebook: NotebookNode) -> None:
    """Mask people's data in what cells print and show as text: a table is masked where it is made, a print is not."""
    for output in (each for cell in notebook.cells for each in cell.get("outputs", [])):
        if output.output_type == "stream":
            output.text = mask_rows(output.text)
        elif "text/plain" in output.get("data", {}):
            output.data["text/plain"] = mask_rows(output.data["text/plain"])
            html = output.data.get("text/html", "")
            if html and "data:" not in html:  # a picture's letters may look like a number
                output.data["text/html"] = mask_rows(html)


def _on_paper(folder: Path, record: RunRecord, say: Callable[[str], object]) -> RunRecord:
    """Add the page as PDF; a run stands without it, and its record then lists none."""
    name = f"{record.notebook}.pdf"
    try:
        content = printed(folder / f"{record.notebook}.html")
    except ReportError as error:
        say(str(error))
        return record
    (folder / name).write_bytes(content)
    return replace(record, files={**record.files, name: sha256(content).hexdigest()})


def _places() -> set[str]:
    """Return the machine's folders that a traceback may name."""
    return {str(place) for place in (Path.home(), Path.cwd(), kit_folder(), sys.prefix, sys.base_prefix)}


def _figures(judged: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give what was judged as files: all of it as JSON, each list of rows as CSV, each text in Markdown as it is."""
    if judged:
        yield JUDGED, json.dumps(judged, indent=2, sort_keys=True) + "\n"
    for name, found in judged.items():
        if isinstance(found, list) and found and all(isinstance(row, dict) for row in found):
            yield f"{name}.csv", _csv(found)
        elif isinstance(found, str) and name.endswith(".md"):
            yield name, found


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV under all their keys; what a row lacks is empty."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _page(notebook: NotebookNode, record: RunRecord) -> str:
    from golive_lib.export import ReportMeta, to_page  # noqa: PLC0415  as above
    from golive_lib.page import first_heading  # noqa: PLC0415  as above

    meta = ReportMeta(
        title=first_heading(notebook) or record.notebook,
        run_id=record.run_id,
        generated_at=datetime.fromisoformat(record.started_at).astimezone(ZoneInfo(record.zone)),
        parameters={name: plain(value) for name, value in record.parameters.items()},
        error=record.error,
    )
    return to_page(notebook, meta=meta)


def _json(data: Any) -> str:  # noqa: ANN401  a record is any JSON
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


@contextmanager
def _workplace(run: Run, started: datetime) -> Iterator[tuple[str, Path]]:
    """Give a folder of the run's own that takes its final name when all went well, and is gone otherwise."""
    run_id = f"{started:%Y%m%dT%H%M%SZ}-{run.notebook.stem}-{secrets.token_hex(2)}"
    folder = run.outputs / f".{run_id}"
    sign = folder.with_name(f"{folder.name}.lock")
    living = fasteners.InterProcessLock(sign)  # tells prune that this run is at work
    try:
        run.outputs.mkdir(parents=True, exist_ok=True)
        living.acquire()
        folder.mkdir()
    except OSError as error:
        raise ReportError(f"{run.outputs}: reports cannot be written there: {error.strerror}; see --outputs") from None
    try:
        yield run_id, folder
        folder.rename(run.outputs / run_id)
    except OSError as error:
        raise ReportError(f"{run.outputs}: the report could not be written: {error.strerror}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            sign.unlink(missing_ok=True)
        living.release()
