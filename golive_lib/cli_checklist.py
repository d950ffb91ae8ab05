"""The commands for the launch as a whole: the day after, and the checklist with the ticks only a person can set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from golive_lib.console import (
    AsOf,
    DbUrl,
    Outputs,
    PlanFile,
    database,
    known_moment,
    mark,
    opened,
    reports_folder,
    run_one,
    say,
    step,
)
from golive_lib.records import judged
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from pathlib import Path

    from golive_lib.records import RunRecord

OK = 0
checklist = typer.Typer(help="The launch's three lists and its story, from the records.", invoke_without_command=True)
Name = Annotated[str, typer.Argument(metavar="ITEM", help="recordings, performance or success.")]
By = Annotated[str, typer.Option("--by", help="Who says so.")]
Note = Annotated[str, typer.Option("--note", help="What was done or seen.")]


@checklist.callback()
def show(
    ctx: typer.Context, as_of: AsOf = "", db_url: DbUrl = None, plan: PlanFile = None, outputs: Outputs = None
) -> int:
    """Report what is ticked, what is open and what to type next, with the launch's whole story."""
    if ctx.invoked_subcommand:
        return OK
    target, moment = reports_folder(outputs), known_moment(as_of)
    with database(db_url, plan):
        record = run_one("checklist", {"as_of": moment} if moment else {}, target)
    _print_open(record, target)
    return record.exit_code


def aftercare(as_of: AsOf = "", db_url: DbUrl = None, plan: PlanFile = None, outputs: Outputs = None) -> int:
    """Report what the launch did to the API, the money, the readers, the recordings and the database."""
    target, moment = reports_folder(outputs), known_moment(as_of)
    with database(db_url, plan):
        return run_one("aftercare", {"as_of": moment} if moment else {}, target).exit_code


def _print_open(record: RunRecord, outputs: Path) -> None:
    """Print what to type for each open item, as the report has it, and how many wait for that."""
    if record.error:
        return
    open_ = judged(outputs, record)["open"]
    for item in (item for item in open_ if item["next"]):
        say(Text("  ") + mark(Status(item["status"]), item["item"], f"  {item['next']}"))
    if waiting := sum(not item["next"] for item in open_):
        say(f"  … and {waiting} that wait for these", "dim")


@checklist.command()
def tick(item: Name, by: By, note: Note, db_url: DbUrl = None, plan: PlanFile = None, outputs: Outputs = None) -> int:
    """Record that a person did what an item asks for."""
    return _tick(item, by, note, (db_url, plan, outputs), done=True)


@checklist.command()
def untick(item: Name, by: By, note: Note, db_url: DbUrl = None, plan: PlanFile = None, outputs: Outputs = None) -> int:
    """Take a tick back; the record keeps both."""
    return _tick(item, by, note, (db_url, plan, outputs), done=False)


def _tick(item: str, by: str, note: str, where: tuple[str | None, Path | None, Path | None], *, done: bool) -> int:
    from golive_lib import checklist as lists  # noqa: PLC0415  keeps the other commands' start short

    db_url, plan, outputs = where
    with opened(db_url, plan, reports_folder(outputs)) as launch:
        entry = lists.tick(launch, item, by=by, note=note, done=done, say=step)
    said = "ticked" if done else "tick taken back"
    say(f"{item}: {said} by {entry.data['by']}, ledger record {entry.seq}")
    return OK
