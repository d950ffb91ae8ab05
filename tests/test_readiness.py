"""The readiness list as a whole: a healthy demo may go, and each item broken in turn is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, LiteralString

import pytest
from plant import change

from golive_lib import proof_views, readiness
from golive_lib.demo import open_app
from golive_lib.demo.build import database
from golive_lib.dump import take_backup
from golive_lib.launch import Launch, open_launch
from golive_lib.leaks import leak
from golive_lib.ledger import REHEARSAL, Ledger
from golive_lib.records import RECORD
from golive_lib.rehearsal import rehearse
from golive_lib.rollback_rehearsal import rehearse_rollback
from golive_lib.settings import BACKUPS, OUTPUTS, parse_url
from golive_lib.storage import take_storage
from golive_lib.verdicts import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from golive_lib.demo import DemoDatabase, DemoServer

DATABASE = "readiness"
ITEMS = [
    "secrets",
    "flags",
    "backup",
    "storage",
    "coverage",
    "isolation",
    "test_accounts",
    "sanity",
    "contracts",
    "rollback",
]


@pytest.fixture(scope="module")
def demo(demo_server: DemoServer, healthy: DemoDatabase) -> Iterator[DemoDatabase]:  # noqa: ARG001  makes the template
    """Give a copy of the healthy demo of this module's own."""
    demo_server.create_database(DATABASE, template="pristine")
    yield database(demo_server, DATABASE)
    demo_server.drop_database(DATABASE)


