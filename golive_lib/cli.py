"""The command line: parse, call, print, exit code."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import astuple
from datetime import timedelta
from functools import partial
from importlib import import_module
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer
from rich.table import Table
from rich.text import Text

from golive_lib.console import (
    AsOf,
    DbUrl,
    NoWait,
    Outputs,
    PlanFile,
    Retries,
    Timeout,
    Wait,
    database,
    err,
    known_moment,
    limits,
    listed,
    opened,
    out,
    plan_of,
    report,
    reports_folder,
    run_all,
    say,
    step,
    stoppable,
)
from golive_lib.errors import GoliveError
from golive_lib.plan import kit_folder
from golive_lib.settings import (
    ARCHIVE,
    BACKUPS,
    DB_URL,
    DEMO_SCHEME,
    OUTPUTS,
    PLAN,
    backups_folder,
    outputs_folder,
)
from golive_lib.verdicts import EXIT_CODES, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from golive_lib.records import RunRecord

OK, FAILED, HOLD = 0, 1, 3


def _exit(code: int, **_: object) -> None:
    raise typer.Exit(code)


app = typer.Typer(
    result_callback=_exit,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Story = Annotated[str, typer.Argument(help="healthy, api-regression, silent, thin or dirty.")]


@app.command()
def demo(
    story: Story = "healthy",
    scale: Annotated[float, typer.Option(help="Multiplies the demo's rows.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Another seed, another week.")] = 7,
    outputs: Outputs = None,
) -> int:
    """Build a demo launch on an embedded PostgreSQL and report on it, from readiness to its last stage."""
    from golive_lib import cli_readiness  # noqa: PLC0415  keeps the other commands' start short
    from golive_lib.demo import begin_again, open_app, open_demo  # noqa: PLC0415  only this one needs the server
    from golive_lib.launch import open_launch  # noqa: PLC0415  as above

    target = outputs or outputs_folder(os.environ)
    os.environ[OUTPUTS] = str(target.resolve())  # kernels work in the notebooks' folder
    os.environ[BACKUPS] = str(backups_folder(os.environ).resolve())
    opened = open_demo(story, scale=scale, seed=seed, progress=step)
    with stoppable(), opened as database_, open_app(database_) as variables:
        begin_again(database_)  # it may have been rolled back
        os.environ.update(variables)
        os.environ[PLAN] = str(kit_folder() / "launch.toml")
        os.environ[ARCHIVE] = ""  # one that is named is another launch's
        records = [*_eve(target), *cli_readiness.prepared(target), *run_all(["readiness", "sanity"], {}, target)]
        for stage in open_launch().plan.stages:
            records += run_all(["canary"], {"stage": f"{stage.percent:g}"}, target)
            if records[-1].exit_code:  # a launch that may not go on has no next stage
                break
        records += run_all(["health", "aftercare"], {}, target)
        listed = run_all(["checklist"], {}, target)  # open until the rollback is rehearsed and people have ticked
    report([*records, *listed], target)
    say("\nGo on with any of these:", "dim")
    typed = sys.argv[0] if Path(sys.argv[0]).name == "golive" else "golive"  # as this shell found it
    for command in ("lab", "doctor", "harden", "canary --stage 25", "check sanity", "rollback --level 1"):
        say(f"  {typed} {command} --db-url {DEMO_SCHEME}{story}", "dim")
    return _worst(records)


def _eve(target: Path) -> list[RunRecord]:
    """Report on RLS by the story's clock of the hour before the launch: in the demo no catalog changed since."""
    from golive_lib.launch import open_launch  # noqa: PLC0415  keeps the other commands' start short

    url = os.environ[DB_URL]
    begun = min(stage.starts for stage in open_launch().plan.stages if stage.starts)
    clock = quote(f"-c golive.now={(begun - timedelta(hours=1)).isoformat()}", safe="")
    os.environ[DB_URL] = f"{url}{'&' if '?' in url else '?'}options={clock}"
    try:
        return run_all(["rls"], {}, target)
    finally:
        os.environ[DB_URL] = url


@app.command()
def run(  # noqa: PLR0913, PLR0917  the command's options
    notebooks: Annotated[list[str], typer.Argument(help="Notebooks by name or path; 'golive list' shows them.")],
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", help="NAME=VALUE, as often as needed.")
    ] = None,
    wait: Wait = "10m",
    no_wait: NoWait = False,
    timeout: Timeout = "1h",
    retries: Retries = 0,
    pdf: Annotated[bool, typer.Option("--pdf", help="Print each report too, with a Chromium that is there.")] = False,
    db_url: DbUrl = None,
    plan: PlanFile = None,
    outputs: Outputs = None,
) -> int:
    """Run notebooks and write their reports; exits with the worst verdict."""
    within = limits(wait, timeout, retries, no_wait=no_wait)
    given = dict(_pair(text) for text in parameter or ())
    target = reports_folder(outputs)
    with database(db_url, plan):
        records = run_all(notebooks, given, target, within, pdf=pdf)
    report(records, target)
    unprinted = pdf and any(record.html and f"{record.notebook}.pdf" not in record.files for record in records)
    return _worst(records) or FAILED * unprinted


