"""What a rollback does to the database, level by level: the steps of each, and how to see that they are in force.

Level 1 turns the plan's flag off and its percentage to 0; level 2 runs the plan's file of views.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from golive_lib.doctor import WRITE_FLAG
from golive_lib.errors import GoliveError, PlanError, QueryError, QueryFailed
from golive_lib.flags import SOURCE
from golive_lib.formats import cut, mask
from golive_lib.plan import kit_folder
from golive_lib.query import compose, text_of
from golive_lib.script import read_script
from golive_lib.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from golive_lib.acting import Actor
    from golive_lib.launch import Launch
    from golive_lib.query import Query
    from golive_lib.script import Command, Script

FLAGS, VIEWS = 1, 2
OFF, NONE = "false", "0"
LOCKED, NO_ROW = "55P03", 0
_LONGEST = 200


class StepFailed(GoliveError):  # noqa: N818  it names what happened
    """A step of a rollback failed: where, the statement, the server's words and hint; ``locked`` says a lock did it."""

    def __init__(self, message: str, *, locked: bool = False) -> None:
        super().__init__(message)
        self.locked = locked


@dataclass(frozen=True)
class Step:
    """One statement: the SQL as people read it, the file and line it comes from, and how it is run."""

    sql: str
    where: str
    run: Callable[[Actor], None]


@dataclass(frozen=True)
class Lever:
    """One level: its steps in order, how to look at what they change, and what must be seen afterwards.

    ``aim`` is None where that is whatever the steps change. ``notes`` say what was left out; ``digest`` is the SHA-256
    of the file that is run.
    """

    level: int
    title: str
    steps: tuple[Step, ...]
    look: Callable[[Actor], dict[str, str]]
    aim: Mapping[str, str] | None
    digest: str
    notes: tuple[str, ...] = ()

    def expected(self, before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
        """Return what must be seen once the steps are committed, given what was seen around them."""
        if self.aim is not None:
            return dict(self.aim)
        return {name: seen for name, seen in after.items() if before.get(name) != seen}


def levels(launch: Launch) -> tuple[int, ...]:
    """Return the levels that the plan gives a database to work on."""
    rules = launch.plan.rollback
    return tuple(level for level, given in ((FLAGS, rules.flag), (VIEWS, rules.views)) if given)


def lever(launch: Launch, level: int) -> Lever:
    """Return what a level does.

    Raises PlanError where the plan says nothing of it, QueryError for a file that cannot be run as one transaction.
    """
    return flags_off(launch) if level == FLAGS else views_back(launch)


def flags_off(launch: Launch) -> Lever:
    """Return level 1: the flag to false, and the percentage of ``[flags]`` to 0."""
    flag, percentage = launch.plan.rollback.flag, launch.plan.flags.percentage
    if not flag:
        raise PlanError(
            f"{launch.plan.path}: rollback.flag is empty, so there is no level 1; name the flag to turn off"
        )
    query = launch.query(WRITE_FLAG)
    if {param.name for param in query.params} != {"key", "value"}:
        raise QueryError(f"{query.path}: should declare '-- params: key text, value text'")
    aim = {flag: OFF} | ({percentage: NONE} if percentage else {})
    steps = tuple(
        Step(writing(query).client_sql(_values(k, v)), str(query.path), _writer(query, k, v)) for k, v in aim.items()
    )
    return Lever(FLAGS, "the flag off", steps, partial(_flags, launch, tuple(aim)), aim, digest(query.body))


def writing(query: Query) -> Statement:
    """Return a write file's statement as it stands: in parentheses, as sources are composed, it would be none."""
    return Statement(query.body, {param.name: param.type for param in query.params}, ())


def digest(text: str) -> str:
    """Return the SHA-256 of a file's text."""
    return sha256(text.encode()).hexdigest()


def _values(key: str, value: str) -> dict[str, str]:
    return {"key": key, "value": value}


def _writer(query: Query, key: str, value: str) -> Callable[[Actor], None]:
    def write(actor: Actor) -> None:
        try:
            found = len(actor.ask(writing(query), _values(key, value)))
        except QueryFailed as failure:
            raise _failed(failure, str(query.path), f"setting {key!r}") from None
        if found != 1:
            said = f"there is no flag {key!r}" if found == NO_ROW else f"the flag {key!r} is there {found} times"
            raise StepFailed(
                f"{query.path}: {said}; one row must come back\n  next: see sources/flags and [rollback] flag"
            )

    return write


def _flags(launch: Launch, keys: tuple[str, ...], actor: Actor) -> dict[str, str]:
    """Return the flags as the source says them, in JSON's own spelling; one that is there twice has both values."""
    seen = actor.ask(compose(launch.query(SOURCE), launch.queries))
    rows = [(str(key), str(value)) for key, value in seen[["key", "value"]].itertuples(index=False) if key in keys]
    found: dict[str, str] = {}
    for key, value in rows:
        found[key] = f"{found[key]} and {_spelled(value)}" if key in found else _spelled(value)
    return found


def _spelled(value: str) -> str:
    try:
        return json.dumps(json.loads(value), ensure_ascii=False)
    except ValueError:
        return value


def views_script(launch: Launch) -> tuple[Script, str]:
    """Return the plan's file of views, beside the plan or else the kit's own, cut into commands, and its SHA-256.

    Raises as ``lever`` does.
    """
    name = launch.plan.rollback.views
    if not name:
        raise PlanError(f"{launch.plan.path}: rollback.views is empty, so there is no level 2; name the file of views")
    folder = next((each for each in (launch.plan.root, kit_folder()) if (each / name).is_file()), None)
    if folder is None:
        raise PlanError(f"{launch.plan.path}: rollback.views = {name!r}: there is no such file beside the plan")
    text = text_of(folder / name)
    return read_script(text, Path(name)), digest(text)


def views_back(launch: Launch) -> Lever:
    """Return level 2: the commands of the plan's file of views."""
    script, content = views_script(launch)
    steps = tuple(Step(command.text, command.where, partial(_command, command)) for command in script.commands)
    notes = ("its own BEGIN and COMMIT are left out: the kit's transaction stands for them",) if script.wrapped else ()
    return Lever(VIEWS, "the compatibility views", steps, partial(_views, launch), None, content, notes)


def _command(command: Command, actor: Actor) -> None:
    try:
        actor.command(command.text)
    except QueryFailed as failure:
        raise _failed(failure, command.at(failure.position), command.text) from None


def _views(launch: Launch, actor: Actor) -> dict[str, str]:
    """Return each view with its version: the transaction that wrote it last."""
    seen = actor.ask(compose(launch.query("rollback/views"), launch.queries))
    return {
        str(view): f"a view of version {version}" for view, version in zip(seen["view"], seen["version"], strict=True)
    }


def _failed(failure: QueryFailed, where: str, statement: str) -> StepFailed:
    shown = cut(" ".join(mask(statement).split()), _LONGEST)
    hint = f"\n  hint: {failure.hint}" if failure.hint else ""
    locked = failure.sqlstate == LOCKED
    if locked:
        hint += "\n  next: another session holds that lock; try again, or end it"
    return StepFailed(f"{where}: {failure.reason}\n  in: {shown}{hint}", locked=locked)
