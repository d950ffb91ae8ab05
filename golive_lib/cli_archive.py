"""The command that keeps closed days of the source rows as Parquet, for other engines to judge from."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from golive_lib.archive import DAY, Archive, open_archive
from golive_lib.archiving import Asked, Done, archive_days, changed_days
from golive_lib.console import DbUrl, PlanFile, err, opened, say, stoppable
from golive_lib.errors import ArchiveError, UsageError
from golive_lib.formats import duration
from golive_lib.settings import ARCHIVE, archive_folder

if TYPE_CHECKING:
    from golive_lib.launch import Launch

OK, FAILED, HOLD = 0, 1, 3
Folder = Annotated[Path | None, typer.Argument(help=f"Where days go. Default: {ARCHIVE}, else ./archive.")]
Since = Annotated[
    str, typer.Option(metavar="DATE", help="The first day. Default: the archive's, else the first row's.")
]
Until = Annotated[str, typer.Option(metavar="DATE", help="The last day. Default: the last one that has closed.")]


def archive(  # noqa: PLR0913, PLR0917  the command's options
    folder: Folder = None,
    since: Since = "",
    until: Until = "",
    source: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A source. Default: what KPIs and due events read.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing: hold the archived days against the database again.")
    ] = False,
    db_url: DbUrl = None,
    plan: PlanFile = None,
) -> int:
    """Keep each closed UTC day of the source rows as a Parquet file, proven against the database.

    The files hold people's data, such as IP addresses: only you may read them, and nothing of them is printed.
    """
    asked = Asked(_day(since, "--since"), _day(until, "--until"), tuple(source or ()))
    if asked.since and asked.until and asked.since > asked.until:
        raise UsageError(f"--since {since} is after --until {until}")
    with opened(db_url, plan) as launch:
        target = folder or archive_folder(launch.env)
        return _check(launch, target, asked) if check else _keep(launch, target, asked)


def _keep(launch: Launch, folder: Path, asked: Asked) -> int:
    try:
        with _Telling() as telling:
            done = archive_days(launch, folder, asked, telling)
    except KeyboardInterrupt:
        raise ArchiveError("stopped; the days archived so far are whole, and the next run goes on from there") from None
    found = open_archive(folder)
    _faults([*done.failures, *found.problems])
    say(f"{done.written:,} days of sources written ({done.rows:,} rows), {done.there:,} were there already")
    say(_open(launch, done, asked))
    say(f"{folder}: {_covered(found)}")
    if done.failures or found.problems:
        return FAILED
    return HOLD if asked.until and asked.until > done.closed else OK


def _check(launch: Launch, folder: Path, asked: Asked) -> int:
    found = open_archive(folder)
    with stoppable(), _Telling() as telling:
        compared, changed = changed_days(launch, found, asked, telling)
    _faults([*changed, *found.problems])
    same = "the database says the same today" if not changed else f"{len(changed):,} changed since"
    say(f"{folder}: of {compared:,} archived days of sources {same}")
    return HOLD if changed or found.problems or not compared else OK


def _faults(faults: list[str]) -> None:
    for fault in faults:
        say(f"✕ {fault}", "red")


def _open(launch: Launch, done: Done, asked: Asked) -> str:
    first, last = done.closed + DAY, min(done.today, asked.until or done.today)
    if first > last:
        return "every day that was asked for has closed"
    settle = duration(launch.plan.archive.settle)
    days = f"{first}" if first == last else f"{first} to {last}"
    return f"not closed yet, and not archived: {days}; a day closes {settle} after its end"


def _covered(found: Archive) -> str:
    try:
        return f"{len(found.sources)} sources from {found.first.date()} to {(found.until - DAY).date()}"
    except ArchiveError:
        return "nothing that all sources cover"


def _day(text: str, option: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write it as 2026-03-24", param_hint=option) from None


class _Telling(Progress):
    """Shows which day is at work."""

    def __init__(self) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        super().__init__(*columns, console=err, transient=True)
        self._task = self.add_task("connecting", total=None)

    def __call__(self, said: str) -> None:
        self.update(self._task, description=said)
