"""The story of a launch: told in order, each thing once, and drawn as it is told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from past import DATABASE, OVER, PLAN, Past

from golive_lib import checklist_views, history
from golive_lib.grid import COLOURS, Link
from golive_lib.launch import open_launch
from golive_lib.records import RUN
from golive_lib.show import table
from golive_lib.story import tell
from golive_lib.story_charts import NOTHING, timeline
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from pathlib import Path

    from golive_lib.demo import DemoDatabase
    from golive_lib.story import Story

BEIRUT = ZoneInfo("Asia/Beirut")


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """Give a launch in which nothing has happened yet."""
    return Past(tmp_path)


def told(past: Past, now: str = OVER) -> Story:
    """Tell the story until a moment."""
    return tell(past.plan, history.read(past.outputs, PLAN.name, DATABASE, datetime.fromisoformat(now)))


def back_at_25(past: Past) -> Past:
    """Live through a launch that is rolled back at 25 %."""
    past.readiness()
    past.rehearsal()
    past.stage(10)
    past.stage(25, "rollback", hours=3)
    past.rollback("2026-03-24T13:02:00+00:00", "begun")
    past.rollback("2026-03-24T13:02:00+00:00")
    sent = [{"target": "release", "ok": False, "said": "refused"}]
    past.add("message", "2026-03-24T13:04:00+00:00", kind="escalation", languages=["en"], files={}, sent=sent)
    return past


def words(story: Story) -> list[tuple[str, str, str]]:
    """Return what happened, what it decided and its status."""
    return [(event.what, event.word, event.status.value) for event in story.events]


def test_a_launch_that_was_rolled_back(past: Past) -> None:
    """Everything is told in the order of the launch's clock, then of the ledger, a rollback once."""
    assert words(told(back_at_25(past))) == [
        ("Readiness", "Go", "green"),
        ("Rehearsal", "Go", "green"),
        ("Stage 10 %", "Promote", "green"),
        ("Stage 25 %", "Roll back", "red"),
        ("Rollback, level 1", "Rolled back", "red"),
        ("Message: escalation", "Not sent", "amber"),
    ]
    summary = timeline(told(past), BEIRUT).summary
    assert summary == (
        "1 of 4 stages was promoted, the last (10 %) judged until 24 Mar 2026, 12:00 Beirut; 25 %: roll back. "
        "Rolled back once at 24 Mar 2026, 15:02 Beirut by Karim: verified, 2.13 s from the command."
    )


def test_order_is_the_launchs_clock_not_the_ledgers(past: Past) -> None:
    """What was judged later of an earlier moment stands where it belongs."""
    past.stage(25)
    past.stage(10)
    assert [event.row for event in told(past).events] == ["10 %", "25 %"]


NEWER: dict[str, dict[str, Any]] = {
    "a verdict": {"verdict": "pause"},
    "a status": {"status": "violet"},
    "a field": {"colour": "blue"},
    "a schema": {"schema": 99, "facts": {"stage": "all", "started_at": "soon", "items": []}},
}


@pytest.mark.parametrize("case", NEWER)
def test_what_a_newer_golive_wrote_is_told_and_proves_nothing(past: Past, case: str) -> None:
    """A record with what this version does not know is listed as unknown, and nothing is ticked from it."""
    for made in (past.readiness(), past.stage(10)):
        past.whole_record(made, **NEWER[case])
    newer = [event for event in told(past).events if "Written by a newer golive" in event.said]
    assert {(event.what.split()[0], event.word, event.status) for event in newer} == {
        ("Readiness", "Unknown", Status.UNKNOWN),
        ("Stage" if case != "a schema" else "Canary", "Unknown", Status.UNKNOWN),
    }
    assert [item.key for item in past.list().items if item.ticked] == (["canary_10"] if case == "a schema" else [])
    assert timeline(told(past), BEIRUT).summary


def test_a_record_that_cannot_be_read_is_told(past: Past) -> None:
    """A run of this launch whose record lacks what every run has is neither green nor left out."""
    past.add(RUN, OVER, judged_at=OVER, verdict="go", status="green")
    assert [(event.word, event.status) for event in told(past).events] == [("Unknown", Status.UNKNOWN)]


