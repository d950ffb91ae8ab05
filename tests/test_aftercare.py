"""The day after as a whole: a healthy demo is in order, what broke is named, and every table may be missing."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from plant import change

from golive_lib import aftercare, aftercare_views, funnel_charts, health_charts, proof_views, utilization_charts
from golive_lib.errors import QueryError
from golive_lib.launch import open_launch
from golive_lib.plan import kit_folder
from golive_lib.settings import OUTPUTS
from golive_lib.verdicts import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from golive_lib.aftercare import Aftercare
    from golive_lib.demo import DemoDatabase

    Clone = Callable[[], DemoDatabase]

SECTIONS = ["day_health", "flow", "funnel", "utilization", "recordings", "coverage_change", "performance"]
ELSEWHERE = "coverage_change"  # judged from stored reports, not from this database


def examined(demo: DemoDatabase, as_of: str = "") -> Aftercare:
    """Examine a demo as the read-only role."""
    return aftercare.examine(open_launch(demo.url), as_of=as_of)


def test_healthy_demo_is_in_order(healthy: DemoDatabase) -> None:
    """Nothing is red, and what is open says that a twentieth of the traffic is too little to tell."""
    after = examined(healthy)
    assert [proof.key for proof in after] == SECTIONS
    open_ = {proof.key: proof.reason for proof in after if proof.status is not Status.GREEN}
    assert set(open_) == {"funnel", ELSEWHERE}, open_
    assert "no difference shown, but too few to rule out 5 points lower" in open_["funnel"]


BROKEN: dict[str, tuple[str, Status, tuple[LiteralString, ...]]] = {
    "half a day of slow requests": (
        "day_health",
        Status.RED,
        ("update api_logs set response_time_ms = 5000 where created_at > timestamptz '2026-03-25 10:00Z'",),
    ),
    "payments fail": (
        "funnel",
        Status.RED,
        ("update payment_transactions set status = 'failed' where created_at > timestamptz '2026-03-25 02:00Z'",),
    ),
    "payments are given back": (
        "funnel",
        Status.RED,
        (
            "update payment_transactions set status = 'refunded' where status = 'succeeded' "
            "and created_at > timestamptz '2026-03-25 02:00Z'",
        ),
    ),
    "calls no longer connect": (
        "funnel",
        Status.RED,
        (
            "update call_sessions set connected_at = null, status = 'failed' "
            "where requested_at > timestamptz '2026-03-25 04:00Z'",
        ),
    ),
    "nobody answers": (
        "utilization",
        Status.AMBER,
        ("update emergency_calls set answered_at = null where requested_at > timestamptz '2026-03-25 02:00Z'",),
    ),
    "consents are gone": (
        "recordings",
        Status.RED,
        ("delete from call_consent_logs where created_at > timestamptz '2026-03-25 20:00Z'",),
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_fault_is_named(clone: Clone, fault: str) -> None:
    """The section says so, and so does the verdict's sentence."""
    section, status, statements = BROKEN[fault]
    demo = clone()
    change(demo, *statements)
    after = examined(demo)
    assert after[section].status is status
    assert after[section].title in after.outcome.sentence
    assert after.outcome.verdict is (Verdict.NO_GO if status is Status.RED else Verdict.HOLD)


def test_every_section_is_in_the_notebook() -> None:
    """What is judged is shown, with the queries behind it."""
    text = (kit_folder() / "notebooks" / "aftercare.ipynb").read_text()
    assert [key for key in SECTIONS if f'item(after, \\"{key}\\")' not in text] == []
    named = {
        name.rsplit("/", 1)[1]
        for name in open_launch("postgresql://nobody@nowhere/none").queries
        if name[:10] == "aftercare/"
    }
    assert sorted(name for name in named if name not in text) == []


def everything_shown(after: Aftercare) -> str:
    """Show all that the notebook shows."""
    limit, zone = 2000.0, open_launch("postgresql://nobody@nowhere/none").zone
    charts = (
        health_charts.response_times(after.health, limit, zone),
        funnel_charts.funnel_chart(after.funnel),
        funnel_charts.hours_chart(after.funnel, zone),
        utilization_charts.heat_map(after.utilization, zone),
    )
    shown = [proof_views.verdict(after), aftercare_views.figures(after), proof_views.to_mend(after), *charts]
    return "\n".join(map(str, [*shown, *(proof_views.item(after, key) for key in SECTIONS)]))


