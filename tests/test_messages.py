"""Messages: each kind from real runs, and a refusal for everything that the records do not say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from past import EVE, OVER, PLAN
from plant import change
from told import Lived, Told, environ, kpi, live

from golive_lib import messages
from golive_lib.demo.build import database
from golive_lib.errors import LedgerError, PlanError, ReportError, UsageError
from golive_lib.ledger import LEDGER, Ledger
from golive_lib.message_facts import (
    EscalationFacts,
    Facts,
    GoFacts,
    HoldFacts,
    Kind,
    NoGoFacts,
    SuccessFacts,
    field_names,
)
from golive_lib.message_templates import KIT, Letter, written
from golive_lib.message_words import read_words
from golive_lib.plan import read_plan
from golive_lib.records import JUDGED, audit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from golive_lib.demo import DemoDatabase, DemoServer
    from golive_lib.plan import Plan

RED = "messages_red"
EIGHT = "2026-03-24T08:00:00+00:00"


@pytest.fixture(scope="module")
def green(healthy: DemoDatabase, env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Live through the healthy demo: ready, held at 10 % for want of calls, and green for 24 h at 100 %."""
    return live(healthy, env, tmp_path_factory.mktemp("green"), prepare=True, stages=(10, 100))


@pytest.fixture(scope="module")
def red(
    demo_server: DemoServer,
    healthy: DemoDatabase,  # noqa: ARG001  makes the template
    env: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Lived]:
    """Live through a demo with a flag off and an RLS violation at 25 %."""
    demo_server.create_database(RED, template="pristine")
    demo = database(demo_server, RED)
    change(
        demo,
        "update feature_flags set value = 'false' where key = 'feature.tarotV2'",
        "update security_audit_logs set event_type = 'rls_violation' where ctid = (select ctid "
        "from security_audit_logs where created_at between '2026-03-24 11:00Z' and '2026-03-24 13:00Z' "
        "order by created_at limit 1)",
    )
    yield live(demo, env, tmp_path_factory.mktemp("red"), prepare=False, stages=(25,))
    demo_server.drop_database(RED)


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """Give a launch in which nothing has happened yet."""
    return Told(tmp_path)


def made(lived: Lived, kind: str | None = None, run: str = "", *languages: str) -> messages.Message:
    """Make a message of a real run."""
    with environ(**lived.env):
        run_id = lived.runs[run].run_id if run else ""
        return messages.write(lived.launch(), kind, run_id=run_id, languages=languages)


def text(message: messages.Message) -> str:
    """Return the first letter's plain text, spaces as they are typed."""
    return message.letters[0].txt.replace("\N{NO-BREAK SPACE}", " ")


def test_success_says_what_24_hours_were_like(green: Lived) -> None:
    """The newest run is the last stage's promotion: 100 %, 24 h, no violation, every KPI's figures, features up."""
    message = made(green)
    said = text(message)
    assert (message.kind, message.run_id) == (Kind.SUCCESS, green.runs["100"].run_id)
    judged = json.loads((green.outputs / message.run_id / JUDGED).read_text())["kpis"]
    assert "100 % of the traffic, all KPIs green for 24 hours, until 26 Mar 2026, 00:00 Beirut." in said
    assert f"Zero RLS violations: 0 in {judged['rls_violations']['events']} audit events." in said
    assert f"of {judged['api_p95']['events']:,} requests slow (less than 5 % may be)" in said
    assert "- feature.tarotV2\n" in said.split("Features up")[1].split("Off, as planned")[0]
    assert "- calls.video\n" in said.split("Off, as planned")[1]
    assert all(kpi.title in said for kpi in PLAN.kpis.values())


def test_go_names_staging_the_stage_its_figures_and_the_next_step(green: Lived) -> None:
    """A promoted stage may go on, and after the last one the day after comes."""
    message = made(green, "go", "100")
    said = text(message)
    assert message.kind is Kind.GO
    assert "100 % for 24 hours: the stage stayed green" in said
    assert "Staging passed: 10 of 10 items proven, 26 Mar 2026, 00:00 Beirut." in said
    assert "Next step: the report of the day after" in said


def test_readiness_that_passed_lets_the_first_stage_begin(green: Lived) -> None:
    """A go before the first stage has no KPIs to speak of."""
    message = made(green, None, "readiness")
    assert message.kind is Kind.GO
    assert "Next step: 10 % of the traffic for 2 hours; any red rolls back at once." in text(message)
    assert "requests" not in text(message)


