"""The command that rolls back: shown unless told to, rehearsed before the night, timed and recorded when it counts."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from golive_lib.console import (
    DbUrl,
    Outputs,
    PlanFile,
    admin_url,
    confirm,
    err,
    mark,
    opened,
    reports_folder,
    say,
    step,
)
from golive_lib.errors import GoliveError, UsageError
from golive_lib.formats import duration
from golive_lib.leaks import plainly
from golive_lib.ledger import REHEARSAL, ROLLBACK, Ledger
from golive_lib.settings import ADMIN_URL
from golive_lib.show import table
from golive_lib.verdicts import EXIT_CODES, Status, gate, worst

if TYPE_CHECKING:
    from collections.abc import Iterable

    from golive_lib.launch import Launch
    from golive_lib.levers import Lever
    from golive_lib.proof import Point
    from golive_lib.rollback import Execution
    from golive_lib.rollback_rehearsal import RollbackRehearsal

REVERT = 3
_UPTIME = "CLOCK_BOOTTIME"


def rollback(  # noqa: PLR0913, PLR0917  the command's options
    level: Annotated[
        int | None, typer.Option(min=1, max=3, help="1: the flag off. 2: the old views. 3: revert the release, shown.")
    ] = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Run levels 1 and 2 in a transaction that is taken back.")
    ] = False,
    execute: Annotated[bool, typer.Option("--execute", help="Do it; without, nothing is changed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the launch's name.")] = False,
    by: Annotated[str, typer.Option(help="Who does it, for the record. Default: this account.")] = "",
    db_url: DbUrl = None,
    plan: PlanFile = None,
    outputs: Outputs = None,
) -> int:
    """Show what rolls the launch back and whether it can work; rehearse it, or do it when told to."""
    began = time.monotonic() - process_age()
    if rehearse == (level is not None):
        raise UsageError("name a level (--level 1, 2 or 3), or --rehearse; one of them")
    if execute and (rehearse or level == REVERT):
        what = (
            "a rehearsal changes nothing" if rehearse else "level 3 is for people to type: it only shows the commands"
        )
        raise UsageError(f"{what}; leave --execute out")
    target = reports_folder(outputs)
    with opened(db_url, plan) as launch:
        name = plainly("--by", by, launch.env) if by.strip() else ""
        if rehearse:
            return _rehearse(launch, target, name)
        if level == REVERT:
            return _show_revert(launch)
        if not execute:
            return _show(launch, level or 1, target)
        return _execute(launch, level or 1, target, began, name, yes=yes)


def process_age() -> float:
    """Return for how many seconds this process has been running: the command began with it."""
    try:
        ticks = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
        return time.clock_gettime(getattr(time, _UPTIME)) - int(ticks) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):  # no Linux
        import psutil  # noqa: PLC0415  only where it is needed

        return max(time.time() - float(psutil.Process().create_time()), 0.0)


def _show(launch: Launch, level: int, target: Path) -> int:
    from golive_lib.levers import lever  # noqa: PLC0415  keeps the other commands' start short
    from golive_lib.rollback_preview import preview  # noqa: PLC0415  likewise

    url = admin_url(launch) if launch.env.get(ADMIN_URL) else None
    pulled = lever(launch, level)
    _print(pulled, str(url) if url else f"{launch.postgres.url.database}, as whoever {ADMIN_URL} names")
    code = _points(preview(launch, pulled, url, target))
    step("nothing was changed; --execute does it")
    return code


def _print(pulled: Lever, where: str) -> None:
    say(f"Level {pulled.level}, {pulled.title}: one transaction on {where}", "bold")
    for note in pulled.notes:
        say(f"({note})", "dim")
    for each in pulled.steps:
        say(f"-- {each.where}", "dim")
        say(f"{each.sql};")


def _points(points: Iterable[Point]) -> int:
    """Print each point and return the exit code: what is amber can still work."""
    found = list(points)
    for point in found:
        fix = f"\n    next: {point.fix}" if point.fix else ""
        say(mark(point.status, f"{point.status}  ", f"{point.said}{fix}"))
    status = worst([point.status for point in found])
    return 0 if status is Status.AMBER else EXIT_CODES[gate([status])]


def _show_revert(launch: Launch) -> int:
    from golive_lib.errors import PlanError  # noqa: PLC0415  used here alone
    from golive_lib.proof import Point  # noqa: PLC0415  as above
    from golive_lib.revert import examine  # noqa: PLC0415  likewise

    rules = launch.plan.rollback
    if not rules.commit:
        raise PlanError(f"{launch.plan.path}: rollback.commit is empty, so there is no level 3; name the release there")
    found = examine(rules, launch.env)
    say("Level 3, the release reverted: for a person to type", "bold")
    for line in found.commands:
        say(line)
    code = _points([Point("the release", found.status, found.said, found.fix)])
    step("tried in a scratch clone; nothing was changed")
    return code


def _rehearse(launch: Launch, target: Path, by: str) -> int:
    found = rehearsed(launch, target, by)
    from golive_lib.rollback_rehearsal import frame  # noqa: PLC0415  as above

    say(table(frame(found), caption="What was run, and taken back"))
    if found.revert:
        counts = "" if found.revert.here else " (not counted: this machine cannot tell)"
        say(f"Level 3, {found.revert.status}: {found.revert.said}{counts}")
    outcome = found.outcome
    say(mark(outcome.status, f"{outcome.verdict}: ", outcome.sentence, bold=True))
    return EXIT_CODES[outcome.verdict]


def rehearsed(launch: Launch, target: Path, by: str = "") -> RollbackRehearsal:
    """Rehearse the rollback and record it; raises SettingsError without the admin's URL, DatabaseError, LedgerError."""
    from golive_lib.rollback_rehearsal import rehearse_rollback  # noqa: PLC0415  as above

    url = admin_url(launch)
    step(f"rehearsing the rollback on {url}")
    found = rehearse_rollback(launch, url)
    Ledger(target, step).append(REHEARSAL, found.record(launch, by))
    return found


