"""The checklist: every item is ticked by its own evidence alone, and what only looks like it ticks nothing."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from past import EVE, OVER, PLAN, READY, RLS_FILES, Past

from golive_lib import checklist, checklist_views
from golive_lib.checklist_parts import AFTER, BEFORE, CANARY
from golive_lib.errors import QueryError, UsageError
from golive_lib.launch import Launch, open_launch
from golive_lib.ledger import LEDGER, Ledger
from golive_lib.plan_night import MessageRules
from golive_lib.records import JUDGED
from golive_lib.settings import OUTPUTS
from golive_lib.verdicts import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.checklist import Checklist
    from golive_lib.checklist_items import Item
    from golive_lib.demo import DemoDatabase

STAGES = ("canary_10", "canary_25", "canary_50", "canary_100")
DONE = ("artifacts", "health", "funnel", "utilization", "recordings", "performance", "success")
EVERYTHING = [*READY, "rollback", *STAGES, *DONE]


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """Give a launch in which nothing has happened yet."""
    return Past(tmp_path)


def item(checklist_: Checklist, key: str) -> Item:
    """Return an item by its key."""
    return next(each for each in checklist_.items if each.key == key)


def ticked(checklist_: Checklist) -> list[str]:
    """Name what is ticked."""
    return [each.key for each in checklist_.items if each.ticked]


def test_a_launch_that_is_whole_is_done(past: Past) -> None:
    """Every item of the three lists is ticked, each with its evidence."""
    found = past.whole().list()
    assert ticked(found) == EVERYTHING
    assert found.outcome.verdict is Verdict.GO
    assert found.outcome.sentence == "All 21 items are ticked: the launch is done."
    assert [each.key for each in found.items if not (each.evidence or each.record)] == []
    assert [len(found.part(name)) for name in (BEFORE, CANARY, AFTER)] == [10, 4, 7]


def test_nothing_is_ticked_in_an_empty_folder(past: Past) -> None:
    """All is open, and the first thing to do is said."""
    found = past.list(EVE)
    assert ticked(found) == []
    assert (found.outcome.verdict, found.outcome.status) == (Verdict.HOLD, Status.UNKNOWN)
    assert found.outcome.sentence == "0 of 21 items are ticked. Next: 'golive readiness --prepare' (Secrets)."
    assert {each.next for each in found.items} == {
        "golive readiness --prepare", "golive rollback --rehearse", "golive canary --stage 10", "",
    }  # fmt: skip


OPEN: dict[str, tuple[str, Status, str, Callable[[Past], object]]] = {
    "an item of readiness is red": (
        "isolation", Status.RED, "isolation is red", lambda p: p.readiness(isolation="red"),
    ),
    "the newest readiness is red": (
        "flags", Status.RED, "flags is red", lambda p: p.readiness("2026-03-24T07:30:00+00:00", flags="red"),
    ),
    "an item of readiness is unknown": (
        "contracts", Status.UNKNOWN, "contracts is unknown", lambda p: p.readiness(contracts="unknown"),
    ),
    "the rehearsal found a collision": (
        "rollback", Status.RED, "Levels 1 and 2", lambda p: p.rehearsal(verdict="no-go"),
    ),
    "the rehearsal says nothing": ("rollback", Status.UNKNOWN, "Levels 1 and 2", lambda p: p.rehearsal(verdict="")),
    "readiness saw since that the rehearsal does not hold": (
        "rollback", Status.RED, "rollback is red", lambda p: p.readiness(rollback="red"),
    ),
    "a stage is not over": ("canary_100", Status.AMBER, "continue", lambda p: p.stage(100, "continue", hours=25)),
    "a stage is held": ("canary_100", Status.AMBER, "hold", lambda p: p.stage(100, "hold", hours=25)),
    "a stage is red": ("canary_100", Status.RED, "rollback", lambda p: p.stage(100, "rollback", hours=25)),
    "a stage was judged by another plan": (
        "canary_25", Status.AMBER, "another plan", lambda p: p.stage(25, plan="0" * 64),
    ),
    "the day after is red": ("funnel", Status.RED, "funnel is red", lambda p: p.care(funnel="red")),
    "events stopped": ("health", Status.AMBER, "flow is amber", lambda p: p.care(flow="amber")),
    "the recordings are red, whoever ticked": (
        "recordings", Status.RED, "recordings is red", lambda p: p.care(recordings="red"),
    ),
    "a tick was taken back": (
        "recordings", Status.AMBER, "somebody must listen", lambda p: p.tick("recordings", done=False),
    ),
    "a ticket is due and nobody filed it": (
        "performance", Status.AMBER, "a ticket is due",
        lambda p: p.care(performance="amber", files={"ticket.md": "# slow"}),
    ),
    "the RLS report came without its CSV": (
        "artifacts", Status.UNKNOWN, "without its csv",
        lambda p: p.run("rls", OVER, "go", files={JUDGED: "{}"}),
    ),
    "the RLS report is red": (
        "artifacts", Status.RED, "said no-go", lambda p: p.run("rls", OVER, "no-go", status="red", files=RLS_FILES),
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", OPEN)
def test_fault_opens_its_item_alone(past: Past, fault: str) -> None:
    """Of a launch that was whole one item is open, says why, and what to type."""
    key, status, said, plant = OPEN[fault]
    plant(past.whole())
    found = past.list("2026-03-26T00:00:00+00:00")
    assert [each.key for each in found.open] == [key]
    assert item(found, key).status is status
    assert said in item(found, key).seen
    assert item(found, key).next.startswith("golive ")
    assert found.outcome.verdict is (Verdict.NO_GO if status is Status.RED else Verdict.HOLD)


LOOK_ALIKES: dict[str, Callable[[Past], object]] = {
    "another launch's readiness": lambda p: p.run("readiness", OVER, "no-go", status="red", launch="another"),
    "a stage of another database": lambda p: p.stage(100, "rollback", database="shop on other.example as golive_ro"),
    "a run that names no launch": lambda p: p.stage(100, "rollback", launch=""),
    "another launch's rollback": lambda p: replace_base(p, launch="another").rollback(OVER),
    "another launch's tick": lambda p: replace_base(p, launch="another").tick("success", done=False),
    "a rollback that failed": lambda p: p.rollback(OVER, "failed"),
    "a stage that crashed": lambda p: p.stage(100, "promote", judged_at=None, error="it crashed"),
    "an older look at a stage": lambda p: p.stage(100, "continue", hours=3),
    "the same database by another login": lambda p: p.stage(100, database="shop on db.example as analyst"),
    "the stage looked at for longer": lambda p: p.stage(100, hours=25),
    "an earlier stage looked at beyond its soak": lambda p: p.stage(10, hours=9),
    "an earlier look at a stage while the one before it went on": lambda p: p.stage(
        25, "continue", started="2026-03-24T09:00:00+00:00", hours=1
    ),
    "a tick on what the kit ticks": lambda p: p.tick("secrets", done=False),
    "a record of another kind": lambda p: p.add("note", OVER, text="all is lost"),
    "a record without a time": lambda p: p.add("rollback", "", state="done"),
}


def replace_base(past: Past, **changed: str) -> Past:
    """Return the same past seen from elsewhere."""
    return replace(past, base=past.base | changed)


@pytest.mark.parametrize("case", LOOK_ALIKES)
def test_look_alike_opens_nothing(past: Past, case: str) -> None:
    """What is another's, older, or nothing at all leaves a whole launch whole."""
    LOOK_ALIKES[case](past.whole())
    assert ticked(past.list("2026-03-26T00:00:00+00:00")) == EVERYTHING


