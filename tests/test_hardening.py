"""Payment hardening: what the policies would have stopped, whether they stand and work, applying and removing them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from plant import change, command

from golive_lib import Status, open_launch
from golive_lib.errors import DatabaseError, GoliveError, PlanError, QueryError
from golive_lib.guards import effects, guards
from golive_lib.hardening import apply, prove_test_accounts, undo
from golive_lib.settings import parse_url
from golive_lib.trials import NOW, TOGETHER, WITHOUT, probe

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping

    import pandas as pd

    from golive_lib.demo import DemoDatabase
    from golive_lib.guards import Guard
    from golive_lib.launch import Launch
    from golive_lib.proof import Point

    Clone = Callable[[], DemoDatabase]

ROOT = Path(__file__).parents[1]
STAGING = ROOT / "examples" / "staging" / "launch.toml"
TESTS, GUARD = "pay_tx_block_tests", "pay_tx_prod_guard"
MARK = "a test account's mark"
LIVE, PAID = "a test account", "payments of the last 24\N{NO-BREAK SPACE}h"
DROP: LiteralString = "drop policy pay_tx_block_tests on payment_transactions"
CONDITION: LiteralString = "not exists (select from profiles p where p.user_id = auth.uid() and p.is_test)"
REAL: LiteralString = (
    "update payment_transactions t set metadata = '{}', status = 'succeeded' from profiles p "
    "where p.user_id = t.user_id and p.is_test"
)
EARLIER: LiteralString = (
    "update payment_transactions t set created_at = t.created_at - interval '1 day' from profiles p "
    "where p.user_id = t.user_id and p.is_test"
)


OWN_ROW: LiteralString = "create policy own_row on profiles for update to authenticated using (user_id = auth.uid())"


def points(launch: Launch) -> Mapping[str, Point]:
    """Return the proof's points by what they are about."""
    with launch.postgres.snapshot() as snapshot:
        return {point.what: point for point in prove_test_accounts(launch, snapshot).points}


def chosen(launch: Launch, *names: str) -> list[Guard]:
    """Return policies by name."""
    return [guards(launch)[name] for name in names]


def in_force(demo: DemoDatabase) -> set[str]:
    """Return the names of the restrictive policies on the payments table."""
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as admin:
        rows = admin.execute("select polname from pg_policy where not polpermissive").fetchall()
    return {name for (name,) in rows}


def test_healthy_demo_blocks_its_test_accounts(healthy: DemoDatabase) -> None:
    """The policy stands, refuses a test account, lets a customer in, and the last day's payments agree."""
    found = points(open_launch(healthy.url))
    assert {what: each.status for what, each in found.items()} == dict.fromkeys((TESTS, LIVE, MARK, PAID), Status.GREEN)
    assert found[MARK].detail == "it cannot lift it: 4 ways were tried as that account, and undone"


def remade(clauses: LiteralString, condition: LiteralString = CONDITION) -> tuple[LiteralString, ...]:
    """Return the statements that make the policy anew in another way."""
    return (DROP, f"create policy pay_tx_block_tests on payment_transactions {clauses} with check ({condition})")


