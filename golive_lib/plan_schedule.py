"""What a launch plan says about the runs that start by themselves."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from golive_lib.plan_types import STRICT, Lasting


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Scheduled:
    """How often a notebook runs by itself: the canary while a stage lasts, any other always."""

    every: Lasting