@pytest.mark.parametrize(
    "foreign", [{"launch": "another"}, {"launch": ""}, {"database": "shop on other.example as golive_ro"}]
)
def test_what_is_anothers_ticks_nothing(past: Past, foreign: dict[str, Any]) -> None:
    """Green runs of another launch or database are no evidence."""
    past.stage(10, **foreign)
    past.run("readiness", EVE, "go", facts={"items": dict.fromkeys(READY, "green")}, **foreign)
    assert ticked(past.list()) == []


def test_evidence_ages_until_the_first_stage_begins(past: Past) -> None:
    """What is a day old then is stale for ever; a minute younger is not."""
    past.readiness("2026-03-23T08:00:00+00:00")
    assert ticked(past.list()) == [*READY]
    stale = Past(past.outputs / "stale")
    stale.readiness("2026-03-23T07:59:00+00:00")
    found = item(stale.list(), "secrets")
    assert (found.status, found.stale) == (Status.AMBER, True)
    assert "24 h 1 min old when the first stage began" in found.seen.replace("\N{NO-BREAK SPACE}", " ")


def test_evidence_ages_until_now_before_the_launch(past: Past) -> None:
    """Before the first stage an item grows stale by the clock, and a new run mends it."""
    past.readiness("2026-03-22T07:00:00+00:00")
    assert "secrets" in ticked(past.list("2026-03-23T07:00:00+00:00"))
    assert "old now" in item(past.list("2026-03-23T07:01:00+00:00"), "secrets").seen
    past.readiness("2026-03-23T07:01:00+00:00")
    assert "secrets" in ticked(past.list("2026-03-23T07:01:00+00:00"))


