"""A stage's verdict from its items, and the words for what is missing."""

from __future__ import annotations

import math

import pytest

from golive_lib.stage import Item, judge_stage, still_needed
from golive_lib.verdicts import Status, Verdict

GREEN = Item("API", Status.GREEN, "within the limit")
AMBER = Item("calls", Status.AMBER, "12 of at least 20 events", needed=8, per_minute=0.2, noun="calls")
UNKNOWN = Item("sirens", Status.UNKNOWN, "silent")
RED = Item("errors", Status.RED, "proven over the limit")


@pytest.mark.parametrize(
    ("items", "soak_over", "verdict"),
    [
        ([GREEN], True, Verdict.PROMOTE),
        ([GREEN], False, Verdict.CONTINUE),
        ([GREEN, AMBER], True, Verdict.HOLD),
        ([GREEN, AMBER], False, Verdict.CONTINUE),
        ([GREEN, UNKNOWN], True, Verdict.HOLD),
        ([GREEN, UNKNOWN, AMBER, RED], True, Verdict.ROLLBACK),
        ([GREEN, RED], False, Verdict.ROLLBACK),
        ([], True, Verdict.HOLD),
        ([], False, Verdict.HOLD),
    ],
)
def test_stage_verdict(items: list[Item], soak_over: bool, verdict: Verdict) -> None:
    """Red at any time rolls back, only all green at the end promotes, and nothing watched is nothing known."""
    assert verdict == judge_stage(items, soak_over=soak_over).verdict


def test_a_hold_says_what_is_missing() -> None:
    """The reasons name the KPI, the events it needs and about how long they take."""
    expected = (
        "calls: 12 of at least 20 events; ≈ 8 more calls, about 40 minutes at this rate",
        "sirens: silent",
    )
    assert expected == judge_stage([GREEN, AMBER, UNKNOWN], soak_over=True).reasons


def test_what_several_share_is_said_once() -> None:
    """Whatever lacks for the same reason is named before it, in its order; another reason stands alone."""
    silent = [Item(name, Status.UNKNOWN, "no such archive") for name in ("API", "errors")]
    later = Item("calls", Status.UNKNOWN, "no such archive")
    expected = ("API, errors, calls: no such archive", "sirens: silent")
    assert expected == judge_stage([*silent, UNKNOWN, later], soak_over=True).reasons


def test_what_more_is_needed_of_is_not_shared() -> None:
    """The same words about other numbers of events are other reasons."""
    more = [Item("API", Status.AMBER, "too few", needed=1), Item("calls", Status.AMBER, "too few", needed=2)]
    assert len(judge_stage(more, soak_over=True).reasons) == len(more)


def test_a_rollback_says_what_is_red_and_nothing_else() -> None:
    """What is merely amber is no reason to roll back."""
    assert judge_stage([RED, AMBER], soak_over=True).reasons == ("errors: proven over the limit",)


@pytest.mark.parametrize(
    ("needed", "per_minute", "text"),
    [
        (40, 0.5, "≈ 40 more calls, about 80 minutes at this rate"),
        (1, 2.0, "≈ 1 more calls, about 1 minute at this rate"),
        (1500, 0.5, "≈ 1,500 more calls, about 50 hours at this rate"),
        (40, 0.0, "≈ 40 more calls, at no known rate"),
        (40, None, "≈ 40 more calls, at no known rate"),
    ],
)
def test_still_needed(needed: int, per_minute: float | None, text: str) -> None:
    """Events and time in words; without a rate there is no time to give."""
    assert text == still_needed(needed, per_minute, "calls")


@pytest.mark.parametrize(
    ("needed", "per_minute", "offender"), [(-1, 1.0, "-1"), (1, -1.0, "-1.0"), (1, math.nan, "nan")]
)
def test_still_needed_refuses_what_cannot_be(needed: int, per_minute: float, offender: str) -> None:
    """Negative events and rates are errors with their value."""
    with pytest.raises(ValueError, match=f"got {offender}"):
        still_needed(needed, per_minute)
