"""Rolling back for real: one transaction per level, then proof of it on another connection, timed and recorded.

A connection that is lost while COMMIT is under way leaves nobody knowing. By the transaction's own number another
connection then finds out whether it went through.
"""

from __future__ import annotations

import getpass
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from golive_lib.acting import applying
from golive_lib.errors import DatabaseError, GoliveError, QueryFailed, Unconfirmed
from golive_lib.formats import duration, mask
from golive_lib.ledger import Ledger
from golive_lib.levers import lever
from golive_lib.query import compose
from golive_lib.rls_probe import same_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from golive_lib.acting import Actor
    from golive_lib.launch import Launch
    from golive_lib.levers import Lever
    from golive_lib.settings import DatabaseUrl

BEGUN, DONE, UNKNOWN, FAILED = "begun", "done", "unknown", "failed"
COMMITTED, ABORTED = "committed", "aborted"
PATIENCE_S = 2.0  # for the ledger: a rollback waits no longer for its own record


@dataclass(frozen=True)
class Execution:
    """One level's execution: its state, what was run, what was seen before and after, by whom, when and how long.

    ``at`` is the database clock's instant, ISO 8601. ``command`` are the seconds from the command to here without those
    ``waited`` for an answer, ``database`` those since the connection was opened; ``verified``: seen on another one.
    """

    level: int
    state: str
    sentence: str = ""
    what: tuple[str, ...] = ()
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    login: str = ""
    at: str = ""
    command: float = 0.0
    waited: float = 0.0
    database: float = 0.0
    verified: bool = False

    @property
    def exit_code(self) -> int:
        """0 done and seen, 1 not done, 3 nobody can say."""
        if self.state == FAILED:
            return 1
        return 0 if self.state == DONE and self.verified else 3

    def record(self, launch: Launch, by: str = "") -> dict[str, Any]:
        """Return the execution as the ledger keeps it; ``by`` is who did it, else this account."""
        seconds = {name: round(getattr(self, name), 3) for name in ("command", "waited", "database")}
        return {
            "launch": launch.plan.name,
            "database": str(launch.database.url),
            "at": self.at,
            "by": by or user(),
            "login": self.login,
            "level": self.level,
            "state": self.state,
            "sentence": self.sentence,
            "what": [mask(text) for text in self.what],
            "before": dict(self.before),
            "after": dict(self.after),
            "seconds": seconds,
            "verified": self.verified,
        }


def user() -> str:
    """Return whose account this process runs under."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name, as in some containers
        return "unknown"


def note(outputs: Path, kind: str, data: Mapping[str, Any], say: Callable[[str], object]) -> None:
    """Add a record to the ledger, and go on without it when that fails or takes too long: it may block nothing."""
    failed: list[str] = []

    def add() -> None:
        try:
            Ledger(outputs, say).append(kind, data)
        except (GoliveError, OSError, ValueError) as error:
            failed.append(str(error))

    thread = threading.Thread(target=add, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    if thread.is_alive():
        failed.append(f"{outputs}: nothing could be written within {PATIENCE_S:g} s")
    for words in failed:
        say(f"NOT RECORDED: {words}; going on without the record")


@contextmanager
def looking(launch: Launch, url: DatabaseUrl) -> Iterator[Actor]:
    """Open a transaction that may not write and from which RLS hides nothing; raises DatabaseError."""
    with applying(url, launch.plan.database, rehearsed=True) as actor:
        actor.seal()
        actor.see_all()
        yield actor


def require_place(actor: Actor, launch: Launch, url: DatabaseUrl) -> None:
    """Raise DatabaseError unless the admin's address leads to the launch's database; asks where it does not say so."""
    if url.identity != launch.postgres.url.identity:
        same_database(actor, launch)


def ask(actor: Actor, launch: Launch, name: str, **values: object) -> Any:  # noqa: ANN401  a row of a DataFrame
    """Return the first row of a query's answer."""
    return actor.ask(compose(launch.query(name), launch.queries), values).iloc[0]


def roll_back(
    launch: Launch,
    level: int,
    url: DatabaseUrl,
    *,
    elapsed: Callable[[], float],
    record: Callable[[Execution], object] = lambda _: None,
    pause: Callable[[float], object] = time.sleep,
) -> Execution:
    """Carry out a level and prove it on another connection; nothing stays of one that fails.

    ``elapsed`` tells the seconds since the command, without those it waited for an answer; ``record`` is told when it
    has begun and how it ended. Raises GoliveError for what failed, PlanError and QueryError for what the plan lacks.
    """
    return _Attempt(launch, lever(launch, level), url, elapsed, record, pause).made()