def _execute(launch: Launch, level: int, target: Path, began: float, by: str, *, yes: bool) -> int:
    """Do it, recorded in ``target``: ``began`` is when the command did, ``by`` who gave it."""
    from golive_lib.levers import lever  # noqa: PLC0415  as above
    from golive_lib.rollback import note, roll_back  # noqa: PLC0415  likewise

    url = admin_url(launch)
    _print(lever(launch, level), str(url))
    asked = time.monotonic()
    confirm(launch, url, yes=yes)
    waited = time.monotonic() - asked
    records: list[Execution] = []

    def keep(execution: Execution) -> None:
        from dataclasses import replace  # noqa: PLC0415  used here alone

        records.append(replace(execution, waited=waited))
        note(
            target,
            ROLLBACK,
            records[-1].record(launch, by),
            lambda words: say(f"! {words}", "bold red", to=err),
        )

    try:
        done = roll_back(launch, level, url, elapsed=lambda: time.monotonic() - began - waited, record=keep)
    except GoliveError as error:
        raise GoliveError(f"level {level} failed; nothing was changed, and it is safe to repeat\n{error}") from None
    except KeyboardInterrupt:
        raise GoliveError(f"stopped: {records[-1].sentence if records else 'nothing was changed'}") from None
    return _ended(done, waited)


def _ended(done: Execution, waited: float) -> int:
    for name, value in done.after.items():
        before = done.before.get(name, "not there")
        say(f"{name}: {before} → {value}" if before != value else f"{name}: {value}")
    status = {0: Status.GREEN, 1: Status.RED}.get(done.exit_code, Status.UNKNOWN)
    say(mark(status, f"level {done.level} {done.state}: ", done.sentence, bold=True))
    spent = f"{duration(done.database * 1000)} of it on the database"
    answer = f"; {duration(waited * 1000)} more waiting for the answer" if waited >= 1 else ""
    say(f"by {done.login} at {done.at}; {spent}{answer}", "dim")
    return done.exit_code