def test_what_is_proven_late_counts_and_says_so(past: Past) -> None:
    """A readiness after the first stage began ticks, with a remark."""
    past.readiness("2026-03-24T09:00:00+00:00")
    assert item(past.list(), "flags").ticked
    assert "proven after the first stage began" in item(past.list(), "flags").seen


def test_the_list_as_it_stood(past: Past) -> None:
    """At an earlier moment later records count for nothing."""
    found = past.whole().list("2026-03-24T11:00:00+00:00")
    assert ticked(found) == [*READY, "rollback", "canary_10"]
    assert found.history.later == 7
    assert "7 records lie past this moment" in checklist_views.faults(found).text
    assert found.outcome.sentence.endswith(
        "Next: 'golive canary --stage 25' (25 % green for 4 h).".replace("4 h", "4\N{NO-BREAK SPACE}h")
    )


def test_a_short_soak_is_not_green(past: Past) -> None:
    """A promotion that was watched for less than the plan asks ticks nothing."""
    past.stage(10, hours=1.5)
    found = item(past.list(), "canary_10")
    assert found.status is Status.AMBER
    assert "1 h 30 min, of the 2 h" in found.seen.replace("\N{NO-BREAK SPACE}", " ")


def test_readiness_judged_by_another_plan_ticks_nothing(past: Past) -> None:
    """What was proven of other limits says nothing of these; what was red stays red, and a new run mends it."""
    past.readiness(plan="0" * 64, flags="red")
    before = {each.key: each for each in past.list().part(BEFORE)}
    assert (before["flags"].status, before["backup"].status) == (Status.RED, Status.AMBER)
    assert before["backup"].seen == "judged by another plan than today's; judge it again: backup is green"
    assert before["backup"].next == "golive readiness --prepare"
    past.readiness()
    assert ticked(past.list()) == [*READY]


@pytest.mark.parametrize(
    ("percent", "started", "said"),
    [
        (25, "2026-03-24T09:00:00+00:00", "11:00 Beirut, before the 10 % stage was over at 24 Mar 2026, 12:00 Beirut"),
        (50, "2026-03-24T07:00:00+00:00", "09:00 Beirut, before the 10 % stage was over at 24 Mar 2026, 12:00 Beirut"),
    ],
    ids=["overlapping", "out of order"],
)
def test_a_stage_does_not_begin_before_the_earlier_is_over(past: Past, percent: int, started: str, said: str) -> None:
    """Hours that were judged as another stage's are not this one's, whatever was green in them."""
    past.stage(10)
    past.stage(percent, started=started)
    found = item(past.list(), f"canary_{percent}")
    assert (found.status, said in found.seen) == (Status.AMBER, True), found.seen


def test_later_stages_wait_for_earlier_ones(past: Past) -> None:
    """Only the first stage that is open is to be typed."""
    past.stage(10)
    assert [(each.seen, each.next) for each in past.list().part(CANARY)[1:]] == [
        ("not judged yet", "golive canary --stage 25"),
        ("waits for the 25 % stage", ""),
        ("waits for the 25 % stage", ""),
    ]


