"""Rolling back on a real PostgreSQL: levels 1 and 2, what can go wrong on the night, and what is recorded."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from plant import change, command
from proxies import cutting
from servers import transaction_pooler

from golive_lib.errors import DatabaseError, GoliveError, PlanError, QueryError
from golive_lib.launch import open_launch
from golive_lib.ledger import LEDGER, ROLLBACK, Ledger
from golive_lib.levers import StepFailed, lever
from golive_lib.rollback import DONE, FAILED, UNKNOWN, Execution, roll_back
from golive_lib.settings import parse_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from golive_lib.demo import DemoDatabase, DemoServer
    from golive_lib.launch import Launch

    Clone = Callable[[], DemoDatabase]

ROOT = Path(__file__).parents[1]
STAGING = ROOT / "examples" / "staging" / "launch.toml"
FLAG, PERCENTAGE = "backend.flatTables", "backend.flatTables.canaryPercentage"
ON, OFF = {FLAG: "true", PERCENTAGE: "100"}, {FLAG: "false", PERCENTAGE: "0"}
NAME = "SAMIA TAROT: backend.flatTables"


def flags(url: str) -> dict[str, str]:
    """Return the two flags as the app's table has them."""
    with psycopg.connect(url.replace("+psycopg", "")) as admin:
        rows = admin.execute("select key, value::text from feature_flags where key like %s", [f"{FLAG}%"]).fetchall()
    return dict(rows)


def views(url: str) -> list[str]:
    """Name the views under the old schema."""
    with psycopg.connect(url.replace("+psycopg", "")) as admin:
        found = admin.execute(
            "select relname from pg_class where relnamespace::regnamespace::text = 'samia'"
        ).fetchall()
    return sorted(name for (name,) in found)


def pulled(launch: Launch, url: str, level: int = 1, *, elapsed: float = 0.5) -> tuple[Execution, list[Execution]]:
    """Roll back without waiting between looks, and return what came of it and what was recorded."""
    told: list[Execution] = []
    done = roll_back(launch, level, parse_url(url), elapsed=lambda: elapsed, record=told.append, pause=lambda _: None)
    return done, told


def own_views(folder: Path, text: str) -> Path:
    """Give a plan's folder a file of views of its own."""
    path = folder / "rollback" / "compat_views.sql"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return folder / "launch.toml"


def test_level_1_turns_the_flag_off_and_sees_it(clone: Clone) -> None:
    """Both flags in one transaction, read back on another connection, with what was there before."""
    demo = clone()
    done, told = pulled(open_launch(demo.url), demo.admin_url)
    assert (done.state, done.verified, dict(done.before), dict(done.after)) == (DONE, True, ON, OFF)
    assert flags(demo.url) == OFF
    assert [each.state for each in told] == ["begun", DONE]
    assert "verified 500\N{NO-BREAK SPACE}ms after the command, 1\N{NO-BREAK SPACE}min allowed" in done.sentence
    assert all(text.startswith("update public.feature_flags") for text in done.what)


def test_again_changes_nothing_and_still_verifies(clone: Clone) -> None:
    """What is off already is said to be, and the row is not written again."""
    demo = clone()
    launch = open_launch(demo.url)
    pulled(launch, demo.admin_url)
    before = launch.frame("sources/flags")["updated_at"].tolist()
    done, _ = pulled(launch, demo.admin_url)
    assert (done.state, done.verified, done.what) == (DONE, True, ())
    assert done.sentence.startswith("was so already; nothing was changed")
    assert launch.frame("sources/flags")["updated_at"].tolist() == before


def test_level_2_makes_the_views(clone: Clone) -> None:
    """Each view of the file is there, reads what its table holds, under the reader's own policies."""
    demo = clone()
    launch = open_launch(demo.url)
    for _ in range(2):  # safe to repeat
        done, _ = pulled(launch, demo.admin_url, 2)
        assert (done.state, done.verified) == (DONE, True)
        assert {f"samia.{name}" for name in views(demo.admin_url)} == set(done.after)
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as admin:
        counts = admin.execute(
            "select (select count(*) from samia.payments), (select count(*) from payment_transactions)"
        )
        seen, there = counts.fetchone() or (0, 1)
        admin.execute("set role authenticated")
        strangers = admin.execute("select count(*) from samia.payments").fetchone()
    assert (seen, strangers) == (there, (0,))


def test_late_is_said(clone: Clone) -> None:
    """More than the plan allows is done, and said to be late."""
    demo = clone()
    done, _ = pulled(open_launch(demo.url), demo.admin_url, elapsed=61)
    assert (done.exit_code, "LATER THAN ALLOWED" in done.sentence) == (0, True)