FAULTS: dict[str, tuple[tuple[LiteralString, ...], str, Status, str]] = {
    "missing": ((DROP,), TESTS, Status.RED, "is missing"),
    "permissive": (remade("for insert to authenticated"), TESTS, Status.RED, "it is permissive"),
    "for updates": (remade("as restrictive for update to authenticated"), TESTS, Status.RED, "it is for update"),
    "for anon": (remade("as restrictive for insert to anon"), TESTS, Status.RED, "does not bind authenticated"),
    "RLS off": (
        ("alter table payment_transactions disable row level security",),
        TESTS,
        Status.RED,
        "row level security of payment_transactions is off",
    ),
    "another condition": (
        remade("as restrictive for insert to authenticated", "amount < 1000000"),
        TESTS,
        Status.AMBER,
        "differs from the kit's: (amount < 1000000) instead of",
    ),
    "profiles hidden from their owners": (
        ("drop policy profiles_own on profiles",),
        LIVE,
        Status.RED,
        "to the policy it looks like a customer",
    ),
    "a test account paid": ((REAL,), PAID, Status.RED, "for a test account, not in test mode: USD "),
    "no test account": (
        ("update profiles set is_test = false",),
        "test accounts",
        Status.AMBER,
        "no account is marked",
    ),
    "an optional policy stops customers": (
        (
            "create policy pay_tx_prod_guard on payment_transactions as restrictive for insert to authenticated "
            "with check (metadata ->> 'test_mode' = 'true' or amount < 100 or metadata ->> 'environment' = 'staging')",
        ),
        "pay_tx_prod_guard: customers",
        Status.RED,
        "is in force and would have stopped 194 of 195 real payments, USD 7,020.00 in all of the last",
    ),
    "a policy that is none of the kit's": (
        ("create policy own_rule on payment_transactions as restrictive for insert to public with check (amount < 5)",),
        "own_rule",
        Status.AMBER,
        "none of the kit's",
    ),
    "it may unmark itself": (
        (OWN_ROW,),
        MARK,
        Status.RED,
        "it may change profiles.is_test, and is then let in",
    ),
    "it may delete its own profile": (
        (
            "create policy own_row on profiles for delete to authenticated using (user_id = auth.uid())",
            "alter table profiles drop constraint profiles_pkey cascade",
        ),
        MARK,
        Status.RED,
        "it may delete its row of profiles, and is then let in",
    ),
    "it may write what it is also known by": (
        (
            OWN_ROW,
            "revoke update on profiles from authenticated",
            "grant update (role) on profiles to authenticated",
            *remade(
                "as restrictive for insert to authenticated",
                "not exists (select from profiles p where p.user_id = auth.uid() and p.is_test and p.role <> 'admin')",
            ),
        ),
        MARK,
        Status.AMBER,
        "it may change profiles.role, if to a value that the table takes",
    ),
    "marked by no column": (
        (
            "create function is_a_test() returns bool language sql stable security definer "
            "return (select p.is_test from profiles p where p.user_id = auth.uid())",
            *remade("as restrictive for insert to authenticated", "not is_a_test()"),
        ),
        MARK,
        Status.UNKNOWN,
        "the policies read no column of a row of its own",
    ),
    "the app's auth schema is gone": (
        ("alter schema auth rename to elsewhere",),
        "policies",
        Status.UNKNOWN,
        'schema "auth" does not exist',
    ),
    "no payment": (("truncate payment_transactions",), PAID, Status.UNKNOWN, "there is none"),
    "no table": (("drop table payment_transactions cascade",), "policies", Status.UNKNOWN, "table missing"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found(clone: Clone, fault: str) -> None:
    """Each way for a test account to pay for real, and each thing nobody can know, is said."""
    statements, what, status, words = FAULTS[fault]
    demo = clone()
    change(demo, *statements)
    point = points(open_launch(demo.url))[what]
    assert (point.status, words in point.detail) == (status, True)


LOOK_ALIKES: dict[str, tuple[LiteralString, ...]] = {
    "for everybody and every command": remade("as restrictive for all to public"),
    "spelled otherwise": remade(
        "as restrictive for insert to authenticated",
        "NOT (EXISTS (SELECT FROM public.profiles AS p WHERE (p.user_id = (auth.uid())) AND p.is_test))",
    ),
    "another permissive policy": (
        "create policy more on payment_transactions for insert to authenticated with check (false)",
    ),
    "a restrictive policy for readers of payments": (
        "create policy less on payment_transactions as restrictive for select to authenticated using (amount < 5)",
    ),
    "its mark is no column that it may write": (
        OWN_ROW,
        "revoke update on profiles from authenticated",
        "grant update (display_name) on profiles to authenticated",
    ),
    "a trigger keeps its mark": (
        OWN_ROW,
        "create function keep() returns trigger language plpgsql as "
        "$$ begin new.is_test = old.is_test; return new; end $$",
        "create trigger keep before update on profiles for each row execute function keep()",
    ),
    "a trigger refuses to change it": (
        OWN_ROW,
        "create function keep() returns trigger language plpgsql as $$ begin raise 'not yours'; end $$",
        "create trigger keep before update of is_test on profiles for each row execute function keep()",
    ),
    "its payments keep it from deleting its profile": (
        "create policy own_row on profiles for delete to authenticated using (user_id = auth.uid())",
    ),
    "a test account's payment failed": (REAL, "update payment_transactions set status = 'failed'"),
    "a test account paid the day before": (
        REAL,
        EARLIER,
    ),
}


@pytest.mark.parametrize("case", LOOK_ALIKES)
def test_look_alike_is_green(clone: Clone, case: str) -> None:
    """What blocks as well, and payments that were none, leave everything green."""
    demo = clone()
    change(demo, *LOOK_ALIKES[case])
    assert {point.status for point in points(open_launch(demo.url)).values()} == {Status.GREEN}


def test_effects_are_those_of_the_runbooks_conditions(healthy: DemoDatabase) -> None:
    """Counts and sums are what plain SQL says of the last 24 hours."""
    launch = open_launch(healthy.url)
    with launch.postgres.snapshot() as snapshot:
        found = effects(launch, snapshot, chosen(launch, TESTS, GUARD))
    with psycopg.connect(healthy.url.replace("+psycopg", "")) as connection:
        counted = connection.execute(
            "select count(*), count(*) filter (where amount >= 100), sum(amount) filter (where amount >= 100) / 100.0 "
            "from payment_transactions t join profiles p using (user_id) where not p.is_test "
            "and t.created_at > timestamptz '2026-03-24 22:00Z' and t.created_at <= '2026-03-25 22:00Z'"
        ).fetchone()
    assert counted
    tried, stopped, amount = (float(figure) for figure in counted)
    assert figures(found, GUARD) == figures(found, "all together") == (tried, stopped, amount)
    assert figures(found, TESTS) == (tried, 0, 0)
    by_tests = figures(found, TESTS, "test")
    assert by_tests[0] == by_tests[1] > 0
    assert figures(found, GUARD, "test")[1] == 0


def figures(found: pd.DataFrame, policy: str, payments: str = "real") -> tuple[float, ...]:
    """Return how many payments were tried and stopped, and the latter's sum."""
    rows = found[(found["policy"] == policy) & (found["payments"] == payments)]
    return tuple(float(rows[column].sum()) for column in ("tried", "stopped", "stopped_amount"))


def test_staging_has_policies_in_its_own_columns(staging: str) -> None:
    """Amounts in dollars, profiles by id; metadata that is null stops, as a policy's null does."""
    launch = open_launch(staging, plan=STAGING)
    with launch.postgres.snapshot() as snapshot:
        found = effects(launch, snapshot, chosen(launch, TESTS, GUARD))
    tried, stopped, _ = figures(found, GUARD)
    assert tried == stopped > 100
    assert figures(found, TESTS) == (tried, 0, 0)
    assert points(launch)[TESTS].detail == "is missing"
    assert LIVE not in points(launch)


def test_apply_is_idempotent_and_undo_removes(clone: Clone) -> None:
    """Applied once, found the second time, removed, and then not there."""
    demo = clone()
    launch, admin = open_launch(demo.url), parse_url(demo.admin_url)
    both = chosen(launch, TESTS, GUARD)
    first = apply(launch, both, admin)
    assert first.done[0] == "pay_tx_block_tests was in force already"
    assert first.done[1] == f"applied:\n{both[1].create}"
    assert first.login == "postgres"
    assert in_force(demo) == {TESTS, GUARD}
    assert [done.endswith("was in force already") for done in apply(launch, both, admin).done] == [True, True]
    assert undo(launch, both, admin).done[1].startswith("removed: pay_tx_prod_guard, with check (((metadata")
    assert in_force(demo) == set()
    assert undo(launch, both, admin).done == (f"{TESTS} was not there", f"{GUARD} was not there")


def test_a_policy_that_differs_is_not_replaced(clone: Clone) -> None:
    """Both conditions are shown, and nothing else is applied either."""
    demo = clone()
    change(demo, *remade("as restrictive for insert to authenticated", "amount < 1000000"))
    launch = open_launch(demo.url)
    with pytest.raises(GoliveError, match=r"there: \(amount < 1000000\)\n  the kit's: \(NOT \(EXISTS"):
        apply(launch, chosen(launch, GUARD, TESTS), parse_url(demo.admin_url))
    assert in_force(demo) == {TESTS}


def test_without_rls_nothing_is_applied(clone: Clone) -> None:
    """A policy on a table whose RLS is off would only look like protection."""
    demo = clone()
    change(demo, DROP, "alter table payment_transactions disable row level security")
    launch = open_launch(demo.url)
    with pytest.raises(GoliveError, match="its RLS is off"):
        apply(launch, chosen(launch, TESTS), parse_url(demo.admin_url))


def test_two_policies_are_applied_as_one(clone: Clone) -> None:
    """When the second fails the first is taken back."""
    demo = clone()
    change(
        demo,
        DROP,
        "create function refuse() returns event_trigger language plpgsql as $$ begin if exists (select from "
        "pg_event_trigger_ddl_commands() where object_identity like 'pay_tx_prod_guard on public%') "
        "then raise 'not today'; end if; end $$",
        "create event trigger refuse on ddl_command_end when tag in ('CREATE POLICY') execute function refuse()",
    )
    launch = open_launch(demo.url)
    with pytest.raises(DatabaseError, match="not today"):
        apply(launch, chosen(launch, TESTS, GUARD), parse_url(demo.admin_url))
    assert in_force(demo) == set()


def test_a_lock_held_elsewhere_is_a_clear_error(clone: Clone, here: Path) -> None:
    """Another session's lock is waited for as long as the plan says; nothing is applied, and probing says the same."""
    demo = clone()
    plan = here / "launch.toml"
    plan.write_text(plan.read_text().replace('lock_timeout = "2s"', 'lock_timeout = "1s"'))
    launch, admin = open_launch(demo.url, plan=plan), parse_url(demo.admin_url)
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as other:
        other.execute("lock table payment_transactions in row exclusive mode")
        for work in (apply, probe):
            with pytest.raises(DatabaseError, match="another session holds a lock"):
                work(launch, chosen(launch, GUARD), admin)
    assert in_force(demo) == {TESTS}


def test_the_admins_url_must_lead_to_the_same_database(healthy: DemoDatabase, clone: Clone) -> None:
    """What is shown of one database is not applied to another."""
    launch, other = open_launch(healthy.url), clone()
    for work in (apply, undo, probe):
        with pytest.raises(DatabaseError, match="different databases or servers"):
            work(launch, chosen(launch, TESTS), parse_url(other.admin_url))


def test_probe_shows_each_policy_at_work(healthy: DemoDatabase) -> None:
    """A test account's payment and a customer's, now, without, with each and with both; all as meant, nothing stays."""
    launch = open_launch(healthy.url)
    before = launch.frame("canary/payments")
    trials = probe(launch, chosen(launch, TESTS, GUARD), parse_url(healthy.admin_url))
    assert all(trial.as_meant for trial in trials)
    accepted = {(trial.policies, trial.account): trial.accepted for trial in trials}
    assert accepted == {
        (NOW, "test"): False,
        (NOW, "customer"): True,
        (WITHOUT, "test"): True,
        (WITHOUT, "customer"): True,
        (TESTS, "test"): False,
        (TESTS, "customer"): True,
        (GUARD, "test"): False,
        (GUARD, "customer"): False,
        (TOGETHER, "test"): False,
        (TOGETHER, "customer"): False,
    }
    assert len(launch.frame("canary/payments")) == len(before)
    assert in_force(healthy) == {TESTS}


CONTRADICTIONS: dict[str, tuple[LiteralString, str, str]] = {
    "profiles hidden from their owners": ("drop policy profiles_own on profiles", "test", "accepted"),
    "no permissive policy": ("drop policy payments_insert on payment_transactions", "customer", "no permissive policy"),
    "a policy in force stops customers": (
        "create policy pay_tx_prod_guard on payment_transactions as restrictive for insert to authenticated with check "
        "(metadata ->> 'test_mode' = 'true' or amount < 100 or metadata ->> 'environment' = 'staging')",
        "customer",
        "refused by pay_tx_prod_guard",
    ),
    "a policy in force that is none of the kit's": (
        "create policy own_rule on payment_transactions as restrictive for insert to public with check (amount < 5)",
        "customer",
        "refused by own_rule",
    ),
    "no right to insert": ("revoke insert on payment_transactions from authenticated", "customer", "permission denied"),
}


def test_mark_is_left_as_it_was(clone: Clone) -> None:
    """What a test account was let do in the proof is taken back."""
    demo = clone()
    change(demo, OWN_ROW)
    marked = "select count(*), md5(string_agg(p::text, '' order by user_id)) from profiles p"
    with psycopg.connect(demo.admin_url.replace("+psycopg", ""), autocommit=True) as admin:
        before = admin.execute(marked).fetchone()
        points(open_launch(demo.url))
        assert admin.execute(marked).fetchone() == before


def test_mark_that_cannot_be_tried_in_time_is_unknown(clone: Clone, here: Path) -> None:
    """A row that somebody else holds is waited for as long as the plan says, and proves nothing."""
    demo = clone()
    change(demo, OWN_ROW)
    plan = here / "launch.toml"
    plan.write_text(plan.read_text().replace('lock_timeout = "2s"', 'lock_timeout = "1s"'))
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as other:
        other.execute("select from profiles where is_test for update")
        found = points(open_launch(demo.url, plan=plan))
    assert (found["policies"].status, "gave up waiting for a lock" in found["policies"].detail) == (
        Status.UNKNOWN,
        True,
    )


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_probe_finds_what_contradicts_the_policies(clone: Clone, case: str) -> None:
    """A payment that fares otherwise than the condition says is not as meant."""
    statement, account, words = CONTRADICTIONS[case]
    demo = clone()
    change(demo, statement)
    launch = open_launch(demo.url)
    wrong = [trial for trial in probe(launch, chosen(launch, TESTS), parse_url(demo.admin_url)) if not trial.as_meant]
    assert any(trial.account == account and words in trial.said for trial in wrong)


def test_probe_copies_into_keys_of_every_kind(clone: Clone) -> None:
    """A generated number is the key, and the copy breaks a unique reference: the policies let it in all the same."""
    demo = clone()
    change(
        demo,
        "alter table payment_transactions drop constraint payment_transactions_pkey cascade, drop column id, "
        "add column id bigint generated always as identity primary key, add column ref text",
        "update payment_transactions set ref = id",
        "alter table payment_transactions add unique (ref)",
    )
    launch = open_launch(demo.url)
    trials = probe(launch, chosen(launch, TESTS), parse_url(demo.admin_url))
    assert all(trial.as_meant for trial in trials)
    assert any("accepted by the policies; then" in trial.said for trial in trials)


def test_probe_needs_a_payment(clone: Clone) -> None:
    """Without one to copy nothing is tried, and that is said."""
    demo = clone()
    change(demo, "truncate payment_transactions")
    launch = open_launch(demo.url)
    with pytest.raises(GoliveError, match="nothing was tried: there is no real payment"):
        probe(launch, chosen(launch, TESTS), parse_url(demo.admin_url))


@pytest.fixture
def here(here: Path) -> Path:
    """Make a user's folder with a plan and queries of its own."""
    (here / "queries" / "hardening").mkdir()
    return here


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("select amount < 5 from public.payment_transactions", "a policy reads 'select CONDITION as allowed"),
        ("select amount < 5 as allowed from public.bookings", "a policy reads 'select CONDITION as allowed"),
        ("select user_id::text = :payer as allowed from public.payment_transactions", "written :payer::uuid"),
    ],
)
def test_file_of_another_shape_is_a_query_error(healthy: DemoDatabase, here: Path, body: str, words: str) -> None:
    """The message names the file and shows the form."""
    params = "-- params: payer text\n" if ":payer" in body else ""
    (here / "queries" / "hardening" / "mine.sql").write_text(f"-- title: Mine?\n{params}{body}\n")
    with pytest.raises(QueryError, match=r"mine\.sql") as caught:
        guards(open_launch(healthy.url, plan=here / "launch.toml"))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('required = ["pay_tx_block_tests"]', 'required = ["pay_tx_other"]', "there is no policy 'pay_tx_other'"),
        ('table = "public.payment_transactions"', 'table = "payments"', "should be schema.table"),
    ],
)
def test_plan_that_names_what_is_not_there(healthy: DemoDatabase, here: Path, old: str, new: str, words: str) -> None:
    """The message quotes the entry and lists what there is."""
    plan = here / "launch.toml"
    plan.write_text(plan.read_text().replace(old, new))
    with pytest.raises(PlanError, match=words):
        guards(open_launch(healthy.url, plan=plan))