def test_a_red_stage_is_to_be_rolled_back(past: Past) -> None:
    """Until it is, the rollback is what to type."""
    past.stage(10)
    past.stage(25, "rollback", hours=3)
    found = past.list()
    assert (item(found, "canary_25").status, item(found, "canary_25").next) == (Status.RED, "golive rollback --level 1")
    assert found.outcome.verdict is Verdict.NO_GO


@pytest.mark.parametrize("state", ["done", "unknown", "begun"])
def test_a_rollback_unticks_what_began_before_it(past: Past, state: str) -> None:
    """All stages are open, and the first is to be run again, until they are."""
    past.stage(10)
    past.stage(25, "rollback", hours=3)
    past.rollback("2026-03-24T13:10:00+00:00", state)
    found = past.list()
    assert [each.status for each in found.part(CANARY)] == [Status.AMBER, Status.RED, *[Status.UNKNOWN] * 2]
    assert [each.next for each in found.part(CANARY)] == ["golive canary --stage 10", "", "", ""]
    assert "rolled back since, by Karim" in item(found, "canary_10").seen
    past.stage(10, started="2026-03-24T20:00:00+00:00")
    assert ticked(past.list()) == ["canary_10"]
    past.stage(25, started="2026-03-24T22:00:00+00:00")
    assert ticked(past.list("2026-03-26T22:00:00+00:00")) == ["canary_10", "canary_25"]


def test_a_rollback_after_success_opens_the_launch_again(past: Past) -> None:
    """What was seen after a launch that is undone is not seen of the next."""
    past.whole().rollback(OVER)
    assert ticked(past.list()) == [*READY, "rollback"]
    assert {each.seen for each in past.list().part(AFTER)} == {"waits for the 100 % stage"}


def test_the_day_after_needs_its_day(past: Past) -> None:
    """What was looked at in the middle of the last stage is no day after it, and what was before it is nothing."""
    past.stages()
    past.care("2026-03-24T21:00:00+00:00")
    assert item(past.list(), "funnel").seen == "not looked at yet"
    past.care("2026-03-25T01:00:00+00:00")
    assert (item(past.list(), "funnel").status, item(past.list(), "health").next) == (Status.AMBER, "golive aftercare")
    past.care(OVER)
    assert "funnel" in ticked(past.list())


def test_a_tick_before_the_last_stage_counts_not(past: Past) -> None:
    """Nobody can have listened to what was not recorded yet."""
    past.stages()
    past.care()
    past.tick("recordings", "2026-03-24T12:00:00+00:00")
    assert item(past.list(), "recordings").next == "golive checklist tick recordings --by NAME --note …"


def test_a_ticket_is_ticked_by_a_person(past: Past) -> None:
    """One that is due is done when somebody says where it was filed."""
    past.whole().care(performance="amber", files={"ticket.md": "# slow"})
    assert item(past.list(), "performance").person
    past.tick("performance")
    assert item(past.list(), "performance").seen == "ticked by Rima: looked at"
    assert past.list().outcome.verdict is Verdict.GO


@pytest.mark.parametrize(
    ("sent", "status", "seen"),
    [
        ([{"target": "release", "ok": True, "said": ""}], Status.GREEN, "sent to release"),
        ([{"target": "release", "ok": False, "said": "refused"}], Status.AMBER, "written, and not sent"),
        ([], Status.AMBER, "written, and not sent"),
    ],
)
def test_success_is_told_where_the_plan_has_a_target(
    past: Past, sent: list[dict[str, object]], status: Status, seen: str
) -> None:
    """A message counts once it arrived anywhere; there a person's word counts for nothing."""
    past.plan = replace(PLAN, messages=MessageRules(targets={"release": "GOLIVE_NOTIFY_RELEASE"}))
    past.whole()
    assert (item(past.list(), "success").status, item(past.list(), "success").person) == (Status.UNKNOWN, False)
    past.add("message", OVER, kind="success", languages=["en"], run_id="", files={}, sent=sent)
    assert (item(past.list(), "success").status, item(past.list(), "success").seen) == (status, seen)


def test_another_message_is_no_success(past: Past) -> None:
    """A go that arrived says nothing of success."""
    past.stages()
    past.add("message", OVER, kind="go", languages=["en"], run_id="", files={}, sent=[{"target": "x", "ok": True}])
    assert item(past.list(), "success").status is Status.AMBER