def test_hold_names_what_is_missing(green: Lived) -> None:
    """A stage with too few events says of which, and how many more."""
    message = made(green, None, "10")
    assert message.kind is Kind.HOLD
    assert re.search(r"API response P95: .* requests slow .*; about [\d,]+ more are needed to tell", text(message))


def test_no_go_names_what_is_to_be_mended(red: Lived) -> None:
    """A readiness list with a red item is a no-go that quotes it."""
    message = made(red, None, "readiness")
    assert message.kind is Kind.NO_GO
    assert "Flags (red): feature.tarotV2: is false, expected true" in text(message)
    assert "the stage of 10 % for 2 hours waits until then" in text(message)


def test_escalation_names_what_broke_since_when_and_what_is_done(red: Lived) -> None:
    """A red stage is escalated with its figures, level 1 from the plan, and the time that it may take."""
    message = made(red)
    assert (message.kind, message.run_id) == (Kind.ESCALATION, red.runs["25"].run_id)
    assert re.search(
        r"RLS violations: 1 violation in \d+ audit events .*; red since 24 Mar 2026, 1[345]:", text(message)
    )
    assert "rollback of level 1: backend.flatTables off, backend.flatTables.canaryPercentage to 0" in text(message)
    assert "ETA: at most 60 seconds." in text(message)


ARABIC = {
    Kind.GO: ("green", "100", "اجتازت البيئة التجريبية الفحوص"),
    Kind.HOLD: ("green", "10", "ما ينقص"),
    Kind.SUCCESS: ("green", "100", "لا انتهاك لأمان الصفوف"),
    Kind.NO_GO: ("red", "readiness", "ما يجب إصلاحه"),
    Kind.ESCALATION: ("red", "25", "قيد التنفيذ الآن"),
}


@pytest.mark.parametrize("kind", Kind)
def test_every_line_of_arabic_runs_from_right_to_left(green: Lived, red: Lived, kind: Kind) -> None:
    """In both forms the first strong character is right-to-left, and all Latin lies in isolates that are closed."""
    whose, run, said = ARABIC[kind]
    letter = made({"green": green, "red": red}[whose], kind, run, "ar").letters[0]
    for form in (letter.md, letter.txt):
        assert said in form
        lines = [line for line in form.splitlines() if line]
        assert {first_strong(line) for line in lines} <= {"R", "AL"}
        assert [line for line in lines if not balanced(line) or latin_outside(line)] == []


def first_strong(line: str) -> str:
    """Return the direction of the first strong character."""
    return next(kind for kind in map(unicodedata.bidirectional, line) if kind in {"L", "R", "AL"})


def balanced(line: str) -> bool:
    """Say whether every isolate is closed, and nothing else."""
    depth = 0
    for kind in map(unicodedata.bidirectional, line):
        depth += {"LRI": 1, "RLI": 1, "FSI": 1, "PDI": -1}.get(kind, 0)
        if depth < 0:
            return False
    return depth == 0


def latin_outside(line: str) -> bool:
    """Say whether a Latin letter stands in the line's own isolate rather than in one of its own."""
    depth = 0
    for character in line:
        kind = unicodedata.bidirectional(character)
        depth += {"LRI": 1, "RLI": 1, "FSI": 1, "PDI": -1}.get(kind, 0)
        if kind == "L" and depth < 2:
            return True
    return False


def test_the_kits_own_titles_have_arabic_names(green: Lived) -> None:
    """Of the plan's KPIs and due events, and of everything that readiness looks at; their events have all forms."""
    words = read_words("ar", ZoneInfo(PLAN.timezone), (KIT,))
    found = json.loads((green.outputs / green.runs["readiness"].run_id / JUDGED).read_text())["items"]
    titles = {each["title"] for each in found.values()} | {each.title for each in PLAN.kpis.values()}
    assert titles | {each.title for each in PLAN.due.values()} <= set(words.terms)
    assert {each.noun for each in PLAN.kpis.values()} <= set(words.nouns)
    assert {frozenset(forms) for forms in words.nouns.values()} == {frozenset(("one", "two", "few", "many", "other"))}


