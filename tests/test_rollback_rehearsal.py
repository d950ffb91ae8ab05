"""Rehearsing a rollback: what is found before the night, what is recorded, and that nothing stays."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from plant import change
from test_rollback import FLAG, MISSING, PERCENTAGE, TWICE, golive, own_views

from golive_lib.demo.repository import RELEASE, app_repository
from golive_lib.errors import DatabaseError
from golive_lib.launch import Launch, open_launch
from golive_lib.ledger import REHEARSAL, Ledger
from golive_lib.plan_night import RollbackRules
from golive_lib.rollback_proof import prove_rollback
from golive_lib.rollback_rehearsal import frame, rehearse_rollback
from golive_lib.settings import parse_url
from golive_lib.verdicts import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.demo import DemoDatabase, DemoServer
    from golive_lib.proof import Proof
    from golive_lib.rollback_rehearsal import RollbackRehearsal

    Clone = Callable[[], DemoDatabase]

ROOT = Path(__file__).parents[1]
STAGING = ROOT / "examples" / "staging"
NAMES = (
    "pg_class",
    "pg_attribute",
    "pg_namespace",
    "pg_proc",
    "pg_rewrite",
    "pg_constraint",
    "pg_policy",
    "pg_trigger",
)


def everything(demo: DemoDatabase) -> list[str]:
    """Return the catalog's rows and the flags, with the versions of each; what a vacuum counts in place is left out."""
    counted = "- 'relpages' - 'reltuples' - 'relallvisible' - 'relallfrozen' - 'relfrozenxid' - 'relminmxid'"
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as admin:
        return [
            str(row)
            for name in (*NAMES, "feature_flags")
            for row in admin.execute(
                f"select xmin::text, md5((to_jsonb(t) {counted})::text) from {name} t order by 1, 2"
            ).fetchall()
        ]


def rehearsed(demo: DemoDatabase, plan: Path | None = None) -> RollbackRehearsal:
    """Rehearse as the database's owner."""
    return rehearse_rollback(open_launch(demo.url, plan=plan), parse_url(demo.admin_url))


def outcome(found: RollbackRehearsal) -> tuple[Verdict, dict[str, Status]]:
    """Return the verdict and what each level came to."""
    return found.outcome.verdict, found.statuses


def test_healthy_demo_may_go_and_nothing_stays(clone: Clone) -> None:
    """Every statement of both levels ran, with its time and locks; catalog and flags are what they were."""
    demo = clone()
    before = everything(demo)
    found = rehearsed(demo)
    assert everything(demo) == before
    assert outcome(found) == (Verdict.GO, {"1": Status.GREEN, "2": Status.GREEN})
    one, two = found.levels
    assert [each.what for each in one.tried if not each.where.endswith(".sql")] == [""] * 3
    assert "feature_flags RowExclusiveLock" in one.tried[0].locks
    assert "samia.profiles AccessExclusiveLock" in two.tried[1].locks
    assert len(frame(found)) == len(one.tried) + len(two.tried)


def test_collision_is_named_and_the_rest_is_tried(clone: Clone, here: Path) -> None:
    """The runbook's trap: a view of a table's own name. What stands behind it is tried, and marked as not reached."""
    demo = clone()
    text = "create schema old;\n\ncreate view profiles as table profiles;\ncreate view old.v as select 1 as a;\n"
    before = everything(demo)
    found = rehearsed(demo, own_views(here, text))
    assert outcome(found) == (Verdict.NO_GO, {"1": Status.GREEN, "2": Status.RED})
    first, collision, behind, *_ = found.levels[1].tried
    assert (first.status, collision.status, behind.status) == (Status.GREEN, Status.RED, Status.GREEN)
    assert (collision.where, behind.reached) == ("rollback/compat_views.sql:3", False)
    assert 'relation "profiles" already exists' in collision.said
    assert behind.said == "would not be reached on the night; tried all the same: ran"
    assert "rollback/compat_views.sql:3" in found.outcome.sentence
    assert everything(demo) == before


def test_view_past_the_policies_is_amber(clone: Clone, here: Path) -> None:
    """It runs, and would show everybody's rows; one over a table without RLS, or an invoker's, would not."""
    demo = clone()
    change(demo, "create table open_to_all (a int)")
    text = (
        "create view bare as select * from profiles;\n"
        "create view kept with (security_invoker = on) as select * from profiles;\n"
        "create view plain as select * from open_to_all;\n"
        "alter view kept reset (security_invoker);\n"
    )
    found = rehearsed(demo, own_views(here, text)).levels[1].tried
    assert [each.status for each in found[:4]] == [Status.AMBER, Status.GREEN, Status.GREEN, Status.AMBER]
    assert "public.bare passes by the policies of profiles" in found[0].said