GONE: tuple[LiteralString, ...] = (
    "drop table api_logs cascade",
    "drop table payment_transactions cascade",
    "drop table reader_availability cascade",
    "drop table call_recordings cascade",
    "drop table bookings cascade",
)
EMPTY: tuple[LiteralString, ...] = (
    "truncate api_logs, payment_transactions, reader_availability, call_recordings, bookings, call_sessions cascade",
    "truncate emergency_calls, db_query_logs, security_audit_logs",
)


@pytest.mark.parametrize("statements", [GONE, EMPTY], ids=["gone", "empty"])
def test_nothing_to_look_at_is_unknown_and_can_be_shown(clone: Clone, statements: tuple[LiteralString, ...]) -> None:
    """Without tables, or without a row in them, nothing is green, and every chart and table still shows itself."""
    demo = clone()
    change(demo, *statements)
    after = examined(demo)
    assert {after[key].status for key in ("day_health", "funnel", "utilization", "recordings")} == {Status.UNKNOWN}
    assert after.outcome.verdict is Verdict.HOLD
    assert "unknown" in everything_shown(after)


def test_past_moment_is_judged_by_its_own_hours(healthy: DemoDatabase) -> None:
    """As of a day earlier the hours are those before it."""
    after = examined(healthy, as_of="2026-03-24T22:00:00Z")
    assert after.spans.now.until.isoformat() == "2026-03-24T22:00:00+00:00"
    assert after.health.totals["newest"].iloc[0] <= after.spans.now.until
    assert int(after.health.totals["requests"].iloc[0]) != int(examined(healthy).health.totals["requests"].iloc[0])


@pytest.mark.parametrize(
    ("as_of", "words"),
    [("2026-03-20T00:00:00Z", "is before the launch"), ("2027-01-01T00:00:00Z", "lies in the future")],
)
def test_moment_that_is_no_day_after_is_refused(healthy: DemoDatabase, as_of: str, words: str) -> None:
    """Neither the days before the launch nor those to come can be looked back at."""
    with pytest.raises(QueryError, match=words):
        examined(healthy, as_of=as_of)


@pytest.mark.parametrize("folder", ["aftercare", "performance"])
def test_every_query_can_be_traced(healthy: DemoDatabase, folder: str) -> None:
    """Each is printed with the report's own hours, and runs as it stands."""
    launch = open_launch(healthy.url)
    names = [name for name in launch.queries if name.startswith(f"{folder}/") and name != "performance/statements"]
    assert len(names) > 9
    with psycopg.connect(healthy.url.replace("+psycopg", "")) as connection:
        for name in names:
            text = aftercare.sql(launch, name)
            assert ":since" not in text
            connection.execute(text.encode())


def test_command_leaves_the_sample_and_the_ticket(clone: Clone, tmp_path: Path) -> None:
    """Beside the page lie the recordings to listen to and, when one is due, the ticket; the exit code is hold's."""
    demo = clone()
    change(demo, "drop index payment_transactions_booking_id_idx", "drop index call_recordings_call_id_idx")
    change(demo, "insert into decks select gen_random_uuid(), 'x' from generate_series(1, 12000)")
    change(demo, "create table piles (id int primary key, deck uuid references decks)")
    change(demo, "insert into piles select i, (select id from decks limit 1) from generate_series(1, 12000) i")
    change(demo, "analyze")
    command = [sys.executable, "-m", "golive_lib", "aftercare"]
    env = {**os.environ, "GOLIVE_DB_URL": demo.url, OUTPUTS: str(tmp_path)}
    run = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 3, run.stdout + run.stderr
    folder = next(tmp_path.glob("2*-aftercare-*"))
    assert "create index concurrently on public.piles (deck);" in (folder / "ticket.md").read_text()
    with (folder / "recordings.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 60
    items = json.loads((folder / "judged.json").read_text())["items"]
    assert {key: item["status"] for key, item in items.items()}["day_health"] == "green"