def test_two_forms_are_one_text(green: Lived) -> None:
    """Plain text is Markdown without its marks."""
    for letter in made(green, None, "", "en", "ar").letters:
        assert letter.md.replace("**", "") == letter.txt
        assert letter.md != letter.txt


def test_files_are_kept_and_recorded_with_their_hashes(green: Lived) -> None:
    """Each language has two files, and the ledger knows what they held."""
    message = made(green, None, "", "en", "ar")
    entry = Ledger(green.outputs).entries("message")[-1].data
    assert [path.suffixes[-2:] for path in message.files] == [
        [f".{x}", f".{y}"] for x in ("en", "ar") for y in ("md", "txt")
    ]
    assert entry["files"] == {path.name: sha256(path.read_bytes()).hexdigest() for path in message.files}
    assert [path.read_text() for path in message.files[::2]] == [letter.md for letter in message.letters]
    assert (entry["kind"], entry["run_id"], entry["languages"], entry["sent"]) == (
        "success", message.run_id, ["en", "ar"], [],
    )  # fmt: skip
    assert (entry["launch"], entry["at"]) == (PLAN.name, "2026-03-25T22:00:00+00:00")


def test_the_same_message_twice_is_two_files_of_one_text(green: Lived) -> None:
    """Nothing is written over, and both are in a whole ledger."""
    one, two = made(green), made(green)
    assert set(one.files) & set(two.files) == set()
    assert str(one) == str(two)
    assert audit(green.outputs).faults == ()


def test_messages_of_one_second_keep_apart(tmp_path: Path) -> None:
    """In other languages, and by writers at the same time: no file is written over or taken away."""
    texts: list[dict[str, str]] = [{"en.md": "1"}, {"en.md": "2", "ar.md": "2"}, {"ar.md": "3"}, {"ar.md": "4"}] * 8
    letters = [tuple(Letter(end[:2], text, text) for end, text in each.items()) for each in texts]
    with ThreadPoolExecutor(8) as threads:
        files = list(threads.map(lambda each: messages._kept(tmp_path, Kind.GO, each, ()), letters))
    assert len({path for each in files for path in each}) == sum(2 * len(each) for each in letters)
    assert [{path.read_text() for path in each} for each in files] == [set(each.values()) for each in texts]


def test_another_database_has_nothing_to_say(green: Lived, red: Lived) -> None:
    """Runs of one launch on two databases are never mixed."""
    with (
        environ(**(dict(red.env) | {"GOLIVE_OUTPUTS": str(green.outputs)})),
        pytest.raises(UsageError, match="no run of"),
    ):
        messages.write(red.launch())


def test_another_launch_has_nothing_to_say(green: Lived, tmp_path: Path) -> None:
    """The same database under another plan's name is another launch."""
    shutil.copy(PLAN.path, tmp_path / "launch.toml")
    (tmp_path / "queries").mkdir()
    path = tmp_path / "launch.toml"
    path.write_text(path.read_text().replace(PLAN.name, "Another launch"))
    with environ(**green.env), pytest.raises(UsageError, match="no run of 'Another launch'"):
        messages.write(green.launch(path))


