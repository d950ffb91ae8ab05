"""The checks on a real PostgreSQL as the read-only role: clean, broken, mended, and what only looks broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import pandas as pd
import psycopg
import pytest
from plant import change

from golive_lib import Status, Verdict, open_launch
from golive_lib.demo import open_demo
from golive_lib.demo.build import database
from golive_lib.errors import DatabaseError, PlanError, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from golive_lib.demo import DemoDatabase, DemoServer

    Clone = Callable[[], DemoDatabase]

SANITY = ["sanity/ai_drafts", "sanity/consent", "sanity/deck_parity", "sanity/reveal_order"]


def test_healthy_demo_may_go(healthy: DemoDatabase) -> None:
    """All sanity checks are green and have looked at rows."""
    checks = open_launch(healthy.url).checks("sanity")
    assert [r.name for r in checks if r.status is not Status.GREEN or not r.examined] == []
    assert {r.name for r in checks} >= set(SANITY)
    assert checks.outcome.verdict is Verdict.GO


def test_health_is_green_on_the_healthy_demo(healthy: DemoDatabase) -> None:
    """Responses are fast, no hour is silent, nobody broke RLS."""
    checks = open_launch(healthy.url).checks("health")
    assert [r.name for r in checks if r.status is not Status.GREEN] == []
    assert len(checks) == 4


ANY_DECK: LiteralString = "(select min(deck_id::text)::uuid from deck_cards)"
LAST_DECK: LiteralString = "(select max(deck_id::text)::uuid from deck_cards)"
ANY_READING: LiteralString = "(select min(reading_id::text)::uuid from tarot_v2_card_selections)"
ONE_FACE: LiteralString = f"ctid = (select min(ctid) from deck_cards where not is_back and deck_id = {ANY_DECK})"
FAULTS: dict[str, tuple[str, LiteralString, int]] = {
    "a face is missing": ("sanity/deck_parity", f"delete from deck_cards where {ONE_FACE}", 1),
    "a deck has no back": (
        "sanity/deck_parity",
        f"delete from deck_cards where is_back and deck_id = {ANY_DECK}",
        1,
    ),
    "two wrong decks cancel out": (
        "sanity/deck_parity",
        f"update deck_cards set deck_id = {LAST_DECK}, card_number = 99 where {ONE_FACE}",
        2,
    ),
    "a single card lies at position 2": (
        "sanity/reveal_order",
        f"delete from tarot_v2_card_selections where card_position <> 2 and reading_id = {ANY_READING}",
        1,
    ),
    "a position is missing": (
        "sanity/reveal_order",
        f"delete from tarot_v2_card_selections where card_position = 2 and reading_id = {ANY_READING}",
        1,
    ),
    "a position is there twice": (
        "sanity/reveal_order",
        f"update tarot_v2_card_selections set card_position = 1 where card_position = 2 and reading_id = {ANY_READING}",
        1,
    ),
    "a consent has no address": (
        "sanity/consent",
        "update call_consent_logs set client_ip = null where ctid = (select min(ctid) from call_consent_logs)",
        1,
    ),
    "a consent has an empty address": (
        "sanity/consent",
        "update call_consent_logs set client_ip = ' ' where ctid = (select min(ctid) from call_consent_logs)",
        1,
    ),
    "a consent has a word for an address": (
        "sanity/consent",
        "update call_consent_logs set client_ip = 'unknown' where ctid = (select min(ctid) from call_consent_logs)",
        1,
    ),
    "a consent has nobody's address": (
        "sanity/consent",
        "update call_consent_logs set client_ip = '0.0.0.0' where ctid = (select min(ctid) from call_consent_logs)",
        1,
    ),
    "a draft is visible": (
        "sanity/ai_drafts",
        f"update tarot_v2_readings set ai_draft_visible_to_client = true where id = {ANY_READING}",
        1,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_found(clone: Clone, fault: str) -> None:
    """One fault turns its check red, names as many rows, and leaves the others green."""
    name, statement, rows = FAULTS[fault]
    demo = clone()
    change(demo, statement)
    checks = open_launch(demo.url).checks("sanity")
    assert {r.name: r.status for r in checks if r.status is not Status.GREEN} == {name: Status.RED}
    assert (checks[name].broken, len(checks[name].rows)) == (rows, rows)
    assert checks.outcome.verdict is Verdict.NO_GO


LOOK_ALIKES: list[LiteralString] = [
    "insert into decks (id, name) values ('00000000-0000-4000-8000-000000000001', 'an empty deck')",
    "update call_consent_logs set client_ip = '::1'",
    "update tarot_v2_card_selections set revealed_at = null",
]


@pytest.mark.parametrize("statement", LOOK_ALIKES)
def test_look_alike_is_not_flagged(clone: Clone, statement: LiteralString) -> None:
    """What only resembles a fault leaves everything green."""
    demo = clone()
    change(demo, statement)
    assert open_launch(demo.url).checks("sanity").outcome.status is Status.GREEN


HIDDEN = (
    'rows hidden by RLS: query would be affected by row-level security policy for table "call_consent_logs"; '
    "the role needs BYPASSRLS"
)
BLINDINGS: list[tuple[LiteralString, str]] = [
    ("truncate call_consent_logs cascade", "no rows to examine"),
    (
        "drop table call_consent_logs cascade",
        'table missing: relation "public.call_consent_logs" does not exist (queries/sources/consents.sql:3)',
    ),
    (
        "alter table call_consent_logs drop column client_ip cascade",
        'column missing: column "client_ip" does not exist (queries/sources/consents.sql:3)',
    ),
    ("revoke pg_read_all_data from golive_ro", "no right to read: permission denied for table call_consent_logs"),
    (
        "alter role golive_ro nobypassrls",
        HIDDEN,
    ),
]


@pytest.fixture
def _restored_role(healthy: DemoDatabase) -> Iterator[None]:
    """Give golive_ro its rights back: roles belong to the server, not to a copy."""
    yield
    change(healthy, "alter role golive_ro bypassrls", "grant pg_read_all_data to golive_ro")


@pytest.mark.usefixtures("_restored_role")
@pytest.mark.parametrize(("statement", "reason"), BLINDINGS)
def test_check_that_cannot_see_is_unknown(clone: Clone, statement: LiteralString, reason: str) -> None:
    """Emptied, dropped, revoked or hidden: unknown, with the reason, and never green.

    The way to mend what the rows say is told where the rows could be asked.
    """
    demo = clone()
    change(demo, statement)
    result = open_launch(demo.url).check("sanity/consent")
    assert (result.status, result.reason) == (Status.UNKNOWN, reason)
    assert bool(result.fix) == statement.startswith("truncate")


def test_one_blind_check_costs_no_other_its_answer(clone: Clone) -> None:
    """The snapshot goes on after a statement that failed, and the verdict holds."""
    demo = clone()
    change(demo, "drop table call_consent_logs cascade")
    checks = open_launch(demo.url).checks("sanity")
    assert [r.name for r in checks if r.status is not Status.GREEN] == ["sanity/consent"]
    assert checks.outcome.verdict is Verdict.HOLD


def test_slow_api_is_red(clone: Clone) -> None:
    """More than 5 % of slow requests push P95 over the limit."""
    demo = clone()
    change(demo, "update api_logs set response_time_ms = 2500 where id % 10 = 0")
    assert open_launch(demo.url).check("health/api_response").status is Status.RED


def test_slow_tail_within_the_share_is_green(clone: Clone) -> None:
    """A few very slow requests raise the average and not the 95th percentile."""
    demo = clone()
    change(
        demo,
        "update api_logs set response_time_ms = 100",
        "update api_logs set response_time_ms = 90000 where id % 33 = 0",
    )
    launch = open_launch(demo.url)
    assert launch.frame("health/api_response")["average_ms"].item() > 2000
    assert launch.check("health/api_response").status is Status.GREEN


def test_stale_telemetry_is_unknown(clone: Clone) -> None:
    """A log that stopped an hour ago answers unknown, however good its rows are."""
    demo = clone()
    change(demo, "delete from api_logs where created_at > '2026-03-25 21:00Z'")
    checks = open_launch(demo.url).checks("health")
    assert checks["health/api_response"].status is Status.UNKNOWN
    assert "newest_age_seconds <= 900" in checks["health/api_response"].reason


def test_rls_violation_is_red_with_its_row(clone: Clone) -> None:
    """One violation is red and shown; another kind of event is not."""
    demo = clone()
    change(
        demo,
        "update security_audit_logs set event_type = 'rls_violation' where id = "
        "(select max(id) from security_audit_logs)",
        "update security_audit_logs set event_type = 'rls_violation_scan' where id = "
        "(select max(id) - 1 from security_audit_logs)",
    )
    result = open_launch(demo.url).check("health/rls_violations")
    assert (result.status, result.broken, result.rows["kind"].tolist()) == (Status.RED, 1, ["rls_violation"])


def test_result_carries_sql_that_runs_in_any_client(healthy: DemoDatabase) -> None:
    """The SQL of a result, pasted into a plain connection, gives the same counts."""
    result = open_launch(healthy.url).check("health/api_response")
    with psycopg.connect(healthy.url.replace("+psycopg", "")) as connection:
        assert connection.execute(result.sql.encode()).fetchone() == (result.examined, result.broken, result.unsure)


def test_as_of_moves_the_window(healthy: DemoDatabase) -> None:
    """A window in the past sees the past, whichever way its instant is written."""
    launch = open_launch(healthy.url)
    one, two = (
        launch.frame("health/api_hours", as_of=at, hours=3) for at in ("2026-03-20T12:00Z", "2026-03-20T14:00+02:00")
    )
    pd.testing.assert_frame_equal(one, two)
    assert one["at"].max() == pd.Timestamp("2026-03-20 11:00Z")


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("sanity/decks", {}, "there is no query 'sanity/decks'; there are sanity/ai_drafts"),
        ("health/api_hours", {"hour": 3}, "has no parameter 'hour'; it has as_of, hours"),
        ("health/api_hours", {"hours": "three"}, "hours = 'three' is no int"),
        ("health/api_hours", {"hours": True}, "hours = True is no int"),
        ("health/api_hours", {"as_of": "2026-03-20T12:00"}, "has no time zone"),
        ("health/api_hours", {"as_of": "noon"}, "is no instant"),
    ],
)
def test_wrong_question_is_an_error(healthy: DemoDatabase, name: str, params: dict[str, str], message: str) -> None:
    """Unknown names and values of the wrong type are errors, never empty answers."""
    launch = open_launch(healthy.url)
    with pytest.raises(QueryError) as caught:
        launch.frame(name, **params)
    assert message in str(caught.value)


def test_overlay_and_plan_beside_it_are_used(
    healthy: DemoDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's own folder comes first: its plan is found, its query replaces the kit's, its new one is there."""
    (tmp_path / "queries" / "sanity").mkdir(parents=True)
    (tmp_path / "launch.toml").write_text(open_launch(healthy.url).plan.path.read_text())
    (tmp_path / "queries/sanity/consent.sql").write_text("-- title: Mine\n-- expect: n = 1\nselect 1 as n\n")
    (tmp_path / "queries/sanity/extra.sql").write_text("-- title: New\n-- expect: n = 2\nselect 1 as n\n")
    monkeypatch.chdir(tmp_path)
    checks = open_launch(healthy.url).checks("sanity")
    assert {r.name: (r.title, r.status) for r in checks if r.name.endswith(("consent", "extra"))} == {
        "sanity/consent": ("Mine", Status.GREEN),
        "sanity/extra": ("New", Status.RED),
    }