def test_hidden_commit_keeps_nothing(clone: Clone, here: Path) -> None:
    """Refused before anything runs, wherever it stands."""
    demo = clone()
    before = everything(demo)
    for text in ("create table stays (a int);\nCOMMIT;\nbegin;", "create table stays (a int); /* ; */ commit /* */;"):
        found = rehearsed(demo, own_views(here, text))
        assert outcome(found) == (Verdict.NO_GO, {"1": Status.GREEN, "2": Status.RED})
        assert "begins or ends a transaction" in found.outcome.sentence
    own_views(here, "do $$ begin create table stays (a int); commit; end $$")
    assert rehearsed(demo, here / "launch.toml").levels[1].status is Status.RED
    assert everything(demo) == before


def test_what_only_commit_would_find(clone: Clone, here: Path) -> None:
    """A deferred constraint that the file breaks is found although nothing is committed."""
    demo = clone()
    change(
        demo,
        "create table parent (i int primary key)",
        "create table child (i int references parent deferrable initially deferred)",
    )
    found = rehearsed(demo, own_views(here, "insert into child values (1)")).levels[1]
    assert [(each.where, each.status) for each in found.tried[:2]] == [
        ("rollback/compat_views.sql:1", Status.GREEN),
        ("what COMMIT checks", Status.RED),
    ]


LIFTED = "do $$ begin set local lock_timeout = 0; end $$; create view v as select 1 as a"


def test_file_that_a_rehearsal_cannot_take_back_is_red(clone: Clone, here: Path) -> None:
    """Nothing of it is run: the sequence stands where it stood, and the file and line are named."""
    demo = clone()
    change(demo, "create sequence night")
    found = rehearsed(demo, own_views(here, "create view v as select 1 as a;\nselect setval('night', 7)")).levels[1]
    assert (found.status, found.tried[0].where) == (Status.RED, "rollback/compat_views.sql:2")
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as connection:
        assert connection.execute("select last_value, is_called from night").fetchone() == (1, False)


def test_lock_timeout_that_the_file_lifts_is_amber(clone: Clone, here: Path) -> None:
    """On the night it might wait for ever."""
    found = rehearsed(clone(), own_views(here, LIFTED)).levels[1]
    assert [(each.where, each.status) for each in found.tried if each.status is not Status.GREEN] == [
        ("lock timeout held", Status.AMBER)
    ]


def test_lock_held_elsewhere_is_unknown(clone: Clone, here: Path) -> None:
    """It could not be tried, so nobody knows; the rehearsal ends after the plan's lock timeout."""
    demo = clone()
    plan = here / "launch.toml"
    plan.write_text(plan.read_text().replace('lock_timeout = "2s"', 'lock_timeout = "1s"'))
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as other:
        other.execute(f"update feature_flags set value = value where key = '{FLAG}'")
        found = rehearsed(demo, plan).levels[0]
    assert found.tried[0].status is Status.UNKNOWN
    assert "gave up waiting for a lock" in found.tried[0].said


@pytest.mark.parametrize(("plant", "words"), [((MISSING,), "there is no flag"), (TWICE, "is there 2 times")])
def test_flag_that_is_not_there_once(clone: Clone, plant: tuple[str, ...], words: str) -> None:
    """Level 1 would fail on the night."""
    demo = clone()
    change(demo, *plant)
    found = rehearsed(demo)
    assert outcome(found)[1] == {"1": Status.RED, "2": Status.GREEN}
    assert words in found.outcome.sentence


def test_source_that_reads_another_table_is_found(clone: Clone, here: Path) -> None:
    """What is written is not what is read: the flag would be off for nobody."""
    demo = clone()
    change(demo, "create table copied as select * from feature_flags")
    path = here / "queries" / "sources" / "flags.sql"
    path.parent.mkdir()
    text = (ROOT / "queries" / "sources" / "flags.sql").read_text()
    path.write_text(text.replace("public.feature_flags", "public.copied"))
    found = rehearsed(demo, here / "launch.toml").levels[0]
    assert (found.status, found.said.split(":")[0]) == (Status.RED, "read back")