REFUSED: dict[str, tuple[Kind | None, str, Callable[[Told], object]]] = {
    "nothing happened": (None, "begin with golive readiness", lambda _: None),
    "go for a stage that held": (Kind.GO, "it says hold", lambda t: (t.readiness(), t.judged(10, "hold"))),
    "go for a red stage": (Kind.GO, "it says rollback", lambda t: (t.readiness(), t.judged(10, "rollback"))),
    "hold for a green stage": (Kind.HOLD, "it says promote", lambda t: t.judged(10)),
    "no-go for a stage that held": (Kind.NO_GO, "it says hold", lambda t: t.judged(10, "hold")),
    "escalation for a green stage": (Kind.ESCALATION, "it says promote", lambda t: t.judged(10)),
    "a soak that goes on": (None, "its soak goes on", lambda t: t.judged(10, "continue", hours=1)),
    "go without readiness": (Kind.GO, "no readiness run is on record", lambda t: t.judged(10)),
    "go on an old readiness": (
        Kind.GO, "d old when the first stage began, and may be 24",
        lambda t: (t.readiness("2026-03-22T08:00:00+00:00"), t.judged(10)),
    ),
    "go after a red readiness": (
        Kind.GO, "says no-go", lambda t: (t.readiness(), t.readiness(EIGHT, flags="red"), t.judged(10)),
    ),
    "go after a rollback": (
        Kind.GO, "a rollback was recorded since", lambda t: (t.readiness(), t.judged(10), t.rollback(OVER)),
    ),
    "go by another plan": (
        Kind.GO, "judged by another plan", lambda t: (t.readiness(), t.stage(10, plan="0" * 64, files=whole(t))),
    ),
    "success without a day of green": (
        Kind.SUCCESS, "green for 23", lambda t: t.judged(100, hours=23),
    ),
    "success of an earlier stage": (Kind.SUCCESS, "no run of the plan's last stage", lambda t: t.judged(50)),
    "success of readiness": (Kind.SUCCESS, "no run of the plan's last stage", lambda t: t.readiness()),
    "success of a stage that held": (Kind.SUCCESS, "it says hold", lambda t: t.judged(100, "hold")),
    "success with an amber KPI": (
        Kind.SUCCESS, "not green: Siren answer P90", lambda t: t.judged(100, siren_p90=kpi("amber")),
    ),
    "success with a violation": (
        Kind.SUCCESS, "1 RLS violations were seen", lambda t: t.judged(100, rls_violations=kpi(bad=1)),
    ),
    "success after a rollback": (
        Kind.SUCCESS, "a rollback is on record since the stage began",
        lambda t: (t.rollback("2026-03-25T00:00:00+00:00"), t.judged(100)),
    ),
    "success before a red day after": (
        Kind.SUCCESS, "says no-go", lambda t: (t.judged(100), t.care("2026-03-26T10:00:00+00:00", funnel="red")),
    ),
    "success with a flag that is not as planned": (
        Kind.SUCCESS, "flags that are not as planned", lambda t: (t.readiness(flags="red"), t.judged(100)),
    ),
}  # fmt: skip


def whole(told: Told) -> dict[str, str]:
    """Return a judged stage's figures as a file."""
    run = told.judged(10)
    return {JUDGED: (told.outputs / run.run_id / JUDGED).read_text()}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_records_do_not_say_is_refused(told: Told, case: str) -> None:
    """A message that its run does not say is not made, and what is missing is named."""
    kind, why, happened = REFUSED[case]
    happened(told)
    assert why in told.refused(kind, error=UsageError)


def test_the_newer_judgement_of_the_stage_counts(told: Told) -> None:
    """A promotion is out of date once the same stage was judged again, later, and is not promoted."""
    told.readiness()
    first = told.judged(100)
    told.judged(100, "rollback", hours=25)
    assert "it is out of date" in told.refused(Kind.GO, first.run_id, UsageError)
    assert told.says()[0] is Kind.ESCALATION


def test_judging_the_past_again_makes_nothing_out_of_date(told: Told) -> None:
    """A run of an hour within the soak, made later, is not the newer judgement."""
    told.readiness()
    promoted = told.judged(10)
    told.judged(10, "continue", hours=1)
    assert told.says(Kind.GO, promoted.run_id)[0] is Kind.GO


def test_a_stage_is_no_go_once_the_next_is_red(told: Told) -> None:
    """A go whose next step has failed already is not sent again."""
    told.readiness()
    first = told.judged(10)
    told.judged(25, "rollback")
    assert "the launch has gone on" in told.refused(Kind.GO, first.run_id, UsageError)


def test_success_after_a_rollback_of_an_earlier_stage(told: Told) -> None:
    """What was rolled back before the last stage began does not spoil it."""
    told.rollback("2026-03-24T16:00:00+00:00")
    told.judged(100)
    kind, facts = told.says()
    assert kind is Kind.SUCCESS
    assert isinstance(facts, SuccessFacts)
    assert (facts.features, facts.flags_at) == ((), None)


def test_readiness_after_a_rollback_begins_anew(told: Told) -> None:
    """A stage that passed before the rollback counts for nothing, one that passed after it for what it is."""
    told.judged(10)
    told.rollback(EVE)
    told.readiness(OVER)
    kind, facts = told.says()
    assert isinstance(facts, GoFacts)
    assert (kind, getattr(facts.next, "percent", None)) == (Kind.GO, 10)
    told.judged(10)
    run = told.readiness(OVER)
    _, facts = told.says(run_id=run.run_id)
    assert isinstance(facts, GoFacts)
    assert facts.next
    assert facts.next.percent == 25


