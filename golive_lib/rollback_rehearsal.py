"""The rehearsal of a rollback: levels 1 and 2 run for real, statement by statement, in a transaction taken back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from golive_lib.acting import applying
from golive_lib.errors import GoliveError, QueryFailed
from golive_lib.formats import cut, duration, mask
from golive_lib.levers import FLAGS, VIEWS, StepFailed, levels, lever
from golive_lib.query import compose
from golive_lib.revert import examine
from golive_lib.rollback import ask, looking, require_place, user
from golive_lib.statement import Statement
from golive_lib.verdicts import Outcome, Status, gate, worst

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from golive_lib.acting import Actor
    from golive_lib.launch import Launch
    from golive_lib.levers import Lever, Step
    from golive_lib.revert import Revert
    from golive_lib.settings import DatabaseUrl

_LONGEST = 90


@dataclass(frozen=True)
class Tried:
    """One statement as it was tried: its outcome, seconds, and the locks it took that those before had not.

    ``reached`` is False for one behind a failure: on the night it would not be run.
    """

    what: str
    where: str
    status: Status
    said: str
    seconds: float = 0.0
    locks: tuple[str, ...] = ()
    reached: bool = True


@dataclass(frozen=True)
class LevelTried:
    """One level as it was rehearsed; ``digest`` is the SHA-256 of the file that was run, ``names`` the flags set."""

    level: int
    title: str
    tried: tuple[Tried, ...]
    digest: str = ""
    names: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """The worst of its statements."""
        return worst([one.status for one in self.tried])

    @property
    def said(self) -> str:
        """The first statement that decides, or that all went well and in what time."""
        if self.status is not Status.GREEN:
            return next(f"{one.where}: {one.said}" for one in self.tried if one.status is self.status)
        seconds = sum(one.seconds for one in self.tried)
        return f"{len(self.tried)} of {len(self.tried)} steps ran, in {duration(seconds * 1000)}"

    def record(self) -> dict[str, Any]:
        """Return the level as data for JSON."""
        steps = [
            {
                "where": one.where,
                "what": mask(one.what),
                "status": one.status.value,
                "said": one.said,
                "seconds": round(one.seconds, 3),
                "locks": list(one.locks),
                "reached": one.reached,
            }
            for one in self.tried
        ]
        return {"title": self.title, "status": self.status.value, "said": self.said, "steps": steps}


@dataclass(frozen=True)
class RollbackRehearsal:
    """A rehearsal: its levels, level 3 where the plan names a commit, by whom it was made and when by the database."""

    levels: tuple[LevelTried, ...]
    revert: Revert | None
    login: str
    at: datetime
    fixed: bool
    zone: str

    @property
    def statuses(self) -> dict[str, Status]:
        """What counts, by level; a level 3 that this machine cannot try is shown and counts for nothing."""
        found = {str(one.level): one.status for one in self.levels}
        return found | ({"3": self.revert.status} if self.revert and self.revert.here else {})

    @property
    def outcome(self) -> Outcome:
        """Go when every level works; hold or no-go with what does not, in a sentence."""
        statuses = list(self.statuses.values())
        return Outcome(gate(statuses), worst(statuses), self._sentence(), self.at, self.fixed, self.zone)

    def _sentence(self) -> str:
        said = {str(one.level): one.said for one in self.levels}
        if self.revert:
            said["3"] = self.revert.said
        if not self.statuses:
            return "The plan names no way to roll back: see [rollback]."
        open_ = [level for level, status in self.statuses.items() if status is not Status.GREEN]
        told = open_ or list(said)
        head = f"{len(self.statuses) - len(open_)} of {len(self.statuses)} levels work"
        return f"{head}. " + "; ".join(f"Level {level}: {said[level]}" for level in told) + "."

    def record(self, launch: Launch, by: str = "") -> dict[str, Any]:
        """Return the rehearsal as the ledger keeps it."""
        found: dict[str, Any] = {str(one.level): one.record() for one in self.levels}
        if self.revert:
            found["3"] = {"status": self.revert.status.value, "said": self.revert.said, "counts": self.revert.here}
        return {
            "launch": launch.plan.name,
            "database": str(launch.database.url),
            "at": self.at.isoformat(),
            "by": by or user(),
            "login": self.login,
            "verdict": self.outcome.verdict.value,
            "sentence": self.outcome.sentence,
            "levels": found,
            **rehearsed_files(self.levels),
            "release": release(launch),
        }


def release(launch: Launch) -> str:
    """Return what level 3 would take back, and from what."""
    rules = launch.plan.rollback
    return f"{rules.commit} in {rules.branch or 'what is checked out'}" if rules.commit else ""


def rehearsed_files(found: tuple[LevelTried, ...] | tuple[Lever, ...]) -> dict[str, Any]:
    """Return what a rehearsal holds for: the flags, the SHA-256 of the write file and that of the views."""
    by_level = {one.level: one for one in found}
    flags, views = by_level.get(FLAGS), by_level.get(VIEWS)
    names = (flags.names if isinstance(flags, LevelTried) else tuple(flags.aim or ())) if flags else ()
    return {
        "flags": list(names),
        "write_sha256": flags.digest if flags else "",
        "views_sha256": views.digest if views else "",
    }


def rehearse_rollback(launch: Launch, url: DatabaseUrl) -> RollbackRehearsal:
    """Try every level that the plan names; nothing of it stays.

    Raises DatabaseError when the database cannot be reached or is another one than the launch's.
    """
    with looking(launch, url) as actor:
        require_place(actor, launch, url)
        who = ask(actor, launch, "rollback/who")
    found = []
    for level in levels(launch):  # each in a transaction of its own, as on the night
        with applying(url, launch.plan.database, rehearsed=True) as actor:
            actor.see_all()
            found.append(_level(launch, actor, level))
    revert = examine(launch.plan.rollback, launch.env) if launch.plan.rollback.commit else None
    return RollbackRehearsal(
        tuple(found), revert, str(who["login"]), who["at"], bool(who["fixed"]), launch.plan.timezone
    )


def _level(launch: Launch, actor: Actor, level: int) -> LevelTried:
    try:
        pulled = lever(launch, level)
    except GoliveError as error:  # a file that cannot be run at all
        where, _, said = str(error).partition(": ")
        return LevelTried(level, "cannot be run", (Tried("", where, Status.RED, said),))
    tried = list(_steps(launch, actor, pulled))
    tried += _afterwards(launch, actor, pulled)
    return LevelTried(level, pulled.title, tuple(tried), pulled.digest, tuple(pulled.aim or ()))


def _steps(launch: Launch, actor: Actor, pulled: Lever) -> Iterator[Tried]:
    held, failed = _locks(launch, actor), False
    before = _views(launch, actor)
    for step in pulled.steps:
        began = time.monotonic()
        status, said = _tried(actor, step)
        seconds = time.monotonic() - began
        now, after = _locks(launch, actor), _views(launch, actor)
        if status is Status.GREEN and (bare := _bare(before, after)):
            status, said = Status.AMBER, bare
        if failed:
            said = f"would not be reached on the night; tried all the same: {said}"
        yield Tried(step.sql, step.where, status, said, seconds, tuple(sorted(now - held)), not failed)
        failed, held, before = failed or status is Status.RED, held | now, after


def _tried(actor: Actor, step: Step) -> tuple[Status, str]:
    try:
        step.run(actor)
    except StepFailed as failure:
        said = str(failure).removeprefix(f"{step.where}: ")
        # What a lock of somebody else's kept from being tried may work on the night, or not: nobody knows.
        return (Status.UNKNOWN if failure.locked else Status.RED), said
    return Status.GREEN, "ran"


def _bare(before: pd.DataFrame, after: pd.DataFrame) -> str:
    """Say which views a step made that read past the policies of tables behind them."""
    seen = set(zip(before["view"], before["version"], before["invoker"], strict=True))
    made = [row for row in after.itertuples() if (row.view, row.version, row.invoker) not in seen]
    open_ = [
        f"{row.view!s} passes by the policies of {row.guarded!s}" for row in made if row.guarded and not row.invoker
    ]
    return f"ran, but {'; '.join(open_)}: make it with (security_invoker = true)" if open_ else ""


def _afterwards(launch: Launch, actor: Actor, pulled: Lever) -> Iterator[Tried]:
    """Look at what COMMIT would find, at what is to be read back, and whether the plan's lock timeout still holds."""
    yield _check("what COMMIT checks", lambda: actor.run(Statement("set constraints all immediate", {}, ())))
    if pulled.aim is not None:
        yield _check("read back", lambda: _read_back(actor, pulled, pulled.aim or {}))
    limit = launch.plan.database.lock_timeout.total_seconds() * 1000
    held = float(ask(actor, launch, "rollback/limits")["lock_ms"])
    said = f"lock_timeout is {duration(held)}, by the plan {duration(limit)}"
    yield Tried("", "lock timeout held", Status.GREEN if held == limit else Status.AMBER, said)


