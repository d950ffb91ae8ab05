"""What a rollback would do, and whether it can work: asked in transactions that may not write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from golive_lib.doctor import WRITE_FLAG
from golive_lib.errors import DatabaseError, QueryFailed
from golive_lib.levers import FLAGS, writing
from golive_lib.proof import Point
from golive_lib.rollback import ask, looking, require_place
from golive_lib.rollback_proof import AGAIN, prove_rollback
from golive_lib.settings import ADMIN_URL
from golive_lib.statement import Statement
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from golive_lib.acting import Actor
    from golive_lib.launch import Launch
    from golive_lib.levers import Lever
    from golive_lib.settings import DatabaseUrl


def preview(launch: Launch, pulled: Lever, url: DatabaseUrl | None, outputs: Path) -> tuple[Point, ...]:
    """Return what can be told of a level before it is executed: as whom, from what to what, and by which right."""
    if url is None:
        return (Point("as whom", Status.UNKNOWN, f"{ADMIN_URL} is not set", f"set {ADMIN_URL} to the owner's URL"),)
    try:
        with looking(launch, url) as actor:
            require_place(actor, launch, url)
            who = ask(actor, launch, "rollback/who")
            points = [Point("as whom", Status.GREEN, f"{who['login']}, who can connect")]
            points += _flags(launch, actor, pulled) if pulled.level == FLAGS else _views(pulled, who)
            now = who["at"]
    except DatabaseError as error:
        return (Point("as whom", Status.RED, str(error).splitlines()[0], f"mend {ADMIN_URL}"),)
    if pulled.level != FLAGS:
        proof = prove_rollback(launch, outputs, now)
        points.append(Point("rehearsal", proof.status, proof.reason, "" if proof.status is Status.GREEN else AGAIN))
    return tuple(points)


def _flags(launch: Launch, actor: Actor, pulled: Lever) -> Iterator[Point]:
    try:
        seen = pulled.look(actor)
    except QueryFailed as failure:
        seen = {}
        yield Point("the flags now", Status.UNKNOWN, failure.reason, "adapt sources/flags.sql")
    for key, value in (pulled.aim or {}).items():
        if key not in seen:
            yield Point(key, Status.RED, "is missing: no row would come back", "see [rollback] flag and sources/flags")
            continue
        yield _flag(launch, actor, key, (seen[key], value))


def _flag(launch: Launch, actor: Actor, key: str, change: tuple[str, str]) -> Point:
    now, then = change
    if " and " in now:
        return Point(key, Status.RED, f"is there more than once, with {now}", "leave one row of it")
    write = writing(launch.query(WRITE_FLAG))
    try:
        actor.ask(Statement(f"explain {write.sql}", write.types, ()), {"key": key, "value": then})
    except QueryFailed as failure:
        return Point(key, Status.RED, f"may not be set: {failure.reason}", f"see {ADMIN_URL} and rollback/set_flag.sql")
    so = f"is {then} already" if now == then else f"is {now}, would be {then}; this role may set it"
    return Point(key, Status.GREEN, so)


def _views(pulled: Lever, who: object) -> Iterator[Point]:
    many = f"{len(pulled.steps)} commands, none of which ends the transaction"
    yield Point("the file", Status.GREEN, "; ".join([many, *pulled.notes]))
    if not (who["superuser"] or who["creates_schemas"]):  # type: ignore[index]  # a row of a DataFrame
        yield Point("rights", Status.AMBER, "may create no schema here; the rest only a rehearsal can tell", AGAIN)
