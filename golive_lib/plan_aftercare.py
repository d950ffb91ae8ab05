"""What a launch plan says about the day after: the hours looked at, and what counts as old, idle or overloaded."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from golive_lib.plan_types import STRICT, Lasting, Share


@dataclass(frozen=True, config=STRICT, kw_only=True)
class AftercareRules:
    """The hours before the report that it judges, and its limits.

    A payment pending for longer than ``pending_after`` has grown old. Red is a share of bookings paid that is proven to
    have dropped by more than ``conversion_drop``. A reader talks for less than ``idle`` or more than ``overloaded`` of
    the hours they offer; at most ``unmet`` of those who ask for a reader may find none. ``recordings`` are drawn with
    ``seed``, so that the same ones come again.
    """

    window: Lasting = timedelta(days=1)
    pending_after: Lasting = timedelta(hours=1)
    conversion_drop: Share = 0.05
    idle: Share = 0.05
    overloaded: Share = 0.85
    unmet: Share = 0.05
    recordings: Annotated[int, Field(gt=0, le=10_000)] = 60
    seed: int = 1
