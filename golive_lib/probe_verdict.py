"""What it means that a client and anon read, or do not read, rows of other clients, and the client's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from golive_lib.formats import mask, number
from golive_lib.owners import MOST_ROWS
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from golive_lib.owners import Owned


@dataclass(frozen=True)
class Seen:
    """What somebody reads of rows: how many, or that they are denied; ``reason`` is why nobody can say.

    ``closed`` when no policy lets them read the table at all.
    """

    rows: int = 0
    denied: bool = False
    closed: bool = False
    reason: str = ""

    def __str__(self) -> str:
        return self.reason or ("denied" if self.denied else f"{many(self.rows)}")


@dataclass(frozen=True)
class Sample:
    """Rows to try: a client's own keys, and the keys of rows of ``others`` other clients, ``rows`` of them."""

    client: str
    own: tuple[Any, ...]
    keys: tuple[Any, ...]
    others: int
    rows: int


def verdict(owned: Owned, sample: Sample, client: Seen, anon: Seen, own: Seen | None) -> tuple[Status, str, str]:
    """Return the status, what was seen, and how to mend it.

    ``client`` and ``anon`` are what they read of others' rows, ``own`` what the client does of their own, if any.
    """
    of = f"{many(sample.rows)} rows of {sample.others} other clients"
    who = f"client {mask(sample.client)}"
    seen = ((who, client), ("anon", anon))
    leaks = [f"{name} reads {many(each.rows)} of {of}" for name, each in seen if each.rows]
    if leaks:
        fix = f"see the policies of {owned.name}: run 'golive rls'"
        return Status.RED, f"{'; '.join(leaks)}: data has leaked", fix
    if unsure := [f"{name}: {each}" for name, each in seen if each.reason]:
        fix = f"mend the policy; if it was stopped, index {owned.column} or raise rls.probe_timeout"
        return Status.UNKNOWN, "; ".join(unsure), fix
    if unlike := _unlike(who, own):
        fix = f"see what the policies of {owned.name} ask of a token beside its sub: run 'golive rls'"
        return Status.UNKNOWN, unlike, fix
    return Status.GREEN, f"{who} {_does(client)} and anon {_does(anon)}, of {of}", ""


def _unlike(who: str, own: Seen | None) -> str:
    """Say why a zero proves nothing: a real client would read their own rows, unless nobody may read the table."""
    if own is None or own.rows or own.denied or own.closed:
        return ""
    if own.reason:
        return f"{who} cannot be seen to read rows of their own: {own.reason}"
    return f"{who} reads no row of their own: the probe's claims are not a real client's, so its zero proves nothing"


def _does(seen: Seen) -> str:
    return "is denied" if seen.denied else f"reads {seen}"


def many(rows: int) -> str:
    """Return a count, bounded as the questions are."""
    return f"{number(rows)} or more" if rows >= MOST_ROWS else number(rows)