MISSING = "delete from feature_flags where key = 'backend.flatTables.canaryPercentage'"
TWICE = (
    "alter table feature_flags drop constraint feature_flags_pkey",
    "insert into feature_flags values ('backend.flatTables.canaryPercentage', '50')",
)


@pytest.mark.parametrize(
    ("plant", "words"),
    [((MISSING,), f"there is no flag '{PERCENTAGE}'"), (TWICE, f"the flag '{PERCENTAGE}' is there 2 times")],
)
def test_a_flag_that_is_not_there_once_takes_all_back(clone: Clone, plant: tuple[Any, ...], words: str) -> None:
    """The file is named, and the flag that could be set is not."""
    demo = clone()
    change(demo, *plant)
    with pytest.raises(StepFailed, match=words) as caught:
        pulled(open_launch(demo.url), demo.admin_url)
    assert "queries/rollback/set_flag.sql" in str(caught.value)
    assert flags(demo.url)[FLAG] == "true"


def test_a_role_without_rights_is_told(clone: Clone) -> None:
    """The read-only role may not write: the failure is recorded, and nothing is changed."""
    demo = clone()
    told: list[Execution] = []
    with pytest.raises(GoliveError, match="permission denied for table feature_flags"):
        roll_back(
            open_launch(demo.url), 1, parse_url(demo.url), elapsed=lambda: 0.0, record=told.append, pause=lambda _: None
        )
    assert [each.state for each in told] == ["begun", FAILED]
    assert flags(demo.url) == ON


def test_a_lock_held_elsewhere_is_a_clear_error(clone: Clone, here: Path) -> None:
    """After the plan's lock timeout it gives up, and says what to do."""
    demo = clone()
    plan = here / "launch.toml"
    plan.write_text(plan.read_text().replace('lock_timeout = "2s"', 'lock_timeout = "1s"'))
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as other:
        other.execute(f"update feature_flags set value = value where key = '{FLAG}'")
        with pytest.raises(StepFailed, match="gave up waiting for a lock") as caught:
            pulled(open_launch(demo.url, plan=plan), demo.admin_url)
    assert caught.value.locked
    assert "another session holds that lock; try again" in str(caught.value)


def test_another_database_is_refused(clone: Clone) -> None:
    """An admin's URL that leads elsewhere changes neither."""
    demo, other = clone(), clone()
    with pytest.raises(DatabaseError, match="lead to different databases"):
        pulled(open_launch(demo.url), other.admin_url)
    assert (flags(demo.url), flags(other.url)) == (ON, ON)


def through(port: int, name: str) -> str:
    """Return the admin's URL by way of a proxy."""
    return f"postgresql://postgres@127.0.0.1:{port}/{name}"


def test_commit_that_arrived_unheard_is_found_done(clone: Clone, demo_server: DemoServer) -> None:
    """The connection dies behind COMMIT; another one sees that it went through."""
    demo = clone()
    with cutting(demo_server, forwarding=True) as proxy:
        done, told = pulled(open_launch(demo.url), through(proxy.port, demo.name))
    assert (proxy.cut, done.state, done.verified, done.exit_code) == (True, DONE, True, 0)
    assert done.sentence.startswith("the connection was lost after COMMIT was sent; verified")
    assert (flags(demo.url), [each.state for each in told]) == (OFF, ["begun", DONE])


@pytest.mark.parametrize("level", [1, 2])
def test_commit_that_never_arrived_is_found_undone(clone: Clone, demo_server: DemoServer, level: int) -> None:
    """The connection dies before COMMIT reaches the server; another one sees that nothing was applied."""
    demo = clone()
    with cutting(demo_server, forwarding=False) as proxy:
        done, told = pulled(open_launch(demo.url), through(proxy.port, demo.name), level)
    assert (proxy.cut, done.state, done.exit_code) == (True, FAILED, 1)
    assert "not applied; safe to repeat" in done.sentence
    assert (flags(demo.url), views(demo.admin_url), [each.state for each in told]) == (ON, [], ["begun", FAILED])


def test_commit_nobody_can_tell_of_is_unknown(clone: Clone, demo_server: DemoServer) -> None:
    """When no connection comes through any more, it is unknown, and no less."""
    demo = clone()
    with cutting(demo_server, forwarding=True, then_down=True) as proxy:
        done, told = pulled(open_launch(demo.url), through(proxy.port, demo.name))
    assert (done.state, done.verified, done.exit_code) == (UNKNOWN, False, 3)
    assert done.sentence.startswith("unknown: the connection was lost after COMMIT was sent")
    assert told[-1].state == UNKNOWN