def test_syntax_error_is_unknown_with_file_and_line(
    healthy: DemoDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slip in a query file shows as its check's reason, with the line to look at."""
    (tmp_path / "queries" / "sanity").mkdir(parents=True)
    (tmp_path / "launch.toml").write_text(open_launch(healthy.url).plan.path.read_text())
    (tmp_path / "queries/sanity/slip.sql").write_text("-- title: Slip\n-- expect: n = 1\nselect\n  1 as n form x\n")
    monkeypatch.chdir(tmp_path)
    result = open_launch(healthy.url).check("sanity/slip")
    assert (result.status, result.reason) == (
        Status.UNKNOWN,
        'syntax error: syntax error at or near "form" (queries/sanity/slip.sql:4)',
    )


def test_line_is_right_after_parameters(healthy: DemoDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server counts in its own placeholders; the line in the message is still the file's."""
    (tmp_path / "queries" / "sanity").mkdir(parents=True)
    (tmp_path / "launch.toml").write_text(open_launch(healthy.url).plan.path.read_text())
    head = "-- title: Slip\n-- params: a int = 1, b int = 2\n-- expect: n = 1\n"
    text = head + "select :a + :b + :a as n\nwhere 5 % :b = 1\nand slip\n"
    (tmp_path / "queries/sanity/slip.sql").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert open_launch(healthy.url).check("sanity/slip").reason.endswith("(queries/sanity/slip.sql:6)")


def test_plan_without_the_limit_a_query_needs_is_an_error(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A limit is in the plan or the check does not run."""
    plan = tmp_path / "launch.toml"
    plan.write_text('name = "x"\ntimezone = "UTC"\n[kpis]\n')
    with pytest.raises(PlanError, match=r"there is no value 'kpis\.api_p95\.limit'"):
        open_launch(healthy.url, plan=plan).check("health/api_response")


def test_unreachable_database_is_an_error_not_an_unknown(healthy: DemoDatabase) -> None:
    """Without a connection there is no result at all."""
    launch = open_launch(healthy.url.replace("demo_healthy", "no_such"))
    with pytest.raises(DatabaseError, match="does not exist"):
        launch.check("sanity/consent")


def test_draft_of_unset_visibility_is_unknown(clone: Clone) -> None:
    """A null is nobody's promise that the draft is hidden."""
    demo = clone()
    change(
        demo,
        "alter table tarot_v2_readings alter ai_draft_visible_to_client drop not null",
        f"update tarot_v2_readings set ai_draft_visible_to_client = null where id = {ANY_READING}",
    )
    assert open_launch(demo.url).check("sanity/ai_drafts").status is Status.UNKNOWN


def test_red_stays_red_when_its_rows_cannot_be_listed(clone: Clone) -> None:
    """A counted violation is red, even if one of its rows holds a value the driver cannot read."""
    demo = clone()
    change(demo, "update call_consent_logs set client_ip = null, created_at = 'infinity' where client_ip is not null")
    checks = open_launch(demo.url).checks("sanity")
    assert checks["sanity/consent"].status is Status.RED
    assert "the rows could not be listed" in checks["sanity/consent"].reason
    assert checks["sanity/deck_parity"].status is Status.GREEN


EMPTYABLE: list[tuple[str, LiteralString]] = [
    ("sanity/ai_drafts", "truncate tarot_v2_readings cascade"),
    ("sanity/consent", "truncate call_consent_logs cascade"),
    ("sanity/deck_parity", "truncate deck_cards cascade"),
    ("sanity/reveal_order", "truncate tarot_v2_card_selections cascade"),
    ("health/api_errors", "truncate api_logs"),
    ("health/api_response", "truncate api_logs"),
    ("health/api_silence", "truncate api_logs"),
    ("health/rls_violations", "truncate security_audit_logs"),
]


@pytest.mark.parametrize(("name", "statement"), EMPTYABLE)
def test_emptied_table_is_unknown(clone: Clone, name: str, statement: LiteralString) -> None:
    """Every check of the kit answers unknown without a row to look at."""
    demo = clone()
    change(demo, statement)
    assert open_launch(demo.url).check(name).status is Status.UNKNOWN


def test_every_check_of_the_kit_is_emptied_above(healthy: DemoDatabase) -> None:
    """A new check joins the list of those that must not be green on nothing."""
    launch = open_launch(healthy.url)
    assert {name for name, query in launch.queries.items() if query.expect} == {name for name, _ in EMPTYABLE}


SILENCES: list[LiteralString] = [
    "delete from api_logs where created_at between '2026-03-25 11:00Z' and '2026-03-25 11:12Z'",
    "delete from api_logs where created_at between '2026-03-23 22:00Z' and '2026-03-25 18:00Z'",
    "delete from api_logs where created_at between '2026-03-25 10:00Z' and '2026-03-25 16:00Z' and id % 10 > 0",
]


@pytest.mark.parametrize("statement", SILENCES)
def test_silence_in_the_window_is_unknown(statement: LiteralString, demo_folder: Path, demo_server: DemoServer) -> None:
    """A gap, an outage longer than a day, and most rows lost are each found, though the newest rows are fresh."""
    with open_demo(scale=1, data=demo_folder) as full:
        demo_server.create_database("silenced", template=full.name)
    try:
        demo = database(demo_server, "silenced")
        change(demo, statement)
        assert open_launch(demo.url).check("health/api_silence").status is Status.UNKNOWN
    finally:
        demo_server.drop_database("silenced")


NULLABLE: LiteralString = "alter table api_logs alter status_code drop not null, alter response_time_ms drop not null"
FAILING: list[tuple[str, LiteralString]] = [
    ("health/api_errors", "update api_logs set status_code = 500 where id % 50 = 0"),
    ("health/api_errors", f"{NULLABLE}; update api_logs set status_code = null where id % 50 = 0"),
    ("health/api_response", f"{NULLABLE}; update api_logs set response_time_ms = null where id % 10 = 0"),
    ("health/api_response", "update api_logs set response_time_ms = -1 where id % 10 = 0"),
]


@pytest.mark.parametrize(("name", "statements"), FAILING)
def test_failures_and_missing_measures_are_red(clone: Clone, name: str, statements: str) -> None:
    """Errors are judged, and what has no usable duration or outcome does not count as good."""
    demo = clone()
    change(demo, *statements.split("; "))
    assert open_launch(demo.url).check(name).status is Status.RED