def test_escalation_says_that_it_was_rolled_back(told: Told) -> None:
    """Once the rollback is on record as done and verified, its seconds stand where the ETA stood."""
    told.judged(25, "rollback", api_p95=kpi("red", 200, red_since_look=39))
    told.rollback(OVER)
    kind, facts = told.says()
    assert isinstance(facts, EscalationFacts)
    said = written(PLAN, kind, facts, "en").txt
    assert "Rolled back: level 1 was done and verified in 2.13 seconds" in said
    assert "ETA" not in said
    assert "red since 24 Mar 2026, 12:38 Beirut" in said
    assert "خلال" in written(PLAN, kind, facts, "ar").txt


@pytest.mark.parametrize(
    ("state", "said"), [("failed", "and failed"), ("unknown", "nobody knows yet"), ("begun", "ETA")]
)
def test_a_rollback_that_is_not_verified_is_never_called_done(told: Told, state: str, said: str) -> None:
    """Failed, unknown and under way each say so."""
    told.judged(25, "rollback", api_p95=kpi("red", 200))
    told.rollback(OVER, state)
    kind, facts = told.says()
    text = written(PLAN, kind, facts, "en").txt
    assert (said in text, "done and verified" in text) == (True, False)


def test_a_rollback_that_is_done_outweighs_later_attempts(told: Told) -> None:
    """What was seen done stays so, whoever tried again."""
    told.judged(25, "rollback", api_p95=kpi("red", 200))
    told.rollback(OVER)
    told.rollback(OVER, "failed")
    _, facts = told.says()
    assert isinstance(facts, EscalationFacts)
    assert facts.rolled
    assert facts.rolled.done


def test_a_rollback_that_failed_changed_nothing(told: Told) -> None:
    """It takes back no go and no success, as it takes no tick from the checklist."""
    told.readiness()
    told.judged(100)
    told.rollback(OVER, "failed")
    assert (told.says()[0], told.says(Kind.GO)[0]) == (Kind.SUCCESS, Kind.GO)


def test_an_escalation_does_not_wait_for_an_edited_plan(told: Told) -> None:
    """On the night a red is a red, whatever was changed in the plan since."""
    red = told.judged(25, "rollback", api_p95=kpi("red", 200))
    files = {JUDGED: (told.outputs / red.run_id / JUDGED).read_text()}
    told.stage(25, "rollback", plan="0" * 64, files=files)
    assert told.says()[0] is Kind.ESCALATION


def test_a_plan_without_a_flag_to_turn_off_escalates_nothing(told: Told, beside: Plan) -> None:
    """What is being executed must be known."""
    told.judged(25, "rollback")
    beside.path.write_text(beside.path.read_text().replace('flag = "backend.flatTables"', 'flag = ""'))
    with pytest.raises(UsageError, match="names no 'flag' under"):
        told.says(plan=read_plan(beside.path))
    told.rollback(OVER, "failed")
    said = written(beside, *told.says(plan=read_plan(beside.path)), "en").txt
    assert "and failed.\n" in said
    assert "Level 1 turns" not in said


def test_edited_figures_make_no_message(told: Told) -> None:
    """What was published counts, not what somebody wrote into it later."""
    run = told.judged(100)
    path = told.outputs / run.run_id / JUDGED
    path.write_text(path.read_text().replace('"bad": 5', '"bad": 1'))
    assert "was edited since the run" in told.refused(error=LedgerError)


def test_an_edited_ledger_makes_no_message(told: Told) -> None:
    """A verdict that was changed in the records is not announced."""
    told.readiness()
    told.judged(10, "hold")
    told.judged(10, "hold")
    path = told.outputs / LEDGER
    path.write_bytes(path.read_bytes().replace(b'"verdict": "hold"', b'"verdict": "promote"', 1))
    assert "cannot be trusted" in told.refused(error=LedgerError)


def test_a_torn_last_line_stops_no_message(told: Told) -> None:
    """A power cut on the night leaves an escalation possible."""
    told.judged(25, "rollback")
    with (told.outputs / LEDGER).open("ab") as file:
        file.write(b'{"seq": 9')
    assert told.says()[0] is Kind.ESCALATION