def test_role_without_rights_is_red(healthy: DemoDatabase) -> None:
    """Whoever may not write finds out before the night."""
    found = rehearse_rollback(open_launch(healthy.url), parse_url(healthy.url))
    assert outcome(found) == (Verdict.NO_GO, {"1": Status.RED, "2": Status.RED})


def test_another_database_is_refused(clone: Clone) -> None:
    """A rehearsal elsewhere would prove nothing."""
    with pytest.raises(DatabaseError, match="lead to different databases"):
        rehearse_rollback(open_launch(clone().url), parse_url(clone().admin_url))


def with_rules(launch: Launch, **rules: object) -> Launch:
    """Return the launch with other rules for its rollback."""
    spelled: dict[str, object] = {"within": "60s", "max_age": "24h"}  # as a plan writes durations
    plan = replace(launch.plan, rollback=replace(launch.plan.rollback, **(spelled | rules)))  # type: ignore[arg-type]
    return Launch(plan, launch.queries, launch.database, dict(launch.env))


def test_level_3_counts_where_it_can_be_tried(healthy: DemoDatabase, tmp_path: Path) -> None:
    """With a checkout it counts, red or green; without, it is said and counts for nothing."""
    launch, url = open_launch(healthy.url), parse_url(healthy.admin_url)
    assert "3" not in rehearse_rollback(launch, url).statuses
    launch.env = {"GOLIVE_APP_REPO": str(app_repository(tmp_path))}
    assert rehearse_rollback(launch, url).statuses["3"] is Status.GREEN
    gone = rehearse_rollback(with_rules(launch, commit="nonesuch"), url)
    assert (gone.statuses["3"], gone.outcome.verdict) == (Status.RED, Verdict.NO_GO)


