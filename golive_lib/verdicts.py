"""Statuses and verdicts: what one thing says, what a whole run says, and the exit code for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from golive_lib.formats import Brief

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

VERDICT_MIME = "application/vnd.golive.verdict+json"


class Status(StrEnum):
    """What one check or KPI says; only green is green."""

    GREEN = "green"
    AMBER = "amber"
    UNKNOWN = "unknown"
    RED = "red"


class Verdict(StrEnum):
    """What a whole run says."""

    GO = "go"
    PROMOTE = "promote"
    CONTINUE = "continue"
    HOLD = "hold"
    ROLLBACK = "rollback"
    NO_GO = "no-go"


EXIT_CODES = {
    Verdict.GO: 0,
    Verdict.PROMOTE: 0,
    Verdict.CONTINUE: 0,
    Verdict.HOLD: 3,
    Verdict.ROLLBACK: 4,
    Verdict.NO_GO: 4,
}

_SEVERITY = (Status.GREEN, Status.AMBER, Status.UNKNOWN, Status.RED)


def worst(statuses: Iterable[Status]) -> Status:
    """Return the most severe status; of nothing, ``unknown``."""
    return max(statuses, key=_SEVERITY.index, default=Status.UNKNOWN)


def gate(statuses: Iterable[Status]) -> Verdict:
    """Return go / hold / no-go for checks that have no soak: any red stops, anything but green holds."""
    status = worst(statuses)
    if status is Status.RED:
        return Verdict.NO_GO
    return Verdict.GO if status is Status.GREEN else Verdict.HOLD


@dataclass(frozen=True, repr=False)
class Outcome(Brief):
    """What one run found: the verdict, why in a sentence, and the instant it judged at.

    ``at`` is an aware datetime, ``zone`` the launch's time zone by name; ``clock_fixed`` says that the database pins
    its clock, as a demo does.
    """

    verdict: Verdict
    status: Status
    sentence: str
    at: datetime
    clock_fixed: bool
    zone: str

    @property
    def in_short(self) -> str:
        """The verdict and its sentence."""
        return f"{self.verdict}: {self.sentence}"


class Rule(StrEnum):
    """What makes a KPI red: evidence that it is over its limit, or having been observed over it."""

    EVIDENCE = "evidence"
    OBSERVED = "observed"
