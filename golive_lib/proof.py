"""Proofs: an item of a list with what was looked at, what was seen and what it means; and such a list as a whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from golive_lib.formats import Brief
from golive_lib.verdicts import Outcome, Status, Verdict, gate, worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from golive_lib.clock import Clock

DETAILED = 3  # open items that a sentence can still explain; more are named, and the table explains them
_WORDS = {Status.RED: "Red", Status.AMBER: "Open", Status.UNKNOWN: "Not proven"}


@dataclass(frozen=True, repr=False)
class Point(Brief):
    """One thing looked at: what it is, its status, what was seen in a few words, and how to mend it."""

    what: str
    status: Status
    detail: str
    fix: str = ""

    @property
    def said(self) -> str:
        """What was looked at and what was seen, in a line."""
        return f"{self.what} {self.detail}" if self.what.endswith("?") else f"{self.what}: {self.detail}"

    @property
    def in_short(self) -> str:
        """Its status, and what was seen."""
        return f"{self.status}, {self.said}"


@dataclass(frozen=True, repr=False)
class Proof(Brief):
    """One item of a list, proven by its points; an item without any is unknown.

    ``tables`` holds the figures behind it by caption, for people to read; ``summary`` is what to say when all is green.
    """

    key: str
    title: str
    points: tuple[Point, ...]
    summary: str = ""
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """The worst of the points."""
        return worst([point.status for point in self.points]) if self.points else Status.UNKNOWN

    @property
    def reason(self) -> str:
        """The points that decide the status, in one line."""
        return self.brief(len(self.points))

    @property
    def in_short(self) -> str:
        """Its title, what it says and why."""
        return f"{self.title}: {self.status}, {self.reason}"

    def brief(self, most: int) -> str:
        """Return the first of the points that decide the status, and how many more there are."""
        if not self.points:
            return "nothing was looked at"
        if self.status is Status.GREEN:
            return self.summary or f"{len(self.points)} of {len(self.points)} points are green"
        deciding = [point.said for point in self.points if point.status is self.status]
        more = [f"and {len(deciding) - most} more"] if len(deciding) > most else []
        return "; ".join([*deciding[:most], *more])

    @property
    def frame(self) -> pd.DataFrame:
        """The points as a table: ``what``, ``status``, ``detail``, ``fix``."""
        rows = [(point.what, point.status.value, point.detail, point.fix) for point in self.points]
        return pd.DataFrame(rows, columns=["what", "status", "detail", "fix"])

    def record(self) -> dict[str, Any]:
        """Return the item as data for JSON."""
        return {
            "title": self.title,
            "status": self.status.value,
            "reason": self.reason,
            "points": self.frame.to_dict("records"),
        }


class Section(Brief, ABC):
    """A part of a report that one item of its list is proven by."""

    @property
    @abstractmethod
    def proof(self) -> Proof:
        """The item."""

    @property
    def in_short(self) -> str:
        """What the item says."""
        return self.proof.in_short


@dataclass(frozen=True, kw_only=True, repr=False)
class Proofs(Brief):
    """A list of items judged at one instant; ``then`` says what follows when all of them are proven.

    ``words`` are what people call its verdicts where it is not a launch that is decided.
    """

    proofs: tuple[Proof, ...]
    clock: Clock
    launch: str
    database: str
    zone: str
    then: str
    said: ClassVar[str] = "proven"
    words: ClassVar[Mapping[Verdict, str]] = {}

    def __iter__(self) -> Iterator[Proof]:
        return iter(self.proofs)

    def __getitem__(self, key: str) -> Proof:
        return next(proof for proof in self.proofs if proof.key == key)

    def _ipython_key_completions_(self) -> list[str]:
        return [proof.key for proof in getattr(self, "proofs", ())]  # IPython may ask one that is not made yet

    @property
    def outcome(self) -> Outcome:
        """Go, hold or no-go, with the items that stand in the way in a sentence."""
        statuses = [proof.status for proof in self.proofs]
        return Outcome(gate(statuses), worst(statuses), self._sentence(), self.clock.now, self.clock.fixed, self.zone)

    def record(self) -> dict[str, Any]:
        """Return what was proven as data for JSON."""
        return {"items": {proof.key: proof.record() for proof in self.proofs}}

    def _sentence(self) -> str:
        if all(proof.status is Status.GREEN for proof in self.proofs):
            return f"All {len(self.proofs)} items are {self.said}: {self.then}."
        open_ = [proof for proof in self.proofs if proof.status is not Status.GREEN]
        # The first point that decides will do; the others are for the table, not for a director.
        named = {proof.key: f"{proof.title} ({proof.brief(1)})" for proof in open_}
        if len(open_) > DETAILED:
            named = {proof.key: proof.title for proof in open_}
        by_status = "; ".join(
            f"{word}: {', '.join(named[proof.key] for proof in open_ if proof.status is status)}"
            for status, word in _WORDS.items()
            if any(proof.status is status for proof in open_)
        )
        return f"{len(self.proofs) - len(open_)} of {len(self.proofs)} items are {self.said}. {by_status}."
