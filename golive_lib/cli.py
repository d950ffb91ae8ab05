"""The command line: parse, call, print, exit code."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from golive_lib.errors import GoliveError, SettingsError
from golive_lib.judge import Status
from golive_lib.launch import DEMO_SCHEME, choose_plan, is_demo, kit_folder, open_launch
from golive_lib.settings import DB_URL, OUTPUTS, PLAN, environment, outputs_folder, parse_url
from golive_lib.show import SHAPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from golive_lib.doctor import Finding
    from golive_lib.reports import RunRecord

OK, FAILED = 0, 1
DEMO_NOTEBOOKS = ("sanity", "health")
COLOURS = {Status.GREEN: "green", Status.AMBER: "yellow", Status.UNKNOWN: "magenta", Status.RED: "red"}


def _exit(code: int, **_: object) -> None:
    raise typer.Exit(code)


app = typer.Typer(
    result_callback=_exit,
    help="Judge a launch from the app's own Postgres tables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console()
err = Console(stderr=True)

DbUrl = Annotated[
    str | None,
    typer.Option("--db-url", help=f"postgresql://…, or demo:STORY. Default: {DB_URL} (environment or .env)."),
]
PlanFile = Annotated[Path | None, typer.Option("--plan", help="The launch plan. Default: the nearest launch.toml.")]
Outputs = Annotated[
    Path | None, typer.Option("--outputs", help=f"Where reports go. Default: {OUTPUTS}, else ./outputs.")
]
Story = Annotated[str, typer.Argument(help="healthy, api-regression, silent, thin or dirty.")]


@app.command()
def demo(
    story: Story = "healthy",
    scale: Annotated[float, typer.Option(help="Multiplies the demo's rows.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Another seed, another week.")] = 7,
    outputs: Outputs = None,
) -> int:
    """Build a demo launch on an embedded PostgreSQL and report on it."""
    from golive_lib.demo import open_demo  # noqa: PLC0415  only this command needs the embedded server

    target = outputs or outputs_folder(os.environ)
    with _stoppable(), open_demo(story, scale=scale, seed=seed, progress=_step) as database:
        os.environ[DB_URL] = database.url
        os.environ[PLAN] = str(kit_folder() / "launch.toml")
        records = [_run(name, {}, target) for name in DEMO_NOTEBOOKS]
    _report(records, target)
    here = f"--db-url {DEMO_SCHEME}{story}"
    out.print(Text(f"\nGo on:  golive lab {here}    golive doctor {here}    golive run sanity {here}", style="dim"))
    return max(record.exit_code for record in records)


@app.command()
def run(
    notebooks: Annotated[list[str], typer.Argument(help="Notebooks by name; 'golive list' shows them.")],
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", help="NAME=VALUE, as often as needed.")
    ] = None,
    db_url: DbUrl = None,
    plan: PlanFile = None,
    outputs: Outputs = None,
) -> int:
    """Run notebooks and write their reports; exits with the worst verdict."""
    given = dict(_pair(text) for text in parameter or ())
    target = outputs or outputs_folder(environment(Path.cwd()))
    with _database(db_url, plan):
        records = [_run(name, given, target) for name in notebooks]
    _report(records, target)
    return max(record.exit_code for record in records)


@app.command()
def doctor(db_url: DbUrl = None, plan: PlanFile = None) -> int:
    """Say in one table what can be reached: server, pooler, role, tables, columns, indexes."""
    from golive_lib.doctor import examine  # noqa: PLC0415  keeps the other commands' start short

    with _database(db_url, plan), err.status("asking the database"):
        findings = examine(open_launch())
    out.print(_findings(findings))
    return OK if all(finding.status in (Status.GREEN, Status.AMBER) for finding in findings) else FAILED


@app.command()
def check(
    names: Annotated[list[str], typer.Argument(help="Checks (sanity/consent) or folders of them (sanity).")],
    db_url: DbUrl = None,
    plan: PlanFile = None,
) -> int:
    """Judge checks in the terminal, without a report."""
    from golive_lib import views  # noqa: PLC0415  keeps the other commands' start short
    from golive_lib.judge import EXIT_CODES  # noqa: PLC0415  likewise

    with _database(db_url, plan):
        launch = open_launch()
        chosen = [launch.checks(name) for name in names]
    for checks in chosen:
        out.print(Text(f"{views.verdict(checks)}\n\n{views.offending(checks)}"))
    return max(EXIT_CODES[checks.outcome.verdict] for checks in chosen)


@app.command()
def sql(name: Annotated[str, typer.Argument()], db_url: DbUrl = None, plan: PlanFile = None) -> int:
    """Print a query as any SQL client runs it, with its sources and values written in."""
    with _database(db_url, plan):
        sys.stdout.write(open_launch().sql(name) + "\n;\n")
    return OK


@app.command("list")
def list_(plan: PlanFile = None) -> int:
    """List the notebooks with their parameters, and the queries with what they answer."""
    from golive_lib.launch import load_queries  # noqa: PLC0415  keeps the other commands' start short
    from golive_lib.notebooks import find_notebooks, parameters  # noqa: PLC0415  likewise
    from golive_lib.plan import read_plan  # noqa: PLC0415  likewise

    chosen = read_plan(choose_plan(plan or os.environ.get(PLAN)))
    table = Table("notebook", "parameter", "type", "default", "meaning", box=None)
    for name, path in find_notebooks(chosen.root).items():
        for i, p in enumerate(parameters(path)):
            table.add_row(*map(Text, (name if i == 0 else "", p.name, p.type, p.default, p.help)))
    out.print(table, "")
    queries = Table("query", "kind", "what it answers", box=None)
    for name, query in sorted(load_queries(chosen).items()):
        kind = "source" if name.startswith("sources/") else "check" if query.expect else "figures"
        queries.add_row(Text(name), kind, Text(query.title))
    out.print(queries)
    return OK


@app.command()
def lab(
    db_url: DbUrl = None,
    plan: PlanFile = None,
    port: Annotated[int, typer.Option(help="Where JupyterLab listens; 0 takes a free port.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> int:
    """Open the notebooks in JupyterLab, on the database given or on the demo."""
    given = db_url or environment(Path.cwd()).get(DB_URL) or f"{DEMO_SCHEME}healthy"
    folder = Path.cwd()
    if not (folder / "notebooks").is_dir():
        shutil.copytree(kit_folder() / "notebooks", folder / "notebooks")
        _step("copied the kit's notebooks into ./notebooks, yours to change")
    with _database(given, plan):
        command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", f"--port={port}"]
        command += ["--LabApp.default_url=/lab/tree/notebooks", *([] if browser else ["--no-browser"])]
        command += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        with subprocess.Popen(command) as server:  # noqa: S603  our own interpreter and options
            try:
                return server.wait()
            except KeyboardInterrupt:
                server.terminate()
                return OK


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value


@contextmanager
def _database(db_url: str | None, plan: Path | None) -> Iterator[None]:
    """Put the database and the plan into the environment, where kernels find them; a demo stays up meanwhile."""
    env = environment(Path.cwd())
    url = db_url or env.get(DB_URL)
    if not url:
        raise SettingsError(f"no database: set {DB_URL}, or pass --db-url (try --db-url {DEMO_SCHEME}healthy)")
    chosen = choose_plan(plan or env.get(PLAN))
    if not chosen.is_file():
        raise SettingsError(f"{chosen}: there is no such launch plan; name one with --plan")
    os.environ[PLAN] = str(chosen.resolve())
    if not is_demo(url):
        os.environ[DB_URL] = parse_url(url).environment()
        yield
        return
    from golive_lib.demo import open_demo  # noqa: PLC0415  a real launch needs no embedded server

    with _stoppable(), open_demo(url.removeprefix(DEMO_SCHEME), progress=_step) as database:
        os.environ[DB_URL] = database.url
        yield


@contextmanager
def _stoppable() -> Iterator[None]:
    """Turn Ctrl-C into a message: what was being written is gone by then."""
    try:
        yield
    except KeyboardInterrupt:
        raise GoliveError("stopped; nothing was written for the run at work") from None


def _step(text: str) -> None:
    err.print(Text(f"· {text}", style="dim"))


def _run(name: str, given: dict[str, str], outputs: Path) -> RunRecord:
    """Run one notebook with a progress bar over its cells."""
    from golive_lib import notebooks, reports  # noqa: PLC0415  a second that other commands need not wait

    path = notebooks.find_notebook(name, choose_plan(os.environ.get(PLAN)).parent)
    parameters = notebooks.typed(given, notebooks.parameters(path), name)
    work = reports.Run(path, parameters, str(parse_url(os.environ[DB_URL])), outputs)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with _stoppable(), Progress(*columns, console=err) as progress:
        task = progress.add_task(f"{name}: running", total=None)
        record = reports.execute(work, lambda cell, cells: progress.update(task, completed=cell, total=cells))
        progress.update(task, description=f"{name}: {record.verdict or 'failed'}", completed=1, total=1)
    return record


def _report(records: list[RunRecord], outputs: Path) -> None:
    for record in records:
        status = Status(record.status) if record.status else Status.RED
        word = record.verdict or "failed"
        out.print(Text(f"{SHAPES[status]} {record.notebook}: {word}", style=COLOURS[status]), Text(record.sentence))
        out.print(Text(f"  {outputs / record.html}", style="dim"))
    out.print(Text(f"All runs: {outputs / 'index.html'}"))


def _findings(findings: tuple[Finding, ...]) -> Table:
    table = Table("area", "what", "status", "detail", box=None)
    for finding in findings:
        mark = Text(f"{SHAPES[finding.status]} {finding.status}", style=COLOURS[finding.status])
        table.add_row(finding.area, Text(finding.item), mark, Text(finding.detail))
    return table


def main() -> None:
    """Run the command line: a clear message instead of a traceback for every error the kit foresees."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(FAILED))
    try:
        app()
    except GoliveError as error:
        err.print(Text("error: ", style="bold red") + Text(str(error)), soft_wrap=True)
        sys.exit(error.exit_code)