def _check(what: str, look: Callable[[], None]) -> Tried:
    began = time.monotonic()
    try:
        look()
    except QueryFailed as failure:
        return Tried("", what, Status.RED, failure.reason, time.monotonic() - began)
    except StepFailed as failure:
        return Tried("", what, Status.RED, str(failure), time.monotonic() - began)
    return Tried("", what, Status.GREEN, "as it should be", time.monotonic() - began)


def _read_back(actor: Actor, pulled: Lever, aim: Mapping[str, str]) -> None:
    seen = pulled.look(actor)
    for name, value in aim.items():
        if seen.get(name) != value:
            rule = "does sources/flags read what rollback/set_flag writes?"
            raise StepFailed(f"{name} reads back as {seen.get(name, 'missing')} instead of {value}: {rule}")


def _locks(launch: Launch, actor: Actor) -> set[str]:
    found = actor.ask(compose(launch.query("rollback/locks"), launch.queries))
    return {f"{relation} {mode}" for relation, mode in zip(found["relation"], found["mode"], strict=True)}


def _views(launch: Launch, actor: Actor) -> pd.DataFrame:
    return actor.ask(compose(launch.query("rollback/views"), launch.queries))


def frame(rehearsal: RollbackRehearsal) -> pd.DataFrame:
    """Return a row per statement: ``level``, ``where``, ``statement``, ``status``, ``outcome``, ``took``, ``locks``."""
    rows = [
        (
            one.level,
            tried.where,
            cut(" ".join(mask(tried.what).split()), _LONGEST),
            tried.status.value,
            tried.said,
            duration(tried.seconds * 1000),
            ", ".join(tried.locks),
        )
        for one in rehearsal.levels
        for tried in one.tried
    ]
    return pd.DataFrame(rows, columns=["level", "where", "statement", "status", "outcome", "took", "locks"])