def test_plan_without_any_level_is_unknown(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Nothing to try is nothing proven."""
    launch = with_rules(open_launch(healthy.url), flag="", views="", commit="")
    found = rehearse_rollback(launch, parse_url(healthy.admin_url))
    assert (found.outcome.verdict, found.outcome.status) == (Verdict.HOLD, Status.UNKNOWN)
    assert prove(launch, tmp_path).reason.startswith("the plan: names no way to roll back")


def prove(launch: Launch, outputs: Path, *, later: timedelta = timedelta()) -> Proof:
    """Prove the readiness item at the demo's clock, or some time from it."""
    with launch.database.snapshot() as snapshot:
        return prove_rollback(launch, outputs, snapshot.clock.now + later)


def kept(demo: DemoDatabase, outputs: Path, plan: Path | None = None) -> Launch:
    """Rehearse, and record it."""
    launch = open_launch(demo.url, plan=plan)
    found = rehearse_rollback(launch, parse_url(demo.admin_url))
    Ledger(outputs).append(REHEARSAL, found.record(launch))
    return launch


def test_item_is_green_after_a_rehearsal(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Of this launch and database, lately, with what would be run now."""
    before = prove(open_launch(healthy.url), tmp_path)
    assert (before.status, before.points[0].fix) == (Status.UNKNOWN, "golive rollback --rehearse")
    launch = kept(healthy, tmp_path)
    assert prove(launch, tmp_path).status is Status.GREEN
    assert prove(launch, tmp_path, later=timedelta(hours=23)).status is Status.GREEN


@pytest.mark.parametrize(
    ("later", "status", "words"),
    [(timedelta(hours=25), Status.RED, "1 d" ), (timedelta(hours=-1), Status.UNKNOWN, "after the moment")],
)  # fmt: skip
def test_item_of_another_time(
    healthy: DemoDatabase, tmp_path: Path, later: timedelta, status: Status, words: str
) -> None:
    """Too old is red; from after the moment that is judged is unknown."""
    found = prove(kept(healthy, tmp_path), tmp_path, later=later)
    assert found.status is status
    assert "rehears" in found.reason
    assert words in found.reason or status is Status.RED


def test_item_of_another_file_or_flag(healthy: DemoDatabase, here: Path) -> None:
    """One character of the views, of the write file, or another flag: it was not that which was rehearsed."""
    plan = own_views(here, "create schema if not exists samia;\n")
    kept(healthy, here, plan)
    assert prove(open_launch(healthy.url, plan=plan), here).status is Status.GREEN
    own_views(here, "create schema if not exists samia; \n")
    assert "changed since the rehearsal: the file of views" in prove(open_launch(healthy.url, plan=plan), here).reason
    own_views(here, "create schema if not exists samia;\n")
    changed = with_rules(open_launch(healthy.url, plan=plan), flag="calls.video")
    assert "the flags it sets" in prove(changed, here).reason
    write = here / "queries" / "rollback" / "set_flag.sql"
    write.parent.mkdir()
    write.write_text((ROOT / "queries" / "rollback" / "set_flag.sql").read_text().replace("now()", "now() "))
    assert "rollback/set_flag.sql" in prove(open_launch(healthy.url, plan=plan), here).reason


def test_item_of_a_failed_rehearsal_is_red(clone: Clone, here: Path) -> None:
    """The newest one decides, also over a good one before it."""
    demo = clone()
    kept(demo, here)
    change(demo, MISSING)
    found = prove(kept(demo, here), here)
    assert (found.status, PERCENTAGE in found.reason) == (Status.RED, True)


def test_item_of_another_launch_or_database(clone: Clone, tmp_path: Path) -> None:
    """A rehearsal elsewhere is none here."""
    launch, other = kept(clone(), tmp_path), clone()
    assert prove(open_launch(other.url), tmp_path).status is Status.UNKNOWN
    renamed = Launch(replace(launch.plan, name="another"), launch.queries, launch.database)
    assert prove(renamed, tmp_path).status is Status.UNKNOWN


def test_ledger_that_cannot_be_read_is_unknown(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A broken line, or a record of another form."""
    launch = kept(healthy, tmp_path)
    ledger = Ledger(tmp_path)
    ledger.append(REHEARSAL, {"launch": launch.plan.name, "database": str(launch.database.url)})
    assert "its record cannot be read" in prove(launch, tmp_path).reason
    ledger.path.write_text("no record\n")
    assert prove(launch, tmp_path).status is Status.UNKNOWN


def test_command_records_and_exits_by_the_verdict(clone: Clone, here: Path) -> None:
    """0 for a go; 4 where the file collides, which is named; both in the ledger with the file's hash."""
    demo = clone()
    good = golive(here, demo, "--rehearse")
    own_views(here, "create view profiles as select 1 as a;\n")
    bad = golive(here, demo, "--rehearse")
    assert (good.returncode, bad.returncode) == (0, 4), good.stderr + bad.stderr
    assert "rollback/compat_views.sql:1" in bad.stdout
    first, second = (entry.data for entry in Ledger(here / "outputs").entries(REHEARSAL))
    assert (first["verdict"], second["verdict"]) == ("go", "no-go")
    assert first["views_sha256"] != second["views_sha256"]
    assert (first["flags"], first["login"], first["at"]) == (
        [FLAG, PERCENTAGE],
        "postgres",
        "2026-03-25T22:00:00+00:00",
    )
    assert json.dumps(first)


def test_staging_is_rehearsed_and_its_colliding_file_found(
    staging: str, demo_server: DemoServer, tmp_path: Path
) -> None:
    """Its own write file works on a settings table; a file of views that collides is named with its line."""
    admin = parse_url(demo_server.url("staging", "postgres"))
    plan = tmp_path / "launch.toml"
    shutil.copytree(STAGING / "queries", tmp_path / "queries")
    plan.write_text((STAGING / "launch.toml").read_text())
    assert outcome(rehearse_rollback(open_launch(staging, plan=plan), admin)) == (Verdict.GO, {"1": Status.GREEN})
    own_views(
        tmp_path, "-- the old names\ncreate schema old;\ncreate view bookings as\n  select * from public.bookings;\n"
    )
    plan.write_text(plan.read_text().replace('views = ""', 'views = "rollback/compat_views.sql"'))
    found = rehearse_rollback(open_launch(staging, plan=plan), admin)
    assert outcome(found) == (Verdict.NO_GO, {"1": Status.GREEN, "2": Status.RED})
    assert found.outcome.sentence.startswith("1 of 2 levels work. Level 2: rollback/compat_views.sql:3: ")
    assert 'relation "bookings" already exists' in found.outcome.sentence


def test_rules_have_no_default_that_hurts() -> None:
    """A plan that says nothing of rolling back names no flag, no file and no commit."""
    assert (RollbackRules().flag, RollbackRules().views, RollbackRules().commit) == ("", "", "")
    assert RELEASE