class _Attempt:
    """One execution of one level."""

    def __init__(
        self,
        launch: Launch,
        pulled: Lever,
        url: DatabaseUrl,
        elapsed: Callable[[], float],
        record: Callable[[Execution], object],
        pause: Callable[[float], object],
    ) -> None:
        self._launch, self._lever, self._url = launch, pulled, url
        self._elapsed, self._record, self._pause = elapsed, record, pause
        self._opened = time.monotonic()
        self._number = ""
        self._wanted: dict[str, str] = {}
        now = datetime.now(UTC).isoformat(timespec="seconds")  # until the database says its own
        self._so_far = Execution(pulled.level, BEGUN, login=url.user, at=now)

    def made(self) -> Execution:
        try:
            try:
                already = self._applied()
            except Unconfirmed:
                return self._settled("the connection was lost after COMMIT was sent")
            return self._settled("was so already; nothing was changed" if already else "")
        except GoliveError as error:
            self._ended(FAILED, f"failed, and nothing was changed: {str(error).splitlines()[0]}")
            raise
        except BaseException:  # Ctrl-C, or told to end: perhaps while it was being committed or verified
            self._ended(UNKNOWN, f"interrupted; 'golive rollback --level {self._lever.level}' shows how it stands")
            raise

    def _applied(self) -> bool:
        """Run the steps in one transaction, unless everything is so already: then say so."""
        with applying(self._url, self._launch.plan.database) as actor:
            require_place(actor, self._launch, self._url)
            actor.see_all()
            who = ask(actor, self._launch, "rollback/who")
            before = self._seen(actor)
            self._so_far = replace(self._so_far, login=str(who["login"]), at=who["at"].isoformat())
            aim = self._lever.aim
            self._so_far = replace(self._so_far, before=_part(before, aim or {}))
            if aim is not None and _part(before, aim) == dict(aim):
                self._wanted = dict(aim)
                return True
            self._tell(self._so_far)
            self._number = str(ask(actor, self._launch, "rollback/transaction")["id"])
            for step in self._lever.steps:
                step.run(actor)
            self._wanted = self._lever.expected(before, self._seen(actor))
            what = tuple(step.sql for step in self._lever.steps)
            self._so_far = replace(self._so_far, what=what, before=_part(before, self._wanted))
        return False

    def _seen(self, actor: Actor) -> dict[str, str]:
        """Return what is there; nothing that can only be looked at may keep a rollback from being made."""
        try:
            return self._lever.look(actor)
        except QueryFailed:
            return {}

    def _settled(self, happened: str) -> Execution:
        """Ask another connection what became of it, again and again within the plan's time."""
        fate, seen, reason = "", None, ""
        for wait in self._waits():
            if wait:
                self._pause(wait)
            try:
                fate, seen = self._look_again()
            except DatabaseError as error:
                reason = str(error).splitlines()[0]
            if fate in (COMMITTED, ABORTED):
                break
        return self._judged(fate, seen, "; ".join(filter(None, (happened, reason))))

    def _waits(self) -> Iterator[float]:
        """Give 0, 1, 2, 4 … seconds as long as the plan's time is not over."""
        left, wait, spent = self._launch.plan.rollback.within.total_seconds() - self._elapsed(), 1.0, 0.0
        yield 0.0
        while spent + wait <= left and self._elapsed() < self._launch.plan.rollback.within.total_seconds():
            yield wait
            wait, spent = wait * 2, spent + wait

    def _look_again(self) -> tuple[str, dict[str, str] | None]:
        with looking(self._launch, self._url) as actor:
            fate = (
                str(ask(actor, self._launch, "rollback/fate", id=self._number)["fate"]) if self._number else COMMITTED
            )
            try:
                return fate, self._lever.look(actor)
            except QueryFailed:
                return fate, None

    def _judged(self, fate: str, seen: Mapping[str, str] | None, happened: str) -> Execution:
        self._so_far = replace(self._so_far, after=_part(seen or {}, self._wanted))
        within = self._launch.plan.rollback.within.total_seconds()
        took = self._elapsed()
        if fate == ABORTED:
            return self._ended(FAILED, f"{happened}: not applied; safe to repeat")
        if fate != COMMITTED:
            said = f"unknown: {happened}; whether it was applied nobody could say; safe to repeat"
            return self._ended(UNKNOWN, said)
        if seen is None or not self._wanted:
            return self._ended(DONE, "committed, and nothing shows whether it worked: no view of it can be looked at")
        wrong = {name: _part(seen, [name]).get(name) for name, value in self._wanted.items()}
        wrong = {name: value for name, value in wrong.items() if value != self._wanted[name]}
        if wrong:
            name, value = next(iter(wrong.items()))
            return self._ended(DONE, f"committed, and yet {name} reads back as {value or 'missing'}: look at it now")
        late = "" if took <= within else ": LATER THAN ALLOWED"
        times = f"verified {duration(took * 1000)} after the command, {duration(within * 1000)} allowed{late}"
        return self._ended(DONE, "; ".join(filter(None, (happened, times))), verified=True)

    def _ended(self, state: str, sentence: str, *, verified: bool = False) -> Execution:
        self._so_far = replace(self._so_far, state=state, sentence=sentence, verified=verified)
        self._tell(self._so_far)
        return self._timed(self._so_far)

    def _tell(self, execution: Execution) -> None:
        self._record(self._timed(execution))

    def _timed(self, execution: Execution) -> Execution:
        return replace(execution, command=self._elapsed(), database=time.monotonic() - self._opened)


def _part(seen: Mapping[str, str], names: Mapping[str, str] | list[str]) -> dict[str, str]:
    return {name: seen[name] for name in names if name in seen}
