"""What the commands share: the database they work on, notebooks run with a progress bar, and how results print."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from golive_lib.errors import GoliveError, QueryError, SettingsError, UsageError
from golive_lib.grid import SHAPES
from golive_lib.judge import Status, Verdict
from golive_lib.launch import DEMO_SCHEME, choose_plan, instant, is_demo
from golive_lib.plan import read_plan
from golive_lib.settings import BACKUPS, DB_URL, OUTPUTS, PLAN, backups_folder, environment, outputs_folder, parse_url
from golive_lib.show import VERDICTS
from golive_lib.warm_kernels import warm_kernels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.progress import TaskID

    from golive_lib.doctor import Finding
    from golive_lib.records import RunRecord
    from golive_lib.reports import Run

COLOURS = {Status.GREEN: "green", Status.AMBER: "yellow", Status.UNKNOWN: "magenta", Status.RED: "red"}
DbUrl = Annotated[
    str | None,
    typer.Option("--db-url", help=f"postgresql://…, or demo:STORY. Default: {DB_URL} (environment or .env)."),
]
PlanFile = Annotated[Path | None, typer.Option("--plan", help="The launch plan. Default: the nearest launch.toml.")]
Outputs = Annotated[
    Path | None, typer.Option("--outputs", help=f"Where reports go. Default: {OUTPUTS}, else ./outputs.")
]
AsOf = Annotated[str, typer.Option(help="Judge as of this moment, ISO 8601 with zone. Default: the database's now.")]
out = Console()
err = Console(stderr=True)


def step(text: str) -> None:
    """Say on the error stream what is being done."""
    err.print(Text(f"· {text}", style="dim"))


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn Ctrl-C into a message: what was being written is gone by then."""
    try:
        yield
    except KeyboardInterrupt:
        raise GoliveError("stopped; nothing was written for the run at work") from None


@contextmanager
def database(db_url: str | None, plan: Path | None) -> Iterator[None]:
    """Put the database and the plan into the environment, where kernels find them; a demo stays up meanwhile."""
    env = environment(Path.cwd())
    url = db_url or env.get(DB_URL)
    if not url:
        raise SettingsError(f"no database: set {DB_URL}, or pass --db-url (try --db-url {DEMO_SCHEME}healthy)")
    chosen = choose_plan(plan or env.get(PLAN))
    if not chosen.is_file():
        raise SettingsError(f"{chosen}: there is no such launch plan; name one with --plan")
    os.environ[PLAN] = str(chosen.resolve())
    os.environ[OUTPUTS] = str(outputs_folder(env).resolve())  # kernels work in the notebooks' folder
    os.environ[BACKUPS] = str(backups_folder(env).resolve())
    if not is_demo(url):
        os.environ[DB_URL] = parse_url(url).environment()
        yield
        return
    from golive_lib.demo import open_app, open_demo  # noqa: PLC0415  a real launch needs no embedded server

    with stoppable(), open_demo(url.removeprefix(DEMO_SCHEME), progress=step) as demo, open_app(demo) as variables:
        if replaced := sorted(set(variables) & set(env) - {DB_URL}):
            step(f"the demo's own values stand in for {', '.join(replaced)}")
        os.environ.update(variables)
        yield


def run_all(names: Sequence[str], given: Mapping[str, str], outputs: Path) -> list[RunRecord]:
    """Run notebooks, each with those of the parameters that it knows.

    Raises UsageError, before anything runs, for an unknown notebook, a parameter that none of them knows or a value of
    the wrong type.
    """
    warm_kernels()  # it imports while we do
    from golive_lib import desk, notebooks, reports  # noqa: PLC0415  a second that other commands need not wait

    os.environ[OUTPUTS] = str(outputs.resolve())
    plan = read_plan(choose_plan(os.environ.get(PLAN)))
    root, digest = desk.home(plan), sha256(plan.path.read_bytes()).hexdigest()
    paths = [notebooks.find_notebook(name, root) for name in names]
    for old in desk.copies(root):
        if old.path in paths:
            step(str(old))
    known = {path: notebooks.parameters(path) for path in paths}
    everywhere = {parameter.name for each in known.values() for parameter in each}
    if strange := sorted(set(given) - everywhere):
        notebooks.refuse_secret(strange[0])
        has = ", ".join(sorted(everywhere))
        raise UsageError(f"no parameter {strange[0]!r} in {', '.join(names)}; there are {has}")
    work = []
    for path in paths:
        own = {name: text for name, text in given.items() if name in {parameter.name for parameter in known[path]}}
        values = notebooks.typed(own, known[path], path.stem)
        where = str(parse_url(os.environ[DB_URL]))
        work.append(reports.Run(path, values, where, outputs, launch=plan.name, plan=digest))
    return _run(work)


def _run(work: Sequence[Run]) -> list[RunRecord]:
    """Run notebooks, as many at a time as there are cores where kernels can be forked, and else one by one."""
    from golive_lib import reports  # noqa: PLC0415  as above

    kernels = warm_kernels()
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )

    def run(each: Run, task: TaskID) -> RunRecord:
        record = reports.execute(
            each,
            lambda cell, cells: progress.update(task, completed=cell, total=cells),
            say=step,
            kernels=kernels,
        )
        progress.update(task, description=f"{record.notebook}: {record.verdict or 'failed'}", completed=1, total=1)
        return record

    with stoppable(), Progress(*columns, console=err) as progress:
        tasks = [progress.add_task(f"{each.notebook.stem}: running", total=None) for each in work]
        if not kernels:
            return [run(*each) for each in zip(work, tasks, strict=True)]
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            try:
                return list(threads.map(run, work, tasks))
            except BaseException:
                kernels.close()  # what runs ends at once and publishes nothing
                threads.shutdown(cancel_futures=True)
                raise


def report(records: Sequence[RunRecord], outputs: Path) -> None:
    """Print what each run found and where its page is."""
    for record in records:
        status = VERDICTS[Verdict(record.verdict)][1] if record.verdict else None
        mark, colour = (SHAPES[status], COLOURS[status]) if status else ("✕", "red")
        head = Text(f"{mark} {record.notebook}: {record.verdict or 'failed'}  ", style=f"bold {colour}")
        out.print(head + Text(record.sentence, style="not bold default"))
        out.print(Text(f"  {outputs / (record.html or record.run_id)}", style="dim"), soft_wrap=True)
    out.print(Text(f"All runs: {outputs / 'index.html'}"), soft_wrap=True)


def known_moment(as_of: str) -> str:
    """Refuse a moment that is none before anything is started; raises UsageError."""
    try:
        return instant(as_of, "--as-of").isoformat() if as_of else ""
    except QueryError as error:
        raise UsageError(str(error)) from None


def findings(found: Sequence[Finding]) -> Table:
    """Return the doctor's findings as a table for the terminal."""
    table = Table(box=None)
    for title in ("area", "what", "status", "detail"):
        table.add_column(title, overflow="fold")
    for finding in found:
        mark = Text(f"{SHAPES[finding.status]} {finding.status}", style=COLOURS[finding.status])
        table.add_row(finding.area, Text(finding.item), mark, Text(finding.detail))
    return table