def test_repeated_judgements_are_told_once(past: Past) -> None:
    """Looks at one stage that decided the same are one, with their number; another decision or attempt is told."""
    for hours in (0.5, 1, 1.5):
        past.stage(10, "continue", hours=hours)
    past.stage(10)
    past.stage(10, "promote", started="2026-03-24T20:00:00+00:00")
    assert [(event.word, event.count) for event in told(past).events] == [
        ("Continue", 3),
        ("Promote", 1),
        ("Promote", 1),
    ]
    launch_view = checklist_views.events(told(past), _launch(past))
    assert "Stage 10 % (3 runs)" in launch_view.text


def _launch(past: Past) -> Any:  # noqa: ANN401  what a view needs of a launch
    return type("Zoned", (), {"zone": ZoneInfo(past.plan.timezone)})()


def test_reports_hours_apart_are_told_apart(past: Past) -> None:
    """Two reports with something between them are two things that happened."""
    past.run("rls", "2026-03-24T07:00:00+00:00", "go")
    past.stage(10)
    past.run("rls", OVER, "go")
    past.run("rls", OVER, "go")
    assert [(event.what, event.count) for event in told(past).events] == [("RLS", 1), ("Stage 10 %", 1), ("RLS", 2)]


def test_the_checklist_is_not_part_of_the_story(past: Past) -> None:
    """Looking at the list is nothing that happened to the launch."""
    past.run("checklist", OVER, "hold", status="amber")
    assert (told(past).events, timeline(told(past), BEIRUT).summary) == ((), NOTHING)


@pytest.mark.parametrize(
    ("state", "word", "status", "counts"),
    [
        ("done", "Rolled back", Status.RED, True),
        ("unknown", "Unknown", Status.UNKNOWN, True),
        ("begun", "Begun", Status.UNKNOWN, True),
        ("failed", "Failed", Status.UNKNOWN, False),
    ],
)
def test_how_a_rollback_ended(past: Past, state: str, word: str, status: Status, counts: bool) -> None:
    """One that failed is told and is no rollback; one that nobody knows the end of may be."""
    past.rollback(OVER, state)
    (event,) = told(past).events
    assert (event.word, event.status, event.back) == (word, status, counts)


@pytest.mark.parametrize(
    ("sent", "word", "status"),
    [
        ([{"target": "release", "ok": True}], "Sent", Status.GREEN),
        ([{"target": "release", "ok": True}, {"target": "mail", "ok": False}], "Sent", Status.AMBER),
        ([{"target": "mail", "ok": False}], "Not sent", Status.AMBER),
        ([], "Written", Status.UNKNOWN),
    ],
)
def test_what_became_of_a_message(past: Past, sent: list[dict[str, object]], word: str, status: Status) -> None:
    """A message that did not reach everybody is amber, and one that nobody sent is not green."""
    past.add("message", OVER, kind="success", languages=["en"], files={}, sent=sent)
    (event,) = told(past).events
    assert (event.word, event.status) == (word, status)


def test_ticks_and_what_was_taken_back(past: Past) -> None:
    """A tick is told with who and why."""
    past.tick("recordings")
    past.tick("recordings", done=False)
    assert [(event.word, event.by, event.said) for event in told(past).events] == [
        ("Ticked", "Rima", "looked at"),
        ("Taken back", "Rima", "looked at"),
    ]


def test_a_hold_for_want_of_data_is_unknown(past: Past) -> None:
    """A stage that could not be judged is not drawn as one that waits."""
    facts = {"stage": 10.0, "started_at": "2026-03-24T08:00:00+00:00"}
    past.run("canary", OVER, "hold", status="unknown", facts=facts)
    assert words(told(past)) == [("Stage 10 %", "Hold", "unknown")]


def test_a_stage_that_is_no_longer_planned_is_still_told(past: Past) -> None:
    """What happened is drawn even where the plan has changed."""
    past.stage(25)
    past.plan = replace(PLAN, stages=(PLAN.stages[0], PLAN.stages[3]))
    chart = timeline(told(past), BEIRUT).figure
    assert list(chart.layout.yaxis.categoryarray) == ["10 %", "100 %", "25 %"]