def test_a_run_without_figures_makes_no_message(told: Told) -> None:
    """A run of another version is told apart from one that was edited."""
    told.stage(10, "hold")
    assert "no figures of it were published" in told.refused(error=LedgerError)
    told.stage(25, "hold", files={JUDGED: "{}"})
    assert "not those of this version" in told.refused(error=LedgerError)


def test_an_unknown_run_is_refused_with_those_there_are(told: Told) -> None:
    """The newest runs are listed."""
    told.judged(10)
    assert "there are run1-canary" in told.refused(None, "nosuch", UsageError)


def test_hold_of_readiness_and_of_a_soak_cut_short(told: Told) -> None:
    """What is no KPI is named as well."""
    told.readiness(backup="unknown")
    kind, facts = told.says()
    assert isinstance(facts, HoldFacts)
    assert "backup (unknown): backup is unknown" in written(PLAN, kind, facts, "en").txt
    held = told.judged(10, "hold")
    data = json.loads((told.outputs / held.run_id / JUDGED).read_text())
    data["reasons"] = ["Soak: cut short by the start of the next stage", "API response P95, Error rate: is amber"]
    told.stage(10, "hold", files={JUDGED: json.dumps(data)})
    _, facts = told.says()
    assert isinstance(facts, HoldFacts)
    assert facts.others == ("Soak: cut short by the start of the next stage",)


@pytest.fixture
def beside(tmp_path: Path) -> Plan:
    """Give a plan with a folder of templates beside it."""
    (tmp_path / "plan" / "messages").mkdir(parents=True)
    shutil.copy(PLAN.path, tmp_path / "plan")
    return read_plan(tmp_path / "plan" / "launch.toml")


def no_go(told: Told, plan: Plan, template: str, language: str = "en") -> str:
    """Write a no-go by a template of one's own."""
    (plan.root / "messages" / f"no-go.{language}.j2").write_text(template)
    told.readiness(flags="red")
    kind, facts = told.says()
    assert isinstance(facts, NoGoFacts)
    return written(plan, kind, facts, language).md


def test_a_template_beside_the_plan_replaces_the_kits(told: Told, beside: Plan) -> None:
    """It has the same fields and filters, and Jinja's own functions."""
    assert no_go(told, beside, "{% for i in range(2) %}{{ i }}{% endfor %}") == "01\n"
    assert no_go(told, beside, "Not today: {{ launch | strong }}") == f"Not today: **{PLAN.name}**\n"


def test_words_beside_the_plan_add_to_the_kits(told: Told, beside: Plan) -> None:
    """A KPI of one's own gets its Arabic name there."""
    (beside.root / "messages" / "words.ar.toml").write_text('[terms]\nnovel = "جديد"\n')
    assert "جديد \u20669\u2069 بنود" in no_go(told, beside, '{{ "novel" | term }} {{ 9 | counted("items") }}', "ar")


