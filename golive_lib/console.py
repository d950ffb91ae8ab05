"""What the commands share: the database they work on, notebooks run with a progress bar, and how results print."""

from __future__ import annotations

import gc
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from golive_lib.deadline import Limits
from golive_lib.engines import parse_address, parse_archive
from golive_lib.errors import GoliveError, QueryError, SettingsError, UsageError
from golive_lib.formats import show_people
from golive_lib.grid import SHAPES
from golive_lib.occasions import following
from golive_lib.plan import choose_plan, read_plan
from golive_lib.plan_types import Duration, instant
from golive_lib.settings import (
    ADMIN_URL,
    ARCHIVE,
    BACKUPS,
    DB_URL,
    DEMO_SCHEME,
    OUTPUTS,
    PLAN,
    backups_folder,
    environment,
    is_demo,
    outputs_folder,
    parse_url,
)
from golive_lib.show import VERDICTS
from golive_lib.verdicts import Status, Verdict
from golive_lib.warm_kernels import warm_kernels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.progress import TaskID

    from golive_lib.launch import Launch
    from golive_lib.plan import Plan
    from golive_lib.records import RunRecord
    from golive_lib.reports import Run
    from golive_lib.settings import DatabaseUrl

COLOURS = {Status.GREEN: "green", Status.AMBER: "yellow", Status.UNKNOWN: "magenta", Status.RED: "red"}
DbUrl = Annotated[
    str | None,
    typer.Option(
        "--db-url", help=f"postgresql://…, duckdb:ARCHIVE, or demo:STORY. Default: {DB_URL} (environment or .env)."
    ),
]
PlanFile = Annotated[Path | None, typer.Option("--plan", help="The launch plan. Default: the nearest launch.toml.")]
Outputs = Annotated[
    Path | None, typer.Option("--outputs", help=f"Where reports go. Default: {OUTPUTS}, else ./outputs.")
]
AsOf = Annotated[str, typer.Option(help="Judge as of this moment, ISO 8601 with zone. Default: the database's now.")]
Wait = Annotated[
    str, typer.Option(metavar="DURATION", help="How long to wait for a run of the same that is still going on.")
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Refuse at once while another is going on.")]
Timeout = Annotated[str, typer.Option(metavar="DURATION", help="How long each run may take as a whole.")]
Retries = Annotated[int, typer.Option(min=0, max=10, help="Tries after a crash; never after a verdict.")]
_SPAN: TypeAdapter[timedelta] = TypeAdapter(Duration)
out = Console()
err = Console(stderr=True)


def say(text: object, style: str = "", *, to: Console = out) -> None:
    """Print a text as it is: nothing in it is markup, and no line is broken."""
    to.print(text if isinstance(text, Text) else Text(str(text), style), soft_wrap=True)


def step(text: str) -> None:
    """Say on the error stream what is being done."""
    say(f"· {text}", "dim", to=err)


def mark(status: Status, words: str = "", then: str = "", *, bold: bool = False) -> Text:
    """Return words, by default the status's own, in its shape and colour, and what is said after them."""
    said = Text(f"{SHAPES[status]} {words or status}", f"{'bold ' * bold}{COLOURS[status]}")
    return said + Text(then, "not bold default")


def plan_of(given: Path | None) -> Plan:
    """Return the launch plan: given, else named by the environment, else the nearest or the kit's; raises PlanError."""
    return read_plan(choose_plan(given or environment(Path.cwd()).get(PLAN)))


def reports_folder(given: Path | None) -> Path:
    """Return where reports go: as given, else as the environment says."""
    return given or outputs_folder(environment(Path.cwd()))


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
    if env.get(ARCHIVE):
        os.environ[ARCHIVE] = parse_archive(env[ARCHIVE]).environment()
    if not is_demo(url):
        os.environ[DB_URL] = parse_address(url).environment()
        yield
        return
    from golive_lib.demo import open_app, open_named  # noqa: PLC0415  a real launch needs no embedded server

    with stoppable(), open_named(url.removeprefix(DEMO_SCHEME), progress=step) as demo, open_app(demo) as variables:
        if replaced := sorted(set(variables) & set(env) - {DB_URL}):
            step(f"the demo's own values stand in for {', '.join(replaced)}")
        os.environ.update(variables)
        yield


@contextmanager
def opened(db_url: str | None, plan: Path | None, outputs: Path | None = None) -> Iterator[Launch]:
    """Open the launch as ``database`` finds it; ``outputs`` is where its reports lie, if that is another folder."""
    from golive_lib.launch import open_launch  # noqa: PLC0415  half a second that other commands need not wait

    with database(db_url, plan):
        if outputs:
            os.environ[OUTPUTS] = str(outputs.resolve())
        yield open_launch()


def run_all(
    names: Sequence[str], given: Mapping[str, str], outputs: Path, limits: Limits | None = None, *, pdf: bool = False
) -> list[RunRecord]:
    """Run notebooks, each with those of the parameters that it knows, within limits (else the usual ones).

    With ``pdf`` their pages are printed too.

    Raises UsageError, before anything runs, for an unknown notebook, a parameter that none of them knows or a value of
    the wrong type.
    """
    warm_kernels()  # it imports while we do
    from golive_lib import desk, notebooks, reports  # noqa: PLC0415  a second that other commands need not wait

    os.environ[OUTPUTS] = str(outputs.resolve())
    plan = read_plan(choose_plan(os.environ.get(PLAN)))
    show_people(plan.reports.show)
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
        where = str(parse_address(os.environ[DB_URL]))
        every = following(plan, path.stem, datetime.now(UTC))
        work.append(reports.Run(path, values, where, outputs, launch=plan.name, plan=digest, every=every, pdf=pdf))
    return _run(work, limits)


def _run(work: Sequence[Run], limits: Limits | None) -> list[RunRecord]:
    """Run notebooks, as many at a time as there are cores where kernels can be forked, and else one by one."""
    from golive_lib import attempts  # noqa: PLC0415  as above

    kernels = warm_kernels()
    gc.freeze()  # what is imported by now stays to the end, and need not be looked through again
    gc.enable()
    said = TextColumn("{task.description}")
    columns = (SpinnerColumn(), said, BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn())

    def run(each: Run, task: TaskID) -> RunRecord:
        record = attempts.execute(
            each,
            lambda cell, cells: progress.update(task, completed=cell, total=cells),
            limits=limits,
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
        shape, colour = (SHAPES[status], COLOURS[status]) if status else ("✕", "red")
        head = Text(f"{shape} {record.notebook}: {record.verdict or 'failed'}  ", style=f"bold {colour}")
        out.print(head + Text(record.sentence, style="not bold default"))
        say(f"  {outputs / (record.html or record.run_id)}", "dim")
    say(f"All runs: {outputs / 'index.html'}")


def run_one(name: str, given: Mapping[str, str], outputs: Path) -> RunRecord:
    """Run a notebook, print what it found and return its record; raises as ``run_all`` does."""
    records = run_all([name], given, outputs)
    report(records, outputs)
    return records[0]


def admin_url(launch: Launch) -> DatabaseUrl:
    """Return the address of whoever may change the database; raises SettingsError, for no other stands in for it."""
    given = launch.env.get(ADMIN_URL)
    if not given:
        raise SettingsError(
            f"set {ADMIN_URL} to the table owner's database URL; the read-only one is never used for this"
        )
    return parse_url(given)


def confirm(launch: Launch, url: DatabaseUrl, *, yes: bool) -> None:
    """Ask for the launch's name; raises UsageError for another answer, or where nobody can be asked."""
    say(f"on {url}, for the launch {launch.plan.name!r}", to=err)
    if yes:
        return
    try:
        answer = typer.prompt("Type the launch's name to go on", err=True, prompt_suffix=": ")
    except typer.Abort:
        raise UsageError("nobody answered, and nothing was changed; --yes does not ask") from None
    if answer.strip() != launch.plan.name:
        raise UsageError(f"{answer!r} is not the launch's name; nothing was changed")


def known_moment(as_of: str) -> str:
    """Refuse a moment that is none before anything is started; raises UsageError."""
    try:
        return instant(as_of, "--as-of").isoformat() if as_of else ""
    except QueryError as error:
        raise UsageError(str(error)) from None


def span(text: str, option: str = "--every") -> timedelta:
    """Read a duration longer than nothing; raises typer.BadParameter that names the option."""
    try:
        length = _SPAN.validate_python(text)
    except ValidationError:
        length = timedelta()
    if not length:
        raise typer.BadParameter(f"{text!r} is no duration; write it as '30s', '1m' or '1h'", param_hint=option)
    return length


def limits(wait: str, timeout: str, retries: int, *, no_wait: bool) -> Limits:
    """Return what bounds a run as the options say it; raises typer.BadParameter."""
    waited = 0.0 if no_wait else span(wait, "--wait").total_seconds()
    return Limits(waited, span(timeout, "--timeout").total_seconds(), retries)


def listed(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return rows as a table for the terminal, statuses in their shape and colour."""
    table = Table(box=None)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(mark(cell) if isinstance(cell, Status) else Text(cell) for cell in row))
    return table