@pytest.mark.parametrize("harm", ["edited", "gone"])
def test_figures_that_were_tampered_with_tick_nothing(past: Past, harm: str) -> None:
    """The items that rest on them are unknown and say so; the others stand, and the whole list holds."""
    ready = past.readiness()
    past.stage(10)
    figures = past.outputs / ready.run_id / JUDGED
    figures.write_text(figures.read_text().replace("green", "green ")) if harm == "edited" else figures.unlink()
    found = past.list()
    assert ticked(found) == ["canary_10"]
    assert (item(found, "secrets").status, harm in item(found, "secrets").seen) == (Status.UNKNOWN, True)
    assert found.outcome.sentence.startswith("The records are not as they were written: run ")
    assert item(found, "ledger").next == "golive ledger verify"


def test_what_is_red_stays_red_without_its_files(past: Past) -> None:
    """Removing a report makes nothing better."""
    runs = [past.readiness(flags="red"), past.stage(10, "rollback"), past.stage(100)]
    runs += [past.care(funnel="red"), past.run("rls", OVER, "no-go", status="red", files=RLS_FILES)]
    for run in runs:
        (past.outputs / run.run_id / f"{run.notebook}.html").unlink()
    red = [each.key for each in past.list().items if each.status is Status.RED]
    assert red == ["flags", "canary_10", "artifacts", "funnel"]


def test_a_report_without_figures_ticks_nothing(past: Past) -> None:
    """One of an older kit, which kept none, is unknown."""
    past.run("readiness", EVE, "go", facts={"items": dict.fromkeys(READY, "green")})
    assert {each.status for each in past.list().part(BEFORE)} == {Status.UNKNOWN}


def test_nothing_is_ticked_from_a_ledger_that_was_edited(past: Past) -> None:
    """Every item is unknown at best, and the fault is shown."""
    past.stage(10, "rollback")
    past.whole()
    path = past.outputs / LEDGER
    path.write_bytes(path.read_bytes().replace(b'"by": "Karim"', b'"by": "Kevin"'))
    found = past.list()
    assert ticked(found) == []
    assert {each.status for each in found.items} == {Status.UNKNOWN}
    assert "was edited" in checklist_views.faults(found).text
    assert found.outcome.verdict is Verdict.HOLD


def test_a_red_item_stays_red_in_a_ledger_that_was_edited(past: Past) -> None:
    """Tampering turns nothing red into less."""
    past.whole().stage(100, "rollback", hours=25)
    path = past.outputs / LEDGER
    path.write_bytes(path.read_bytes().replace(b'"by": "Karim"', b'"by": "Kevin"'))
    assert item(past.list("2026-03-26T00:00:00+00:00"), "canary_100").status is Status.RED


def test_a_line_that_is_no_record_ticks_nothing(past: Past) -> None:
    """Where the ledger cannot be read, nothing is known."""
    past.whole()
    path = past.outputs / LEDGER
    path.write_bytes(b"nonsense\n" + path.read_bytes())
    assert ticked(past.list()) == []
    assert "cannot be read" in past.list().outcome.sentence


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["stage", "red", "back", "again", "care", "tick", "untick"]), max_size=8))
def test_a_rollback_never_ticks(steps: list[str]) -> None:
    """Whatever happened before, a rollback leaves no stage and nothing after it ticked."""
    with TemporaryDirectory() as folder:
        past = Past(Path(folder))
        doing: dict[str, Callable[[], object]] = {
            "stage": past.stages,
            "red": lambda: past.stage(50, "rollback"),
            "back": lambda: past.rollback("2026-03-24T16:00:00+00:00"),
            "again": lambda: past.stage(10, started="2026-03-24T17:00:00+00:00"),
            "care": past.care,
            "tick": lambda: past.tick("recordings"),
            "untick": lambda: past.tick("recordings", done=False),
        }
        for step in steps:
            doing[step]()
        before = set(ticked(past.list()))
        past.rollback(OVER)
        assert set(ticked(past.list())) <= before - {*STAGES, *DONE}