def test_flag_that_reads_back_as_on_is_no_proof(clone: Clone) -> None:
    """A trigger that puts the value back is noticed: committed, and yet not so."""
    demo = clone()
    change(
        demo,
        "create function again() returns trigger language plpgsql as "
        "$$ begin new.value := old.value; return new; end $$",
        "create trigger again before update on feature_flags for each row execute function again()",
    )
    done, _ = pulled(open_launch(demo.url), demo.admin_url)
    assert (done.state, done.verified, done.exit_code) == (DONE, False, 3)
    assert f"committed, and yet {FLAG} reads back as true" in done.sentence


FILES = {
    "a collision": ("create table x (a int);\ncreate view profiles as select 1;", "compat_views.sql:2:.*profiles"),
    "a hint": ("create view v as\nselect key,\n  valu from feature_flags;", "compat_views.sql:3:(.|\n)*hint: Perhaps"),
    "what no transaction can hold": ("select 1;\nvacuum feature_flags;", "compat_views.sql:2:.*transaction block"),
    "an index made meanwhile": (
        "create index concurrently i on feature_flags (value)", "compat_views.sql:1:.*transaction block",
    ),
    "a commit in a block": ("select 1;\ndo $$ begin commit; end $$;", "compat_views.sql:2:.*invalid transaction"),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_file_that_fails_changes_nothing(clone: Clone, here: Path, case: str) -> None:
    """The file and line, the statement, the server's words and its hint."""
    text, words = FILES[case]
    demo = clone()
    launch = open_launch(demo.url, plan=own_views(here, f"create schema samia;create view samia.x as select 1;{text}"))
    with pytest.raises(StepFailed, match=words):
        pulled(launch, demo.admin_url, 2)
    assert views(demo.admin_url) == []


def test_two_commands_never_hide_in_one(clone: Clone) -> None:
    """Should the splitter ever miss a semicolon, the protocol refuses what it let through."""
    from golive_lib.acting import applying  # noqa: PLC0415
    from golive_lib.plan import DatabaseRules  # noqa: PLC0415

    with (
        pytest.raises(DatabaseError, match="cannot insert multiple commands"),
        applying(parse_url(clone().admin_url), DatabaseRules()) as actor,
    ):
        actor.command("select 1; commit")


@pytest.mark.parametrize(
    ("old", "new", "level", "error"),
    [
        ('flag = "backend.flatTables" ', 'flag = "" ', 1, PlanError),
        ('views = "rollback/compat_views.sql"', 'views = ""', 2, PlanError),
        ('views = "rollback/compat_views.sql"', 'views = "nonesuch.sql"', 2, PlanError),
    ],
)
def test_plan_that_lacks_a_level(
    healthy: DemoDatabase, here: Path, old: str, new: str, level: int, error: type[Exception]
) -> None:
    """It is said before anything is opened."""
    plan = here / "launch.toml"
    assert old in plan.read_text()
    plan.write_text(plan.read_text().replace(old, new))
    with pytest.raises(error, match="rollback"):
        lever(open_launch(healthy.url, plan=plan), level)


def test_write_file_of_other_parameters_is_refused(healthy: DemoDatabase, here: Path) -> None:
    """A file that could not be given the flag's name writes nothing."""
    path = here / "queries" / "rollback" / "set_flag.sql"
    path.parent.mkdir()
    path.write_text("-- title: x\nupdate public.feature_flags set value = 'false' returning key\n")
    with pytest.raises(QueryError, match="params: key text, value text"):
        lever(open_launch(healthy.url, plan=here / "launch.toml"), 1)


def test_through_a_transaction_pooler(clone: Clone, demo_server: DemoServer, tmp_path: Path) -> None:
    """Both levels work where every transaction may have another session."""
    demo = clone()
    with transaction_pooler(demo_server, demo.name, tmp_path, role="postgres") as url:
        launch = open_launch(demo.url)
        done = [pulled(launch, url, level)[0] for level in (1, 2)]
    assert [(each.state, each.verified, each.login) for each in done] == [(DONE, True, "postgres")] * 2
    assert flags(demo.url) == OFF


def test_staging_keeps_its_flags_as_rows_of_a_settings_table(staging_copy: DemoDatabase) -> None:
    """One small file of its own, and level 1 works there."""
    done, _ = pulled(open_launch(staging_copy.url, plan=STAGING), staging_copy.admin_url)
    assert (done.state, done.verified, dict(done.before), dict(done.after)) == (DONE, True, ON, OFF)


@pytest.fixture
def staging_copy(staging: str, demo_server: DemoServer) -> Iterator[DemoDatabase]:  # noqa: ARG001  makes the template
    """Give a copy of staging to write in."""
    from golive_lib.demo.build import database  # noqa: PLC0415

    demo_server.create_database("staging_copy", template="staging")
    yield database(demo_server, "staging_copy")
    demo_server.drop_database("staging_copy")


def test_on_debians_postgresql_15(debian_server: DemoServer) -> None:
    """The oldest version that is supported can say what became of a transaction, too."""
    debian_server.create_database("rolled")
    with debian_server.connect("rolled") as admin:
        admin.execute("create table feature_flags (key text primary key, value jsonb, updated_at timestamptz)")
        admin.execute(f"insert into feature_flags values ('{FLAG}', 'true'), ('{PERCENTAGE}', '25')")
    try:
        done, _ = pulled(open_launch(debian_server.url("rolled")), debian_server.url("rolled", "postgres"))
    finally:
        debian_server.drop_database("rolled")
    assert (done.state, done.verified, dict(done.after)) == (DONE, True, OFF)


def golive(
    folder: Path, demo: DemoDatabase, *arguments: str, typed: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """Run ``golive rollback`` in a folder with both URLs set."""
    urls = {"GOLIVE_DB_URL": demo.url, "GOLIVE_ADMIN_DB_URL": demo.admin_url}
    return command(folder, "rollback", *arguments, typed=typed, **urls | env)


def test_dry_run_shows_everything_and_changes_nothing(clone: Clone, here: Path) -> None:
    """The SQL with its values, where, as whom, from what to what; nothing is written, not even a record."""
    demo = clone()
    shown = golive(here, demo, "--level", "1")
    assert (shown.returncode, flags(demo.url), (here / "outputs").exists()) == (0, ON, False)
    for words in (
        f"where key = '{FLAG}'::text",
        f"one transaction on {demo.name} on this machine as postgres",
        "as whom: postgres, who can connect",
        f"{PERCENTAGE}: is 100, would be 0; this role may set it",
    ):
        assert words in shown.stdout
    assert "nothing was changed; --execute does it" in shown.stderr


DRY = {
    "no admin": ((), "1", {"GOLIVE_ADMIN_DB_URL": ""}, 3, "GOLIVE_ADMIN_DB_URL is not set"),
    "no right": ((), "1", {"GOLIVE_ADMIN_DB_URL": "as golive_ro"}, 4, "may not be set: no right to read"),
    "missing": ((MISSING,), "1", {}, 4, f"{PERCENTAGE}: is missing"),
    "twice": (TWICE, "1", {}, 4, f"{PERCENTAGE}: is there more than once"),
    "never rehearsed": ((), "2", {}, 3, "rehearsal: was never made"),
}  # fmt: skip


@pytest.mark.parametrize("case", DRY)
def test_dry_run_says_whether_it_can_work(clone: Clone, here: Path, case: str) -> None:
    """What would fail on the night is said before it, with its exit code."""
    plant, level, env, code, words = DRY[case]
    demo = clone()
    change(demo, *plant)
    shown = golive(here, demo, "--level", level, **{k: v.replace("as golive_ro", demo.url) for k, v in env.items()})
    assert (shown.returncode, words in shown.stdout) == (code, True), shown.stdout


def test_execute_asks_for_the_launchs_name_and_is_recorded(clone: Clone, here: Path) -> None:
    """Another answer changes nothing; the name does it, and the ledger says who, when, what and how long."""
    demo = clone()
    refused = golive(here, demo, "--level", "1", "--execute", typed="yes\n")
    assert (refused.returncode, "nothing was changed" in refused.stderr, flags(demo.url)) == (2, True, ON)
    done = golive(here, demo, "--level", "1", "--execute", "--by", "Karim +961 3 123 456", typed=f"{NAME}\n")
    assert (done.returncode, flags(demo.url)) == (0, OFF), done.stderr
    assert f"{FLAG}: true → false" in done.stdout
    begun, ended = (entry.data for entry in Ledger(here / "outputs").entries(ROLLBACK))
    assert (begun["state"], ended["state"], ended["level"], ended["verified"]) == ("begun", "done", 1, True)
    assert (ended["before"], ended["after"], ended["login"], ended["launch"]) == (ON, OFF, "postgres", NAME)
    assert ended["at"] == "2026-03-25T22:00:00+00:00"
    assert set(ended["seconds"]) == {"command", "waited", "database"}
    assert ended["seconds"]["command"] >= ended["seconds"]["database"] > 0
    assert ended["by"] == "Karim +961…56"


def test_ledger_that_cannot_be_written_blocks_nothing(clone: Clone, here: Path) -> None:
    """It is said loudly, and the flag is off."""
    demo = clone()
    (here / "outputs").write_text("a file where the folder should be")
    done = golive(here, demo, "--level", "1", "--execute", "--yes")
    assert (done.returncode, "NOT RECORDED" in done.stderr, flags(demo.url)) == (0, True, OFF), done.stderr


def test_ledger_that_takes_no_line_blocks_nothing(clone: Clone, here: Path) -> None:
    """The folder is fine, the file cannot be written: passed over as well."""
    demo = clone()
    (here / "outputs").mkdir()
    (here / "outputs" / LEDGER).mkdir()  # as unwritable for root as for anybody
    done = golive(here, demo, "--level", "1", "--execute", "--yes")
    assert (done.returncode, "NOT RECORDED" in done.stderr, flags(demo.url)) == (0, True, OFF), done.stderr


@contextmanager
def ledger_held(folder: Path) -> Iterator[None]:
    """Hold the ledger's lock as another process at work would."""
    code = (
        "import fasteners, sys, pathlib; lock = fasteners.InterProcessLock(sys.argv[1]); lock.acquire(); "
        "print('held', flush=True); sys.stdin.read()"
    )
    folder.mkdir()
    command = [sys.executable, "-c", code, str(folder / ".ledger.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        yield


def test_ledger_held_by_another_blocks_nothing(clone: Clone, here: Path) -> None:
    """Who waits for its own record for too long goes on without it."""
    demo = clone()
    with ledger_held(here / "outputs"):
        done = golive(here, demo, "--level", "1", "--execute", "--yes")
    assert (done.returncode, "NOT RECORDED" in done.stderr, flags(demo.url)) == (0, True, OFF), done.stderr


def test_failed_level_exits_with_1_and_is_recorded(clone: Clone, here: Path) -> None:
    """The error names file and line; the ledger keeps the attempt."""
    demo = clone()
    own_views(here, "create view profiles as select 1;\n")
    done = golive(here, demo, "--level", "2", "--execute", "--yes")
    assert (done.returncode, "rollback/compat_views.sql:1" in done.stderr) == (1, True), done.stderr
    assert [entry.data["state"] for entry in Ledger(here / "outputs").entries(ROLLBACK)] == ["begun", "failed"]


@pytest.mark.parametrize(
    ("arguments", "env", "code", "words"),
    [
        ((), {}, 2, "name a level"),
        (("--level", "1", "--rehearse"), {}, 2, "name a level"),
        (("--level", "4"), {}, 2, "--level"),
        (("--level", "3", "--execute"), {}, 2, "level 3 is for people to type"),
        (("--rehearse", "--execute"), {}, 2, "a rehearsal changes nothing"),
        (("--level", "1", "--execute"), {}, 2, "nobody answered, and nothing was changed"),
        (("--level", "1", "--execute", "--yes"), {"GOLIVE_ADMIN_DB_URL": ""}, 1, "set GOLIVE_ADMIN_DB_URL"),
        (("--rehearse",), {"GOLIVE_ADMIN_DB_URL": ""}, 1, "set GOLIVE_ADMIN_DB_URL"),
    ],
)
def test_wrong_use_is_said(
    healthy: DemoDatabase, here: Path, arguments: tuple[str, ...], env: dict[str, str], code: int, words: str
) -> None:
    """A clear message and an exit code; the read-only URL never stands in for the admin's."""
    done = golive(here, healthy, *arguments, **env)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr


@pytest.mark.parametrize("text", ["grant usage on schema public to anon", "do $$ begin perform 1; end $$"])
def test_level_2_that_shows_nothing_is_not_verified(clone: Clone, here: Path, text: str) -> None:
    """A file after which no view can be looked at is committed, and nobody says that it worked."""
    own_views(here, text)
    done = golive(here, clone(), "--level", "2", "--execute", "--yes")
    assert (done.returncode, "nothing shows whether it worked" in done.stdout) == (3, True), done.stderr


def test_a_secret_is_no_name(clone: Clone, here: Path) -> None:
    """Whoever pastes a key for their name is refused before anything is done."""
    demo = clone()
    done = golive(here, demo, "--level", "1", "--execute", "--yes", "--by", "sb_" + "secret_" + "abcdefgh1234")
    assert (done.returncode, "--by holds a key" in done.stderr, flags(demo.url)) == (2, True, ON)
