"""RLS coverage before and after: reports of a real catalog, stored as runs store them, and held against each other."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import pandas as pd
import pytest
from plant import change, opened

from golive_lib import rls
from golive_lib.coverage_change import AFTER, BEFORE, CoverageChange, compare
from golive_lib.launch import Launch
from golive_lib.plan import read_plan
from golive_lib.records import RECORD, RunRecord
from golive_lib.spans import spans
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.demo import DemoDatabase

    Clone = Callable[[], DemoDatabase]
    Keep = Callable[..., Path]

ROOT = Path(__file__).parents[1]
PAST, NOW = "2026-03-24T07:00:00+00:00", "2026-03-25T22:00:00+00:00"  # before the demo's first stage, and its clock


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name the folder that reports go to."""
    monkeypatch.setenv("GOLIVE_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


@pytest.fixture
def keep(outputs: Path) -> Keep:
    """Store a report of a database's catalog as it is now, judged at a moment, in the files a run leaves."""

    def stored(demo: DemoDatabase, judged_at: str = NOW, **other: str | None) -> Path:
        launch = opened(demo)
        with launch.postgres.snapshot() as snapshot:
            judged = rls.examine(launch, snapshot).record()
        folder = outputs / f"20261123T0{len(list(outputs.glob('*')))}0000Z-rls-0a1b"
        folder.mkdir(parents=True)
        (folder / "judged.json").write_text(json.dumps(judged, indent=2, sort_keys=True))
        (folder / "rls.html").write_text("<!doctype html>")
        pd.DataFrame(judged["relations"]).to_csv(folder / "relations.csv", index=False)
        record = RunRecord(
            run_id=folder.name,
            notebook="rls",
            started_at=f"2026-11-23T{folder.name[9:11]}:00:00+00:00",
            seconds=8.2,
            state="finished",
            verdict="go",
            status="green",
            sentence="Fine.",
            judged_at=judged_at,
            zone="Asia/Beirut",
            parameters={},
            database=str(launch.postgres.url),
            error=None,
            html=f"{folder.name}/rls.html",
            ipynb=None,
            version="0.1.0",
        )
        (folder / RECORD).write_text(json.dumps(asdict(record) | other))
        return folder

    return stored


def held(launch: Launch) -> CoverageChange:
    """Compare at the launch's clock."""
    with launch.postgres.snapshot() as snapshot:
        return compare(launch, spans(launch.plan, snapshot.clock.now))


def statuses(found: CoverageChange) -> dict[str, Status]:
    """Return the status of each point."""
    return {point.what: point.status for point in found.points}


def said(found: CoverageChange, what: str) -> str:
    """Return what one point says."""
    return next(point.detail for point in found.points if point.what == what)


def test_unchanged_coverage_is_green(healthy: DemoDatabase, keep: Keep) -> None:
    """The same catalog twice: nothing changed, and both reports' files are named from the outputs folder on."""
    first, last = keep(healthy, PAST), keep(healthy)
    found = held(opened(healthy))
    assert set(statuses(found).values()) == {Status.GREEN}
    assert (len(found.relations), len(found.findings)) == (0, 0)
    assert found.proof.reason.endswith("before the launch 18 of 18; relations: none changed")
    assert found.figures["protected"].tolist() == found.figures["exposed"].tolist() == [18, 18]
    files = [
        f"{folder.name}/{name}" for folder in (first, last) for name in ("rls.html", "judged.json", "relations.csv")
    ]
    assert found.artifacts["artifact"].tolist() == files


POLICY = (
    "create policy pay_tx_block_tests on payment_transactions as restrictive for insert to authenticated "
    "with check (true)"
)
CHANGES: dict[str, tuple[LiteralString, Status, str]] = {
    "a restrictive policy more": (
        "create policy pay_tx_more on payment_transactions as restrictive for insert to authenticated "
        "with check (user_id = auth.uid())",
        Status.GREEN,
        "public.payment_transactions: gained restrictive policy: pay_tx_more (insert)",
    ),
    "a grant less": (
        "revoke delete on bookings from authenticated",
        Status.GREEN,
        "public.bookings: lost authenticated: delete",
    ),
    "RLS forced": (
        "alter table bookings force row level security",
        Status.GREEN,
        "public.bookings: RLS on, now forced",
    ),
    "a table more, protected": (
        "create table notes (id int); alter table notes enable row level security; grant select on notes to anon",
        Status.GREEN,
        "public.notes: table, green, RLS on",
    ),
    "a table less": ("drop table availability_overrides", Status.GREEN, "public.availability_overrides: was a table"),
    "a critical table less": ("drop table call_recordings", Status.AMBER, "public.call_recordings: was a table"),
    "a grant more": (
        "grant insert on bookings to anon",
        Status.AMBER,
        "public.bookings: gained anon: insert",
    ),
    "RLS switched off": (
        "alter table bookings disable row level security",
        Status.RED,
        "public.bookings: status green, now red; RLS on, now off",
    ),
    "a restrictive policy less": (
        "drop policy pay_tx_block_tests on payment_transactions",
        Status.RED,
        "public.payment_transactions: lost restrictive policy: pay_tx_block_tests (insert)",
    ),
    "a table more, open": (
        "create table notes (id int); grant select on notes to anon",
        Status.RED,
        "public.notes: table, red, RLS off",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_change_of_a_relation(clone: Clone, keep: Keep, case: str) -> None:
    """What changed is listed, and is red when less stands before the rows than before the launch."""
    statement, status, detail = CHANGES[case]
    demo = clone()
    change(demo, "drop policy if exists pay_tx_block_tests on payment_transactions", POLICY)
    keep(demo, PAST)
    change(demo, statement)
    keep(demo)
    found = held(opened(demo))
    assert (statuses(found)["relations"], detail in said(found, "relations")) == (status, True), found.relations.what
    assert found.relations["status"].tolist() == [status.value]
    assert "Relations that changed" in found.proof.tables


def test_open_relation_is_red_though_nothing_changed(clone: Clone, keep: Keep) -> None:
    """What was open before the launch and still is, is no change, but not covered either."""
    demo = clone()
    change(demo, "alter table bookings disable row level security")
    keep(demo, PAST)
    keep(demo)
    found = held(opened(demo))
    assert (statuses(found)["relations"], statuses(found)["coverage"]) == (Status.GREEN, Status.RED)


def test_findings_new_and_gone(clone: Clone, keep: Keep) -> None:
    """A new red finding is red; one that is gone is listed and green."""
    demo = clone()
    change(demo, "alter table bookings disable row level security")
    keep(demo, PAST)
    change(
        demo,
        "alter table bookings enable row level security",
        "alter table call_sessions disable row level security",
    )
    keep(demo)
    found = held(opened(demo))
    changed = {(row.relation, row.change, row.status) for row in found.findings.itertuples()}
    assert ("public.bookings", "gone", "green") in changed
    assert ("public.call_sessions", "new", "red") in changed
    assert statuses(found)["findings"] is Status.RED
    assert found.findings["status"].tolist() == sorted(found.findings["status"], key=["red", "amber", "green"].index)


def test_reports_chosen_are_the_last_before_and_the_newest(healthy: DemoDatabase, keep: Keep) -> None:
    """Of all reports count the last from before the first stage and the newest by now, whichever ran last."""
    keep(healthy, "2026-03-24T07:59:59+00:00")
    chosen = keep(healthy, "2026-03-24T07:59:59+00:00")  # the same moment, as a pinned clock gives, but run later
    keep(healthy, "2026-03-20T07:00:00+00:00")
    newest = keep(healthy, "2026-03-25T10:00:00+02:00")
    keep(healthy, "2026-03-24T08:00:00+00:00")
    keep(healthy, "2026-03-26T07:00:00+00:00")  # after the moment judged
    found = held(opened(healthy))
    assert found.artifacts.groupby("report")["artifact"].first().to_dict() == {
        BEFORE: f"{chosen.name}/rls.html",
        AFTER: f"{newest.name}/rls.html",
    }


def test_no_report_before_is_unknown(healthy: DemoDatabase, keep: Keep) -> None:
    """Without a report from before nobody can tell what stood then; what stands now is said."""
    keep(healthy)
    found = held(opened(healthy))
    assert statuses(found) == {BEFORE: Status.UNKNOWN, AFTER: Status.GREEN, "coverage": Status.GREEN}
    assert "golive rls" in next(point.fix for point in found.points if point.what == BEFORE)


def test_no_report_since_is_unknown(healthy: DemoDatabase, keep: Keep) -> None:
    """A report from before the launch says nothing of now, and the command is given."""
    keep(healthy, PAST)
    found = held(opened(healthy))
    assert statuses(found) == {BEFORE: Status.GREEN, AFTER: Status.UNKNOWN}
    assert next(point.fix for point in found.points if point.what == AFTER) == "run 'golive rls'"


@pytest.mark.usefixtures("outputs")
def test_no_report_at_all_is_unknown(healthy: DemoDatabase) -> None:
    """An outputs folder that is not there yet holds no report."""
    found = held(opened(healthy))
    assert statuses(found) == {BEFORE: Status.UNKNOWN, AFTER: Status.UNKNOWN}
    assert found.proof.tables == {}


def test_plan_without_starts_is_unknown(healthy: DemoDatabase, keep: Keep, tmp_path: Path) -> None:
    """Nobody can say what was before a launch without a beginning."""
    keep(healthy, PAST)
    text = (ROOT / "launch.toml").read_text()
    (tmp_path / "launch.toml").write_text(
        "".join(line for line in text.splitlines(keepends=True) if "starts =" not in line)
    )
    launch = opened(healthy)
    found = held(Launch(read_plan(tmp_path / "launch.toml"), launch.queries, launch.database, launch.env))
    assert statuses(found)[BEFORE] is Status.UNKNOWN


def test_old_report_is_amber(healthy: DemoDatabase, keep: Keep) -> None:
    """One of more than the plan's 24 hours ago may have been overtaken."""
    keep(healthy, PAST)
    keep(healthy, "2026-03-24T21:59:59+00:00")
    found = held(opened(healthy))
    assert (statuses(found)[AFTER], "at most 24" in said(found, AFTER)) == (Status.AMBER, True)


def test_reports_of_others_are_no_matter(healthy: DemoDatabase, keep: Keep) -> None:
    """Reports of another database, of another notebook, and of runs that failed are none of this launch's."""
    keep(healthy, PAST)
    keep(healthy)
    for other in (
        {"database": "production on db.example.com as golive_ro"},
        {"notebook": "x-rls-y"},
        {"state": "failed", "verdict": None},
    ):
        folder = keep(healthy, NOW, **other)
        (folder / "judged.json").unlink()
    assert set(statuses(held(opened(healthy))).values()) == {Status.GREEN}


def test_whoever_connected_is_no_matter(healthy: DemoDatabase, keep: Keep) -> None:
    """A report by another role is of the same database."""
    place = str(opened(healthy).database.url).rpartition(" as ")[0]
    keep(healthy, PAST, database=f"{place} as somebody")
    assert statuses(held(opened(healthy)))[BEFORE] is Status.GREEN


TORN = {
    "cut short": '{"exposed": 18, "prot',
    "of another kind": '{"kpis": {}, "verdict": "promote"}',
    "a list": "[]",
    "of another shape": '{"exposed": "18", "protected": 18, "unsure": [], "relations": [], "findings": []}',
    "an unknown word": '{"exposed": 1, "protected": 1, "unsure": [], "findings": [], "relations": [{"relation": "a", '
    '"kind": "table", "status": "green", "critical": false, "rls": "perhaps", "anon": null, "authenticated": null, '
    '"permissive_policies": null, "restrictive_policies": null}]}',
    "empty": "",
}


@pytest.mark.parametrize("text", TORN.values(), ids=TORN)
def test_torn_report_is_said(healthy: DemoDatabase, keep: Keep, text: str) -> None:
    """A report that cannot be read is named, and the one before it stands in."""
    keep(healthy, PAST)
    keep(healthy, "2026-03-25T20:00:00+00:00")
    torn = keep(healthy)
    (torn / "judged.json").write_text(text)
    found = held(opened(healthy))
    assert statuses(found) == dict.fromkeys((BEFORE, AFTER, "coverage", "relations", "findings"), Status.GREEN) | {
        "reports left out": Status.AMBER
    }
    assert said(found, "reports left out") == f"1: {torn.name}: judged.json is torn, or not of 'golive rls'"


def test_report_without_its_file_or_record_is_said(healthy: DemoDatabase, keep: Keep, outputs: Path) -> None:
    """A run whose figures or record are gone is named, without the folder's place on this machine."""
    keep(healthy, PAST)
    (keep(healthy) / "judged.json").unlink()
    (keep(healthy) / RECORD).write_text("{")
    keep(healthy, "soon")
    found = held(opened(healthy))
    assert statuses(found)["reports left out"] is Status.AMBER
    assert said(found, "reports left out").startswith("3: ")
    assert str(outputs) not in found.proof.frame.to_string()


def test_report_that_could_not_judge_is_unknown(healthy: DemoDatabase, keep: Keep) -> None:
    """A report that says it does not know cannot be held against anything."""
    keep(healthy, PAST)
    folder = keep(healthy)
    judged = json.loads((folder / "judged.json").read_text()) | {"unsure": ["there is no role 'anon'"]}
    (folder / "judged.json").write_text(json.dumps(judged))
    found = held(opened(healthy))
    assert statuses(found) == {BEFORE: Status.GREEN, AFTER: Status.UNKNOWN}
    assert said(found, AFTER) == "could not judge: there is no role 'anon'"
