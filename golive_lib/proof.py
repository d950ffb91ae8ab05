"""Proofs: an item of the readiness list with what was looked at, what was seen, and what it means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from golive_lib.judge import Status, worst

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Point:
    """One thing looked at: what it is, its status, what was seen in a few words, and how to mend it."""

    what: str
    status: Status
    detail: str
    fix: str = ""

    @property
    def said(self) -> str:
        """What was looked at and what was seen, in a line."""
        return f"{self.what} {self.detail}" if self.what.endswith("?") else f"{self.what}: {self.detail}"


@dataclass(frozen=True)
class Proof:
    """One item of the readiness list, proven by its points; an item without any is unknown.

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