def _worst(records: list[RunRecord]) -> int:
    """Return the exit code of several runs; a crash outweighs a verdict, for it says nothing about the launch."""
    codes = [record.exit_code for record in records]
    return FAILED if FAILED in codes else max(codes)


@app.command()
def doctor(db_url: DbUrl = None, plan: PlanFile = None) -> int:
    """Say in one table what can be reached: server, pooler, role, tables, columns, indexes."""
    from golive_lib.doctor import examine  # noqa: PLC0415  keeps the other commands' start short

    with opened(db_url, plan) as launch, err.status("asking the database"):
        found = examine(launch)
    out.print(listed(("area", "what", "status", "detail"), map(astuple, found)))
    return OK if all(finding.status in (Status.GREEN, Status.AMBER) for finding in found) else HOLD


@app.command()
def check(
    names: Annotated[list[str], typer.Argument(help="Checks (sanity/consent) or folders of them (sanity).")],
    db_url: DbUrl = None,
    plan: PlanFile = None,
) -> int:
    """Judge checks in the terminal, without a report."""
    from golive_lib import views  # noqa: PLC0415  keeps the other commands' start short

    with opened(db_url, plan) as launch:
        chosen = [launch.checks(name) for name in names]
    for checks in chosen:
        say(f"{views.verdict(checks)}\n\n{views.offending(checks)}")
    return max(EXIT_CODES[checks.outcome.verdict] for checks in chosen)


@app.command()
def sql(
    name: Annotated[str, typer.Argument(help="A query, such as sanity/consent.")],
    as_of: AsOf = "",
    db_url: DbUrl = None,
    plan: PlanFile = None,
) -> int:
    """Print a query as any SQL client runs it, with its sources and the report's values written in."""
    from golive_lib import aftercare  # noqa: PLC0415  keeps the other commands' start short

    moment = known_moment(as_of)
    with opened(db_url, plan) as launch:
        sys.stdout.write(aftercare.sql(launch, name, as_of=moment) + "\n;\n")
    return OK


@app.command("list")
def list_(plan: PlanFile = None) -> int:
    """List the notebooks with their parameters, and the queries with what they answer."""
    from golive_lib.desk import home  # noqa: PLC0415  keeps the other commands' start short
    from golive_lib.launch import kind, load_queries  # noqa: PLC0415  keeps the other commands' start short
    from golive_lib.notebooks import find_notebooks, parameters  # noqa: PLC0415  likewise

    chosen = plan_of(plan)
    table = Table("notebook", "parameter", "type", "default", "meaning", box=None)
    for name, path in find_notebooks(home(chosen)).items():
        for i, p in enumerate(parameters(path)):
            table.add_row(*map(Text, (name if i == 0 else "", p.name, p.type, p.default, p.help)))
    out.print(table, "")
    queries = Table("query", "kind", "what it answers", box=None)
    for name, query in sorted(load_queries(chosen).items()):
        queries.add_row(Text(name), kind(query), Text(query.title))
    out.print(queries)
    return OK


# The modules of the other commands, each loaded when one of its commands is asked for, or all of them for the help.
COMMANDS = {
    "cli_lab": ("lab", "new"),
    "cli_canary": ("canary", "watch", "replay"),
    "cli_archive": ("archive",),
    "cli_backup": ("backup", "storage"),
    "cli_harden": ("harden",),
    "cli_rollback": ("rollback",),
    "cli_readiness": ("readiness", "rls"),
    "cli_messages": ("message",),
    "cli_checklist": ("aftercare", "checklist"),
    "cli_ledger": ("ledger",),
    "cli_schedule": ("schedule", "verdict", "prune"),
}


def register(arguments: Sequence[str]) -> typer.Typer:
    """Return the command line with what these arguments need of it."""
    asked = arguments[0] if arguments else "--help"
    here = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    for module, commands in COMMANDS.items():
        if asked in commands or asked not in {"--version", *here, *chain(*COMMANDS.values())}:
            loaded = import_module(f"golive_lib.{module}")
            for name in commands:
                command = getattr(loaded, name)
                add = partial(app.add_typer, name=name) if isinstance(command, typer.Typer) else app.command()
                add(command)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        out.print(version("golive"))
        raise typer.Exit


@app.callback()
def golive(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Judge a launch from the app's own Postgres tables."""


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value


def main() -> None:
    """Run the command line: a clear message instead of a traceback for every error the kit foresees."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(FAILED))
    try:
        register(sys.argv[1:])()
    except GoliveError as error:
        say(Text("error: ", style="bold red") + Text(str(error)), to=err)
        sys.exit(error.exit_code)