@pytest.fixture(scope="module")
def env(demo: DemoDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Serve the demo's API, take the backup and the manifest, and store a coverage report."""
    folder = tmp_path_factory.mktemp("readiness")
    with open_app(demo) as variables:
        given = dict(variables) | {BACKUPS: str(folder / "backups"), OUTPUTS: str(folder / "outputs")}
        launch = opened(demo, given)
        backup = take_backup(launch, folder / "backups", lambda _: None)
        rehearse(launch, backup, folder / "backups", lambda _: None)
        take_storage(launch, folder / "backups")
        store_coverage(folder / "outputs", launch)
        rehearsal = rehearse_rollback(launch, parse_url(demo.admin_url))
        Ledger(folder / "outputs").append(REHEARSAL, rehearsal.record(launch))
        yield given


def store_coverage(outputs: Path, launch: Launch) -> None:
    """Leave the record of a coverage report judged at the demo's now."""
    record = {
        "run_id": "20260325T220000Z-rls-0000", "notebook": "rls", "started_at": "2026-03-25T22:00:00+00:00",
        "seconds": 1.0, "state": "finished", "verdict": "go", "status": "green", "sentence": "", "zone": "UTC",
        "judged_at": "2026-03-25T22:00:00+00:00", "parameters": {}, "database": str(launch.database.url),
        "error": None, "html": None, "ipynb": None, "version": "0",
    }  # fmt: skip
    folder = outputs / record["run_id"]  # type: ignore[operator]
    folder.mkdir(parents=True)
    (folder / RECORD).write_text(json.dumps(record))


def opened(demo: DemoDatabase, env: Mapping[str, str]) -> Launch:
    """Open the launch as the read-only role, in an environment."""
    launch = open_launch(demo.url)
    launch.env = env
    return launch


def test_healthy_demo_may_go(demo: DemoDatabase, env: Mapping[str, str]) -> None:
    """Every item is proven."""
    ready = readiness.prove(opened(demo, env))
    assert [(proof.key, proof.status.value, proof.reason) for proof in ready if proof.status is not Status.GREEN] == []
    assert [proof.key for proof in ready] == ITEMS
    assert ready.outcome.verdict is Verdict.GO


BROKEN: dict[str, tuple[str, tuple[LiteralString, ...], tuple[LiteralString, ...], str]] = {
    "a flag is off": (
        "flags",
        ("update feature_flags set value = 'false' where key = 'feature.tarotV2'",),
        ("update feature_flags set value = 'true' where key = 'feature.tarotV2'",),
        "feature.tarotV2",
    ),
    "a critical table loses RLS": (
        "coverage",
        ("alter table call_sessions disable row level security",),
        ("alter table call_sessions enable row level security",),
        "call_sessions",
    ),
    "everybody signed in reads all payments": (
        "isolation",
        ("create policy leak on payment_transactions for select to authenticated using (true)",),
        ("drop policy leak on payment_transactions",),
        "payment_transactions",
    ),
    "the policy against test payments is gone": (
        "test_accounts",
        (
            "create table kept as select pg_get_expr(polwithcheck, polrelid) as rule from pg_policy "
            "where polname = 'pay_tx_block_tests'",
            "drop policy pay_tx_block_tests on payment_transactions",
        ),
        (
            "do $$ begin execute (select format('create policy pay_tx_block_tests on payment_transactions "
            "as restrictive for insert to authenticated with check (%s)', rule) from kept); end $$",
            "drop table kept",
        ),
        "pay_tx_block_tests",
    ),
    "an object is gone": (
        "storage",
        (
            "create table kept as select * from storage.objects where bucket_id = 'recordings' order by name limit 1",
            "delete from storage.objects o using kept k where o.id = k.id",
        ),
        ("insert into storage.objects select * from kept", "drop table kept"),
        "call_recordings",
    ),
    "a draft is visible": (
        "sanity",
        ("update tarot_v2_readings set ai_draft_visible_to_client = true where ctid = '(0,1)'",),
        ("update tarot_v2_readings set ai_draft_visible_to_client = false",),
        "draft",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_item_broken_in_the_database_is_no_go(demo: DemoDatabase, env: Mapping[str, str], fault: str) -> None:
    """The verdict is no-go and its sentence names the item and what is wrong."""
    item, plant, mend, named = BROKEN[fault]
    change(demo, *plant)
    try:
        ready = readiness.prove(opened(demo, env))
    finally:
        change(demo, *mend)
    assert ready.outcome.verdict is Verdict.NO_GO
    assert ready[item].status is Status.RED
    assert named.lower() in ready[item].reason.lower()
    assert ready[item].title in ready.outcome.sentence
    assert named.lower() in proof_views.to_mend(ready).text.lower()


def test_nothing_set_can_still_be_published(demo: DemoDatabase, env: Mapping[str, str]) -> None:
    """What an analyst sees first, a list without a single variable, says how to set them and is no leak."""
    folders = {name: env[name] for name in (BACKUPS, OUTPUTS)}
    ready = readiness.prove(opened(demo, folders))
    assert ready.outcome.verdict is Verdict.NO_GO
    assert leak(json.dumps(ready.record(), ensure_ascii=False) + proof_views.to_mend(ready).markup, ()) is None


def test_missing_secret_is_no_go(demo: DemoDatabase, env: Mapping[str, str]) -> None:
    """A variable that is not set is named."""
    ready = readiness.prove(opened(demo, {k: v for k, v in env.items() if k != "SERVICE_ROLE_KEY"}))
    assert ready.outcome.verdict is Verdict.NO_GO
    assert "SERVICE_ROLE_KEY" in ready.outcome.sentence


def test_rollback_that_was_never_rehearsed_holds(demo: DemoDatabase, env: Mapping[str, str], tmp_path: Path) -> None:
    """Nobody has seen it work, and the list says which command shows it."""
    launch = opened(demo, {**env, OUTPUTS: str(tmp_path)})
    store_coverage(tmp_path, launch)
    ready = readiness.prove(launch)
    assert (ready.outcome.verdict, ready["rollback"].status) == (Verdict.HOLD, Status.UNKNOWN)
    assert "golive rollback --rehearse" in proof_views.to_mend(ready).text


def test_rollback_that_would_fail_is_no_go(demo: DemoDatabase, env: Mapping[str, str], tmp_path: Path) -> None:
    """A table where the file of views makes a view: rehearsed, it is red and named."""
    launch = opened(demo, {**env, OUTPUTS: str(tmp_path)})
    store_coverage(tmp_path, launch)
    change(demo, "create schema samia", "create table samia.bookings (a int)")
    try:
        rehearsal = rehearse_rollback(launch, parse_url(demo.admin_url))
    finally:
        change(demo, "drop schema samia cascade")
    Ledger(tmp_path).append(REHEARSAL, rehearsal.record(launch))
    ready = readiness.prove(launch)
    assert (ready.outcome.verdict, ready["rollback"].status) == (Verdict.NO_GO, Status.RED)
    assert "rollback/compat_views.sql:11" in ready.outcome.sentence


@pytest.mark.parametrize(("item", "named"), [("backup", "golive backup"), ("storage", "golive storage")])
def test_missing_copy_is_no_go(
    demo: DemoDatabase, env: Mapping[str, str], tmp_path: Path, item: str, named: str
) -> None:
    """Without a backup or a manifest the list says which command takes one."""
    ready = readiness.prove(opened(demo, {**env, BACKUPS: str(tmp_path)}))
    assert ready[item].status is Status.RED
    assert named in proof_views.to_mend(ready).text


@pytest.mark.parametrize("item", ["backup", "storage", "coverage", "rollback"])
def test_old_copy_is_no_go(demo: DemoDatabase, env: Mapping[str, str], item: str) -> None:
    """A day and an hour after they were taken they are too old, and ``as_of`` looks that far ahead."""
    ready = readiness.prove(opened(demo, env), as_of="2026-03-26T23:00:00Z")
    assert ready[item].status is Status.RED


def test_api_that_is_not_there_is_not_green(demo: DemoDatabase, env: Mapping[str, str]) -> None:
    """Nobody answering proves nothing."""
    ready = readiness.prove(opened(demo, {**env, "GOLIVE_API_URL": "http://127.0.0.1:9"}))
    assert ready["contracts"].status is not Status.GREEN
    assert ready.outcome.verdict is not Verdict.GO


def test_record_is_json_and_holds_no_secret(demo: DemoDatabase, env: Mapping[str, str]) -> None:
    """What is kept for machines can be written, and quotes no value of the environment."""
    text = json.dumps(readiness.prove(opened(demo, env)).record())
    secret = [env[name] for name in env if name.endswith(("_KEY", "_TOKEN"))]
    assert len(secret) == 4
    assert [value for value in secret if value in text] == []


def test_command_prepares_what_is_missing_once(demo: DemoDatabase, env: Mapping[str, str], tmp_path: Path) -> None:
    """The first run takes backup, manifest and report, and may go; the next one finds them fresh."""
    given = {**os.environ, **env, BACKUPS: str(tmp_path / "backups")}  # reports of the environment's folder count not
    assert given["GOLIVE_DB_URL"] == demo.url
    command = [sys.executable, "-m", "golive_lib", "readiness", "--prepare", "--outputs", str(tmp_path / "elsewhere")]
    runs, copies = [], []
    for _ in range(2):
        runs.append(subprocess.run(command, env=given, cwd=tmp_path, capture_output=True, text=True, check=False))
        copies.append(sorted(path.name for path in (tmp_path / "backups").iterdir()))
    assert [run.returncode for run in runs] == [0, 0], runs[0].stderr
    assert [("rls: go" in run.stdout, "readiness: go" in run.stdout) for run in runs] == [(True, True), (False, True)]
    assert copies[0] == copies[1]
    assert len(copies[0]) == 4


def test_report_that_could_not_judge_is_no_report(demo: DemoDatabase, env: Mapping[str, str], tmp_path: Path) -> None:
    """A run that said "unknown" has looked at nothing, however young it is."""
    launch = opened(demo, {**env, OUTPUTS: str(tmp_path)})
    store_coverage(tmp_path, launch)
    assert readiness.last_coverage(launch) is not None
    path = next(tmp_path.glob(f"*/{RECORD}"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"verdict": "hold", "status": "unknown"}))
    assert readiness.last_coverage(launch) is None
