"""The readiness item of the rollback: rehearsed lately, with the very files and flags that would be used now."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from golive_lib.errors import GoliveError, LedgerError
from golive_lib.formats import age, duration
from golive_lib.ledger import REHEARSAL, Ledger
from golive_lib.levers import levels, lever
from golive_lib.proof import Point, Proof
from golive_lib.rollback_rehearsal import rehearsed_files, release
from golive_lib.settings import place_of
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from golive_lib.launch import Launch

TITLE = "Rollback, rehearsed"
AGAIN = "golive rollback --rehearse"
_NAMES = {
    "flags": "the flags it sets",
    "write_sha256": "rollback/set_flag.sql",
    "views_sha256": "the file of views",
    "release": "the release",
}
_TITLES = {"1": "level 1, the flag off", "2": "level 2, the views", "3": "level 3, the release reverted"}


def newest_rehearsal(launch: Launch, outputs: Path) -> Mapping[str, Any] | None:
    """Return the latest record of a rehearsal of this launch on this database, whoever was connected; None without one.

    Raises LedgerError when the ledger cannot be read.
    """
    place = place_of(str(launch.database.url))
    found = [
        entry.data
        for entry in Ledger(outputs).entries(REHEARSAL)
        if entry.data.get("launch") == launch.plan.name and place_of(str(entry.data.get("database", ""))) == place
    ]
    return found[-1] if found else None


def prove_rollback(launch: Launch, outputs: Path, now: datetime) -> Proof:
    """Prove that a rollback was rehearsed and that this still holds; reads the ledger and the plan's files."""
    return Proof("rollback", TITLE, tuple(_points(launch, outputs, now)), _summary(launch, outputs, now))


def _points(launch: Launch, outputs: Path, now: datetime) -> Iterator[Point]:
    if not levels(launch):
        yield Point("the plan", Status.UNKNOWN, "names no way to roll back", "name rollback.flag, or rollback.views")
        return
    try:
        record = newest_rehearsal(launch, outputs)
    except LedgerError as error:
        yield Point("the ledger", Status.UNKNOWN, str(error), "golive ledger verify")
        return
    if record is None:
        yield Point("rehearsal", Status.UNKNOWN, "was never made of this launch on this database", AGAIN)
        return
    try:
        yield from _held(launch, record, now)
    except (KeyError, TypeError, ValueError) as error:
        yield Point("rehearsal", Status.UNKNOWN, f"its record cannot be read ({type(error).__name__})", AGAIN)


def _held(launch: Launch, record: Mapping[str, Any], now: datetime) -> Iterator[Point]:
    for level, found in record["levels"].items():
        counts = bool(found.get("counts", True))
        status = Status(found["status"])
        if counts:
            yield Point(
                _TITLES[level], status, found["said"], "" if status is Status.GREEN else f"mend it, then {AGAIN}"
            )
    yield _age(datetime.fromisoformat(record["at"]), launch, now)
    yield _same(launch, record)


def _age(at: datetime, launch: Launch, now: datetime) -> Point:
    most = launch.plan.rollback.max_age
    if at > now:
        return Point("age", Status.UNKNOWN, "was rehearsed after the moment that is judged", AGAIN)
    if now - at > most:
        allowed = duration(most)
        return Point("age", Status.RED, f"the rehearsal is {age(now - at)}, {allowed} allowed", AGAIN)
    return Point("age", Status.GREEN, f"the rehearsal is {age(now - at)}")


def _same(launch: Launch, record: Mapping[str, Any]) -> Point:
    what = "what would be run"
    try:
        current = rehearsed_files(tuple(lever(launch, level) for level in levels(launch)))
        current["release"] = release(launch)
    except GoliveError as error:
        return Point(what, Status.RED, str(error).splitlines()[0], f"mend it, then {AGAIN}")
    changed = [_NAMES[name] for name, value in current.items() if record[name] != value]
    if changed:
        return Point(what, Status.RED, f"changed since the rehearsal: {', '.join(changed)}", AGAIN)
    return Point(what, Status.GREEN, "is what was rehearsed: the same flags and files")


def _summary(launch: Launch, outputs: Path, now: datetime) -> str:
    try:
        record = newest_rehearsal(launch, outputs) or {}
        tried = ", ".join(sorted(record["levels"]))
        since = age(now - datetime.fromisoformat(record["at"]))
    except (LedgerError, KeyError, TypeError, ValueError):  # its point says so
        return ""
    return f"levels {tried} worked in a transaction that was taken back, {since}"