def test_views_lead_to_the_evidence(past: Past) -> None:
    """Each item's report is linked from the folder of the checklist's own, and its age is said."""
    found = past.whole().list("2026-03-26T00:00:00+00:00")
    shown = checklist_views.part(found, CANARY)
    assert '<a href="../run2-canary/canary.html">canary</a>' in shown.markup
    assert "canary (../run2-canary/canary.html)" in shown.text
    assert "ledger record 2" in checklist_views.part(found, BEFORE).text
    assert "2\N{NO-BREAK SPACE}h" in checklist_views.part(found, AFTER).text
    assert "every item is ticked" in checklist_views.to_do(found).text
    assert "10 of 10" in checklist_views.progress(found).text
    assert "2\N{NO-BREAK SPACE}h, 25 % for 4" in checklist_views.rules(found).text


def test_views_say_what_to_type(past: Past) -> None:
    """What can be done now is listed with its command; what waits is not."""
    past.stage(10)
    shown = checklist_views.to_do(past.list()).text
    assert ("golive canary --stage 25" in shown, "golive canary --stage 50" in shown) == (True, False)
    assert "waits for" not in shown


@pytest.fixture
def launched(healthy: DemoDatabase, tmp_path: Path) -> tuple[Launch, Past]:
    """Give the healthy demo's launch, its last stage promoted and the day after looked at."""
    opened = open_launch(healthy.url)
    launch = Launch(opened.plan, opened.queries, opened.database, {OUTPUTS: str(tmp_path)})
    past = Past(tmp_path, base={"launch": PLAN.name, "database": str(launch.database.url)})
    past.stage(100)
    past.care()
    return launch, past