def test_the_figure(past: Past) -> None:
    """The planned spans, how far each stage was judged, the marks and the line of the rollback, as drawn."""
    figure = json.loads(timeline(told(back_at_25(past)), BEIRUT).figure.to_json())
    traces = [
        {"mode": one["mode"], "x": one["x"], "y": one["y"], "colour": (one.get("line") or one["marker"])["color"]}
        for one in figure["data"]
    ]
    green, red, amber = (COLOURS[status] for status in (Status.GREEN, Status.RED, Status.AMBER))
    day = "2026-03-24 "
    assert traces[0] == {
        "mode": "lines",
        "x": [
            *(f"{day}10:00:00", f"{day}12:00:00", None),
            *(f"{day}12:00:00", f"{day}16:00:00", None),
            *(f"{day}16:00:00", "2026-03-25 00:00:00", None),
            *("2026-03-25 00:00:00", "2026-03-26 00:00:00", None),
        ],
        "y": [cell for row in ("10 %", "25 %", "50 %", "100 %") for cell in (row, row, None)],
        "colour": "rgba(121,129,141,0.30)",
    }
    assert traces[1:3] == [
        {"mode": "lines", "x": [f"{day}10:00:00", f"{day}12:00:00", None], "y": ["10 %"] * 2 + [None], "colour": green},
        {"mode": "lines", "x": [f"{day}12:00:00", f"{day}15:00:00", None], "y": ["25 %"] * 2 + [None], "colour": red},
    ]
    assert [(one["y"], one["colour"]) for one in traces[3:]] == [
        (["Reports", "Rollback", "10 %"], green),
        (["Messages"], amber),
        (["25 %", "Rollback"], red),
    ]
    layout = figure["layout"]
    assert layout["yaxis"]["categoryarray"] == ["Reports", "10 %", "25 %", "50 %", "100 %", "Rollback", "Messages"]
    assert [(shape["x0"], shape["line"]["color"]) for shape in layout["shapes"]] == [(f"{day}15:02:00", red)]
    assert layout["xaxis"]["title"]["text"] == "time (Beirut)"


def test_every_status_has_a_shape_of_its_own(past: Past) -> None:
    """Colour is not all that tells marks apart."""
    past.stage(10)
    past.stage(25, "hold")
    past.stage(50, "rollback")
    past.rollback(OVER, "unknown")
    marks = [one.marker.symbol for one in timeline(told(past), BEIRUT).figure.data if one.mode == "markers"]
    assert len(set(marks)) == 4


def test_the_axis_is_utc_where_the_clocks_change(past: Past) -> None:
    """A launch over such a night runs forwards, and the axis says why it is UTC."""
    past.tick("success", "2026-03-30T00:00:00+00:00")
    chart = timeline(told(past, "2026-03-30T00:00:00+00:00"), BEIRUT)
    assert chart.figure.layout.xaxis.title.text == "time (UTC: the clocks change in Beirut)"


def test_what_people_wrote_is_no_markup(past: Past) -> None:
    """A note is shown as it is written, masked, in the table and in the figure."""
    past.add("tick", OVER, item="success", by="<b>R</b>", note="<img src=x> to rima@shop.example", done=True)
    story = told(past)
    assert "<img" not in checklist_views.events(story, _launch(past)).markup
    assert "&lt;img src=x> to r…@shop.example" in timeline(story, BEIRUT).figure.data[-1].text[0]
    assert "<b>R" not in timeline(story, BEIRUT).figure.data[-1].text[0]


@pytest.mark.parametrize(
    "to",
    ["https://x.example/", "//x.example", "javascript:alert(1)", "/etc/passwd", "../../x", "a\\b", "", "a b", 'a"b'],
)
def test_a_link_leads_nowhere_else(to: str) -> None:
    """Only a file beside the page, or in the folder of another run, can be linked."""
    with pytest.raises(ValueError, match="a link leads to a file beside the page"):
        Link("words", to)


def test_links_in_a_table() -> None:
    """A cell leads to its file on a page, stacked on a phone or not, and says where in a terminal."""
    frame = pd.DataFrame(
        {"what": ["x" * 60, "y"], "why": ["z" * 60, "y"], "seen in": [Link("a<b", "../run/x.html"), None]}, dtype=object
    )
    shown = table(frame, caption="Links")
    assert "gl-stack" in shown.markup
    assert '<a href="../run/x.html">a&lt;b</a>' in shown.markup
    assert "a<b (../run/x.html)" in shown.text


def test_an_empty_story_is_told(past: Past, healthy: DemoDatabase) -> None:
    """Where nothing happened the page says so."""
    assert checklist_views.events(told(past), open_launch(healthy.url)).text == "Nothing has happened yet."