BAD = {
    "a name nobody knows": (
        "ok\n{{ nosuch }}",
        r"no-go\.en\.j2:2: there is no field 'nosuch'; the fields are launch, run_id",
    ),
    "where it is not come to": ("{% if false %}\n{{ nosuch }}{% endif %}", r":2: there is no field 'nosuch'"),
    "a member nobody knows": ("\n\n{{ readiness.nosuch }}", r"no-go\.en\.j2:3: .*nosuch.*readiness \(run_id, verdict"),
    "a filter nobody knows": ("{{ launch | nosuch }}", r"no-go\.en\.j2:1: No filter named 'nosuch'"),
    "no template language": ("\n{% if %}", r"no-go\.en\.j2:2: Expected an expression"),
    "a part that is not there": ('{% include "nosuch.j2" %}', "includes 'nosuch.j2'"),
    "a division by nothing": ("{{ 1 / 0 }}", "division by zero"),
    "a way out of the sandbox": ("{{ launch.__class__.__mro__ }}", "unsafe|no attribute"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_template_is_named_with_its_line(told: Told, beside: Plan, case: str) -> None:
    """The file, the line and the field are said, with the fields there are."""
    template, said = BAD[case]
    with pytest.raises(PlanError, match=said):
        no_go(told, beside, template)


def test_bad_words_are_named(told: Told, beside: Plan) -> None:
    """A vocabulary that is no TOML, or lacks the form that always fits, names its file."""
    path = beside.root / "messages" / "words.en.toml"
    for content, said in {
        "x": "cannot be read",
        "[x]": "unknown table 'x'",
        '[nouns]\nx = { one = "" }': "'other'",
    }.items():
        path.write_text(content)
        with pytest.raises(PlanError, match=rf"words\.en\.toml: .*{said}"):
            no_go(told, beside, "x")


def test_peoples_data_is_masked(told: Told, beside: Plan) -> None:
    """What a reason quotes of people is cut, in both forms."""
    (beside.root / "messages" / "no-go.en.j2").write_text("{{ readiness.open[0].reason }}")
    data = {
        "items": {"flags": {"title": "f", "status": "red", "reason": "karim@example.com at 10.1.2.3, +961 70 123 456"}}
    }
    told.run("readiness", EVE, "no-go", files={JUDGED: json.dumps(data)})
    letter = written(beside, *told.says(), "en")
    assert letter.txt == letter.md == "k…@example.com at 10.1.x.x, +961…56\n"


def test_a_secret_is_not_written(green: Lived, tmp_path: Path) -> None:
    """A template that holds one leaves no file and no record."""
    shutil.copytree(green.outputs, tmp_path / "outputs")
    key = "sk_" + "live_" + "a1B2" * 6
    shutil.copy(PLAN.path, tmp_path)
    (tmp_path / "queries").mkdir()
    (tmp_path / "messages").mkdir()
    (tmp_path / "messages" / "success.en.j2").write_text(key)
    before = (tmp_path / "outputs" / LEDGER).read_bytes()
    shutil.rmtree(tmp_path / "outputs" / "messages", ignore_errors=True)
    given = dict(green.env) | {"GOLIVE_OUTPUTS": str(tmp_path / "outputs")}
    with environ(**given), pytest.raises(ReportError, match="holds a key, so it was not written") as caught:
        messages.write(green.launch(tmp_path / "launch.toml"))
    assert key not in str(caught.value)
    assert not (tmp_path / "outputs" / "messages").exists()
    assert (tmp_path / "outputs" / LEDGER).read_bytes() == before


@pytest.mark.parametrize(
    ("given", "said"), [({"kind": "gone"}, "no message 'gone'"), ({"languages": ("fr",)}, "in 'fr'")]
)
def test_unknown_words_are_refused(green: Lived, given: dict[str, str], said: str) -> None:
    """What there is, is listed."""
    with environ(**green.env), pytest.raises(UsageError, match=said):
        messages.write(green.launch(), **given)  # type: ignore[arg-type]


def test_tell_never_raises(green: Lived) -> None:
    """A rollback that tells people goes on whatever stands in the way."""
    said: list[str] = []
    with environ(**green.env):
        assert messages.tell(green.launch(), "no-go", say=said.append) is None
        assert messages.tell(green.launch(), "success", say=said.append, run_id=7) is None
        assert messages.tell(green.launch(), say=said.append) is not None
    assert [text.split(":")[0] for text in said] == ["no message", "no message"]


def test_fields_are_documented() -> None:
    """The page on messages lists the fields of each kind as they are."""
    page = (Path(__file__).parents[1] / "docs" / "messages.md").read_text()
    assert [facts for facts in Facts.__subclasses__() if ", ".join(field_names(facts)) not in page] == []


def golive(lived: Lived, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    command = [sys.executable, "-m", "golive_lib", "message", *arguments]
    return subprocess.run(command, env=os.environ | dict(lived.env), capture_output=True, text=True, check=False)


def test_command_prints_the_text_alone(green: Lived) -> None:
    """What is printed can be piped; where it lies is said beside it."""
    done = golive(green, "--language", "en")
    assert done.returncode == 0, done.stderr
    newest = max((green.outputs / "messages").glob("*-success.en.txt"))
    assert done.stdout == newest.read_text()
    assert newest.name in done.stderr


@pytest.mark.parametrize(("arguments", "said"), [(["hold"], "it says promote"), (["--to", "x"], "add --send")])
def test_command_refuses(green: Lived, arguments: list[str], said: str) -> None:
    """A message that the run does not say, and options that ask for nothing, are wrong usage."""
    done = golive(green, *arguments)
    assert (done.returncode, said in done.stderr, done.stdout) == (2, True, "")