def test_a_person_ticks_and_takes_it_back(launched: tuple[Launch, Past]) -> None:
    """Both are recorded with who, when and why, masked, and the list follows."""
    launch, _ = launched
    entry = checklist.tick(launch, "recordings", by=" Rima ", note="60 heard,\nask rima@shop.example")
    assert {key: entry.data[key] for key in ("item", "by", "note", "done", "at", "launch")} == {
        "item": "recordings",
        "by": "Rima",
        "note": "60 heard, ask r…@shop.example",
        "done": True,
        "at": OVER,
        "launch": PLAN.name,
    }
    assert item(checklist.examine(launch), "recordings").ticked
    checklist.tick(launch, "recordings", by="Rima", note="one was silent", done=False)
    assert not item(checklist.examine(launch), "recordings").ticked


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown item": (
        {"key": "recording"},
        "there is no item 'recording'; a person may tick recordings, success",
    ),
    "an item that the kit ticks": (
        {"key": "funnel"},
        "funnel: the kit ticks it from its own records",
    ),
    "an item to be run": ({"key": "artifacts"}, "run 'golive rls'"),
    "a ticket that is not due": ({"key": "performance"}, "performance: the kit ticks it"),
    "nobody": ({"by": " "}, "--by is empty"),
    "nothing": ({"note": "\n"}, "--note is empty"),
    "nothing to take back": ({"done": False}, "there is no tick to take back"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_ticked_is_refused(launched: tuple[Launch, Past], case: str) -> None:
    """The message says why and what to do, and nothing is recorded."""
    launch, past = launched
    changed, said = REFUSED[case]
    with pytest.raises(UsageError) as caught:
        checklist.tick(launch, **({"key": "recordings", "by": "Rima", "note": "heard"} | changed))
    assert said in str(caught.value)
    assert Ledger(past.outputs).entries("tick") == ()


def test_success_is_not_ticked_before_the_last_stage_is_green(launched: tuple[Launch, Past]) -> None:
    """While its soak goes on, or it was held, nobody can say that the launch was one; other ticks are taken."""
    launch, past = launched
    past.stage(100, "hold")
    with pytest.raises(UsageError, match=r"success: the 100 % stage is not green: The canary said hold; there"):
        checklist.tick(launch, "success", by="Rima", note="told them")
    assert Ledger(past.outputs).entries("tick") == ()
    checklist.tick(launch, "recordings", by="Rima", note="heard")
    past.stage(100)
    checklist.tick(launch, "success", by="Rima", note="told them")
    past.stage(100, "hold")
    assert checklist.tick(launch, "success", by="Rima", note="too early", done=False).data["done"] is False


def test_a_note_holds_no_secret(launched: tuple[Launch, Past]) -> None:
    """A password in a note is refused and not quoted."""
    launch, past = launched
    word = secrets.token_hex(12)
    guarded = Launch(launch.plan, launch.queries, launch.database, {**launch.env, "GOLIVE_CLIENT_TOKEN": word})
    with pytest.raises(UsageError, match="--note holds a password or key") as caught:
        checklist.tick(guarded, "recordings", by="Rima", note=f"heard with {word}")
    assert word not in str(caught.value)
    assert Ledger(past.outputs).entries("tick") == ()


def test_nothing_is_ticked_before_the_last_stage(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A tick that would not count is not taken."""
    opened = open_launch(healthy.url)
    launch = Launch(opened.plan, opened.queries, opened.database, {OUTPUTS: str(tmp_path)})
    with pytest.raises(UsageError, match="waits for the 100 % stage; what is ticked before that would not count"):
        checklist.tick(launch, "recordings", by="Rima", note="heard")


def test_a_moment_to_come_is_refused(launched: tuple[Launch, Past]) -> None:
    """Nobody knows the list of tomorrow."""
    with pytest.raises(QueryError, match="lies in the future"):
        checklist.examine(launched[0], as_of="2026-03-27T00:00:00Z")
    assert not item(checklist.examine(launched[0], as_of="2026-03-24T23:00:00Z"), "funnel").ticked


def golive(demo: DemoDatabase, outputs: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line on a demo."""
    command = [sys.executable, "-m", "golive_lib", "checklist", *words, "--outputs", str(outputs)]
    given = {**os.environ, "GOLIVE_DB_URL": demo.url}
    return subprocess.run(command, env=given, capture_output=True, text=True, check=False)


def test_commands_report_and_tick(healthy: DemoDatabase, launched: tuple[Launch, Past]) -> None:
    """The report is made by a real kernel and lists what is open; ticks are taken, and refused with the right code."""
    _, past = launched
    made = golive(healthy, past.outputs)
    assert made.returncode == 3, made.stderr
    assert "checklist: hold" in made.stdout
    assert "○ Rollback rehearsed  golive rollback --rehearse" in made.stdout
    page = next(past.outputs.glob("*-checklist-*/checklist.html")).read_text()
    assert '<a href="../run1-canary/canary.html">canary</a>' in page
    assert "1 of 4 stages was promoted" in page
    done = golive(healthy, past.outputs, "tick", "recordings", "--by", "Rima", "--note", "heard")
    assert (done.returncode, done.stdout.strip()) == (0, "recordings: ticked by Rima, ledger record 4"), done.stderr
    back = golive(healthy, past.outputs, "untick", "recordings", "--by", "Rima", "--note", "one was silent")
    assert (back.returncode, "tick taken back by Rima" in back.stdout) == (0, True)
    wrong = golive(healthy, past.outputs, "tick", "secrets", "--by", "Rima", "--note", "fine")
    assert (wrong.returncode, "run 'golive readiness --prepare'" in wrong.stderr.replace("\n", " ")) == (2, True)
    nameless = golive(healthy, past.outputs, "tick", "recordings", "--note", "heard")
    assert (nameless.returncode, "--by" in nameless.stderr) == (2, True)
    assert json.loads((next(past.outputs.glob("[!.]*-checklist-*")) / JUDGED).read_text())["open"][0]["next"]


def test_a_failed_rollback_unticks_nothing(past: Past) -> None:
    """An attempt that began and failed changed nothing; one that began and has no end may have."""
    past.stage(10)
    for state in ("begun", "failed"):
        past.rollback("2026-03-24T10:30:00+00:00", state)
    assert item(past.list(), "canary_10").status is Status.GREEN
    past.rollback("2026-03-24T10:40:00+00:00", "begun")
    assert item(past.list(), "canary_10").status is Status.AMBER


def test_a_tick_does_not_count_for_later_evidence(past: Past) -> None:
    """Who listened to yesterday's sample has not heard today's."""
    past.whole()
    past.care("2026-03-26T22:00:00+00:00")
    assert item(past.list("2026-03-26T23:00:00+00:00"), "recordings").status is not Status.GREEN
