"""What a launch plan says about the night and after it: rolling back, messages, ticks, the day after, repeated runs."""

from __future__ import annotations

from dataclasses import field
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from golive_lib.plan_types import STRICT, Lasting, Share

DAY = timedelta(days=1)
Language = Literal["en", "ar"]
TargetName = Annotated[str, Field(pattern=r"^[\w-]{1,40}$")]
Variable = Annotated[str, Field(pattern=r"^GOLIVE_NOTIFY_[A-Z0-9_]+$")]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class RollbackRules:
    """How to roll back within a time: the flag turned off, the file of views, the release commit reverted.

    ``views`` lies beside the plan. ``repository`` names the environment variable that holds the folder of the app's
    checkout, ``commit`` the release in it, ``branch`` what is deployed (empty: what is checked out), and ``deploy``
    the command that deploys it, for people to type. A rehearsal older than ``max_age`` proves nothing.
    """

    within: Lasting = timedelta(seconds=60)
    flag: str = ""
    views: str = ""
    repository: str = "GOLIVE_APP_REPO"
    commit: str = ""
    branch: str = ""
    deploy: str = ""
    max_age: Lasting = DAY


@dataclass(frozen=True, config=STRICT, kw_only=True)
class MessageRules:
    """In which languages messages are written, and where they go: a name, and the variable that holds its address.

    Such a variable is named GOLIVE_NOTIFY_…, so that its value is known for a secret wherever it may turn up.
    """

    languages: Annotated[tuple[Language, ...], Field(min_length=1)] = ("en",)
    targets: dict[TargetName, Variable] = field(default_factory=dict)


@dataclass(frozen=True, config=STRICT, kw_only=True)
class ChecklistRules:
    """How old the evidence of an item may be when the launch begins, and for how long after it."""

    max_age: Lasting = DAY


@dataclass(frozen=True, config=STRICT, kw_only=True)
class AftercareRules:
    """The hours before the report that it judges, and its limits.

    A payment pending for longer than ``pending_after`` has grown old. Red is a share of bookings paid that is proven to
    have dropped by more than ``conversion_drop``. A reader talks for less than ``idle`` or more than ``overloaded`` of
    the hours they offer; at most ``unmet`` of those who ask for a reader may find none. ``recordings`` are drawn with
    ``seed``, so that the same ones come again.
    """

    window: Lasting = DAY
    pending_after: Lasting = timedelta(hours=1)
    conversion_drop: Share = 0.05
    idle: Share = 0.05
    overloaded: Share = 0.85
    unmet: Share = 0.05
    recordings: Annotated[int, Field(gt=0, le=10_000)] = 60
    seed: int = 1


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Scheduled:
    """How often a notebook runs by itself: the canary while a stage lasts, any other always."""

    every: Lasting