def golive(
    folder: Path, demo: DemoDatabase, *arguments: str, typed: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """Run ``golive harden`` in a folder with both URLs set."""
    urls = {"GOLIVE_DB_URL": demo.url, "GOLIVE_ADMIN_DB_URL": demo.admin_url}
    return command(folder, "harden", *arguments, typed=typed, **urls | env)


def test_dry_run_shows_everything_and_changes_nothing(healthy: DemoDatabase, here: Path) -> None:
    """The SQL, what it would have stopped, what holds and what gets round it."""
    done = golive(here, healthy)
    assert done.returncode == 0
    for words in (
        "as restrictive for insert to authenticated",
        "pay_tx_block_tests: would have stopped 0 of 195 real payments.",
        "pay_tx_prod_guard: would have stopped 194 of 195 real payments, USD 7,020.00 in all.",
        "all together: would have stopped 194 of 195",
        "metadata is written by the client",
        "bypass every policy and may insert: postgres, service_role",
    ):
        assert words in done.stdout
    assert "nothing was changed" in done.stderr
    assert in_force(healthy) == {TESTS}


def test_dry_run_without_payments_says_so(clone: Clone, here: Path) -> None:
    """Nothing was tried, so nothing shows what a policy would stop."""
    demo = clone()
    change(demo, "truncate payment_transactions")
    done = golive(here, demo)
    assert (done.returncode, "There is no real payment in the last 24" in done.stdout) == (0, True)


def test_execute_asks_for_the_launchs_name(clone: Clone, here: Path) -> None:
    """Another answer changes nothing; the name applies what is required, and says who did what when."""
    demo = clone()
    change(demo, DROP)
    refused = golive(here, demo, "--execute", typed="yes\n")
    assert (refused.returncode, "nothing was changed" in refused.stderr, in_force(demo)) == (2, True, set())
    done = golive(here, demo, "--execute", typed="SAMIA TAROT: backend.flatTables\n")
    assert (done.returncode, in_force(demo)) == (0, {TESTS})
    assert "by postgres at 20" in done.stdout


def test_undo_removes_by_name(clone: Clone, here: Path) -> None:
    """Without --execute it is only shown."""
    demo = clone()
    shown = golive(here, demo, "--undo", TESTS)
    assert (shown.returncode, in_force(demo)) == (0, {TESTS})
    assert 'drop policy pay_tx_block_tests on "public"."payment_transactions"' in shown.stdout
    assert golive(here, demo, "--undo", "--execute", "--yes", TESTS).returncode == 0
    assert in_force(demo) == set()


def test_probe_that_contradicts_exits_with_4(clone: Clone, here: Path) -> None:
    """A policy that does not do what it says is red."""
    demo = clone()
    change(demo, "drop policy profiles_own on profiles")
    done = golive(here, demo, "--probe", "--yes", TESTS)
    assert done.returncode == 4
    assert "Not as meant: pay_tx_block_tests, as test: accepted" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "env", "code", "words"),
    [
        (("--probe", "--execute"), {}, 2, "--probe stands alone"),
        (("nonesuch",), {}, 2, "there are pay_tx_block_tests, pay_tx_prod_guard"),
        (("--execute",), {}, 2, "nobody answered, and nothing was changed"),
        (("--execute", "--yes"), {"GOLIVE_ADMIN_DB_URL": ""}, 1, "set GOLIVE_ADMIN_DB_URL"),
    ],
)
def test_wrong_use_is_said(
    healthy: DemoDatabase, here: Path, arguments: tuple[str, ...], env: dict[str, str], code: int, words: str
) -> None:
    """A clear message and an exit code; the read-only URL never stands in for the admin's."""
    done = golive(here, healthy, *arguments, **env)
    assert (done.returncode, words in done.stderr) == (code, True)
