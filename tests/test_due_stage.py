"""The daily zodiac inside a stage: arrived, late, missed, pending, or nobody can say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import pytest
from plant import change

from golive_lib import Status, Verdict, open_launch
from golive_lib.canary import StageResult, judge_now
from golive_lib.due import DueState

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.demo import DemoDatabase
    from golive_lib.due_events import DueResult

    Clone = Callable[[], DemoDatabase]

PLAN = Path(__file__).parents[1] / "launch.toml"
ONE: LiteralString = "day = '2026-03-25' and sign = 'leo'"  # due at 05:00Z, in the 100 % stage
LATE: LiteralString = f"update daily_zodiac set audio_ready_at = '2026-03-25 05:10Z' where {ONE}"
TOO_LATE: LiteralString = f"update daily_zodiac set audio_ready_at = '2026-03-25 05:30:01Z' where {ONE}"
NO_FILE: LiteralString = f"update daily_zodiac set audio_path = null where {ONE}"
NO_ROWS: LiteralString = "delete from daily_zodiac where day = '2026-03-25'"
LOOK_ALIKES: list[LiteralString] = [
    f"update daily_zodiac set audio_ready_at = '2026-03-25 05:00Z' where {ONE}",
    "delete from daily_zodiac where day <> '2026-03-25'",
    "update daily_zodiac set audio_path = null where day <> '2026-03-25'",
]


def judged(demo: DemoDatabase, percent: float = 100, **when: str) -> tuple[StageResult, DueResult]:
    """Judge a stage and return it with its zodiac."""
    result = judge_now(open_launch(demo.url, plan=PLAN), percent, **when)
    return result, result.dues[0]


def state(due: DueResult) -> DueState | None:
    """Return where a due event stands."""
    return due.judgement.state if due.judgement else None


def test_complete_zodiac_is_green(healthy: DemoDatabase) -> None:
    """Twelve files before seven in Beirut: arrived, in this soak."""
    _, due = judged(healthy)
    assert (due.status, due.reason) == (Status.GREEN, "arrived: 12 of 12 for 07:00 Asia/Beirut of 2026-03-25")


@pytest.mark.parametrize("statement", LOOK_ALIKES)
def test_look_alike_is_green(clone: Clone, statement: LiteralString) -> None:
    """Ready on the minute, and whatever other days lack."""
    demo = clone()
    change(demo, statement)
    assert judged(demo)[1].status is Status.GREEN


@pytest.mark.parametrize(
    ("statement", "found", "status", "verdict"),
    [
        (LATE, DueState.LATE, Status.AMBER, Verdict.HOLD),
        (TOO_LATE, DueState.MISSED, Status.RED, Verdict.ROLLBACK),
        (NO_FILE, DueState.MISSED, Status.RED, Verdict.ROLLBACK),
        (NO_ROWS, DueState.MISSED, Status.RED, Verdict.ROLLBACK),
    ],
)
def test_zodiac_that_did_not_come_in_time_is_not_green(
    clone: Clone, statement: LiteralString, found: DueState, status: Status, verdict: Verdict
) -> None:
    """Late holds, missed rolls back, and a day without any row is missed."""
    demo = clone()
    change(demo, statement)
    result, due = judged(demo)
    assert (state(due), due.status, result.outcome.verdict) == (found, status, verdict)


def test_day_without_rows_says_so(clone: Clone) -> None:
    """A day without a row is missed like one without a file; a table without any says nothing."""
    demo = clone()
    change(demo, NO_ROWS)
    assert judged(demo)[1].status is Status.RED
    change(demo, "delete from daily_zodiac")
    due = judged(demo)[1]
    assert (due.status, due.reason.startswith("no audio files of 2026-03-25 or the week before it")) == (
        Status.UNKNOWN,
        True,
    )


def test_zodiac_within_its_grace_is_pending(clone: Clone) -> None:
    """Ten minutes past seven with one file missing: amber, and the soak goes on."""
    demo = clone()
    change(demo, NO_FILE)
    result, due = judged(demo, as_of="2026-03-25T05:10:00Z")
    assert (state(due), due.status, result.outcome.verdict) == (DueState.PENDING, Status.AMBER, Verdict.CONTINUE)


def test_soak_that_crosses_no_seven_judges_the_latest_before_it(healthy: DemoDatabase) -> None:
    """The 25 % stage sees no morning: that day's zodiac was due before it, and it says so."""
    _, due = judged(healthy, 25)
    reason = "arrived: 12 of 12 for 07:00 Asia/Beirut of 2026-03-24, due before this soak began"
    assert (due.status, due.reason) == (Status.GREEN, reason)


def test_table_that_is_gone_is_unknown(clone: Clone) -> None:
    """The zodiac cannot be asked; the KPIs are judged."""
    demo = clone()
    before, _ = judged(demo)
    change(demo, "drop table daily_zodiac cascade")
    result, due = judged(demo)
    assert (due.status, due.judgement) == (Status.UNKNOWN, None)
    assert due.reason.startswith('table missing: relation "public.daily_zodiac" does not exist')
    assert [one.status for one in result.kpis] == [one.status for one in before.kpis]


def test_times_without_a_zone_are_unknown(clone: Clone) -> None:
    """Seven o'clock where? Nobody can say, so it is not green."""
    demo = clone()
    change(
        demo,
        "alter table daily_zodiac alter audio_ready_at type timestamp using audio_ready_at at time zone 'UTC'",
    )
    _, due = judged(demo)
    assert (due.status, due.reason) == (Status.UNKNOWN, "'ready_at' has no time zone; cast it in the source")


def test_file_made_again_counts_by_its_first_time(clone: Clone) -> None:
    """A sign with two rows arrived when the first of them did, whichever the table holds last."""
    demo = clone()
    change(
        demo,
        "alter table daily_zodiac drop constraint daily_zodiac_sign_day_key",
        "insert into daily_zodiac (sign, day, audio_path, audio_ready_at) "
        "values ('leo', '2026-03-25', 'again.mp3', '2026-03-25 09:00Z')",
    )
    _, due = judged(demo)
    assert (due.status, state(due)) == (Status.GREEN, DueState.ARRIVED)


def test_miss_before_the_stage_holds_and_rolls_nothing_back(clone: Clone) -> None:
    """The canary cannot have caused it, and rolling back cannot undo it."""
    demo = clone()
    change(demo, "update daily_zodiac set audio_path = null where day = '2026-03-24' and sign = 'leo'")
    _, due = judged(demo, 50)
    assert (state(due), due.status) == (DueState.MISSED, Status.AMBER)


def test_miss_is_not_undone_by_the_next_day(clone: Clone) -> None:
    """Every day within the stage counts, the worst decides."""
    demo = clone()
    change(
        demo,
        "do $$ begin execute format('alter database %I set golive.now = %L', current_database(), "
        "'2026-03-26 06:00Z'); end $$",
        "update daily_zodiac set audio_path = null where day = '2026-03-25' and sign = 'leo'",
        "insert into daily_zodiac (sign, day, audio_path, audio_ready_at) "
        "select sign, day + 1, 'x', audio_ready_at + interval '1 day' from daily_zodiac where day = '2026-03-25'",
    )
    assert judged(demo)[1].status is Status.RED
