"""The performance ticket: each kind of suspect planted beside what only looks like it, and the ticket's words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import pytest
from plant import change

from golive_lib import day_health
from golive_lib.launch import Launch, open_launch
from golive_lib.performance import Performance, examine
from golive_lib.plan_readiness import BackupRules
from golive_lib.query import parse
from golive_lib.spans import spans
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.demo import DemoDatabase, DemoServer
    from golive_lib.proof import Point

    Clone = Callable[[], DemoDatabase]

ROOT = Path(__file__).parents[1]
OLD = (
    "-- title: Since when?\n-- params: schemas text\nselect now() - interval '30 days' as counted_since, "
    "30::float8 as days, true as counting, 1 as tables, 1 as large where :schemas <> ''"
)
LARGE: LiteralString = "select i as id, i % 500 + 1 as a, i % 500 % 7 as b from generate_series(1, 12000) i"
PARENT: LiteralString = "create table parents (a int, b int, primary key (a), unique (a, b))"


def at(url: str, plan: str = "launch.toml") -> Launch:
    """Open a plan on a database."""
    return open_launch(url, plan=ROOT / plan)


def look(launch: Launch) -> Performance:
    """Examine a launch at its own clock."""
    with launch.postgres.snapshot() as snapshot:
        stretches = spans(launch.plan, snapshot.clock.now)
        return examine(launch, snapshot, stretches, day_health.examine(launch, snapshot, stretches))


def answering(launch: Launch, name: str, text: str) -> Launch:
    """Return the launch with one query in another's place."""
    other = parse(text, name=name, path=Path(f"{name}.sql"))
    return Launch(launch.plan, {**launch.queries, name: other}, launch.database)


def of(found: Performance, what: str) -> Point:
    """Return one point."""
    return next(point for point in found.points if point.what == what)


def listed(found: Performance, what: str, column: str) -> list[str]:
    """Return what was found of one kind."""
    return found.suspects[what].frame[column].tolist() if what in found.suspects else []


def test_nothing_is_due_on_a_healthy_demo(healthy: DemoDatabase) -> None:
    """Its tables are small: no ticket, and what a young server cannot say is said."""
    found = look(at(healthy.url))
    assert found.ticket is None
    assert of(found, "Is a ticket due?").status is Status.GREEN
    assert of(found, "slow paths").status is Status.GREEN
    assert "pg_stat_statements is not installed" in of(found, "statistics").detail
    assert "too short to call an index unused" in of(found, "statistics").detail
    assert "a copy with a pinned clock" in of(found, "sequential scans").detail


def test_young_server_of_an_app_has_not_seen_enough(clone: Clone) -> None:
    """Where the clock is the server's own, no full reads in a few seconds are no proof that there are none."""
    demo = clone()
    change(demo, "do $$ begin execute format('alter database %I reset golive.now', current_database()); end $$")
    assert of(look(at(demo.url)), "sequential scans").status is Status.AMBER


def test_staging_needs_indexes_on_its_one_large_referring_table(staging: str) -> None:
    """Both foreign keys of the card selections have none; tables below 10,000 rows are left alone."""
    found = look(at(staging, "examples/staging/launch.toml"))
    assert found.ticket
    assert set(listed(found, "unindexed foreign keys", "table")) == {"public.tarot_v2_card_selections"}
    assert sorted(listed(found, "unindexed foreign keys", "columns")) == ["card_id", "reading_id"]
    assert "create index concurrently on public.tarot_v2_card_selections (card_id);\n" in (found.ticket or "")


def test_slow_paths_and_queries_make_a_ticket_due(clone: Clone) -> None:
    """Both are named with their figures; a slow path of a few requests is not."""
    demo = clone()
    change(
        demo,
        "update api_logs set response_time_ms = 4000 where path = '/decks' and id % 5 = 0",
        "update api_logs set path = '/rare', response_time_ms = 9000 where id > (select max(id) - 9 from api_logs)",
        "update db_query_logs set duration_ms = 900 where query_name = 'wallet' and id % 5 = 0",
    )
    found = look(at(demo.url))
    assert (listed(found, "slow paths", "path"), listed(found, "slow queries", "name")) == (["/decks"], ["wallet"])
    ticket = found.ticket or ""
    assert ticket.startswith("# Performance: slow paths (1), slow queries (1)\n")
    assert "People wait" in ticket
    assert "| `wallet` |" in ticket
    assert "None: no figure above points to an index" in ticket


def test_slow_paths_agree_with_health(clone: Clone) -> None:
    """The ticket and the health section say one P95 of a path."""
    demo = clone()
    change(demo, "update api_logs set response_time_ms = 4000 where path = '/decks' and id % 5 = 0")
    launch = at(demo.url)
    with launch.postgres.snapshot() as snapshot:
        stretches = spans(launch.plan, snapshot.clock.now)
        health = day_health.examine(launch, snapshot, stretches)
        found = examine(launch, snapshot, stretches, health)
    expected = health.paths.set_index("path")["p95_ms"]["/decks"]
    assert found.suspects["slow paths"].frame["p95_ms"].tolist() == [expected]


def test_foreign_keys_without_an_index(clone: Clone) -> None:
    """An index serves in any order of columns; a partial, invalid, trailing or covering one does not."""
    demo = clone()
    tables: tuple[LiteralString, ...] = ("bare", "served", "turned", "partial", "behind", "covered", "broken")
    change(
        demo,
        PARENT,
        "insert into parents select i, (i - 1) % 7 from generate_series(1, 500) i",
        *(f"create table {name} as {LARGE}" for name in tables),
        *(f"alter table {name} add foreign key (a, b) references parents (a, b)" for name in tables),
        "create index on served (a, b, id)",
        "create index on turned (b, a)",
        "create index on partial (a, b) where id > 5",
        "create index on behind (id, a, b)",
        "create index on covered (a) include (b)",
        "create index on broken (a, b)",
        "update pg_index set indisvalid = false where indrelid = 'broken'::regclass",
        f'create table "Odd name" as {LARGE}',
        'alter table "Odd name" rename a to "A;b"',
        'alter table "Odd name" add foreign key ("A;b") references parents (a)',
        "create table small (a int references parents (a))",
        "analyze",
    )
    found = look(at(demo.url))
    names = ["bare", "behind", "broken", "covered", "partial"]
    assert sorted(listed(found, "unindexed foreign keys", "table")) == [
        'public."Odd name"',
        *(f"public.{n}" for n in names),
    ]
    frame = found.suspects["unindexed foreign keys"].frame.set_index("table")
    expected = {"columns": "a, b", "rows": 12000, "referenced": "public.parents"}
    assert frame.loc["public.bare", list(expected)].to_dict() == expected
    assert 'create index concurrently on public."Odd name" ("A;b");' in (found.ticket or "")


def test_suggested_indexes_run_and_mend(clone: Clone) -> None:
    """The ticket's SQL is sound, the index is no larger than foretold, and then nothing is found."""
    demo = clone()
    change(demo, PARENT, "insert into parents select i from generate_series(1, 500) i", f"create table bare as {LARGE}")
    change(demo, "alter table bare add foreign key (a) references parents (a)", "analyze bare")
    frame = look(at(demo.url)).suspects["unindexed foreign keys"].frame
    assert frame["sql"].tolist() == ["create index concurrently on public.bare (a);"]
    change(demo, "create index on public.bare (a)")
    with at(demo.url).postgres.snapshot() as snapshot:
        built = snapshot._connection.exec_driver_sql("select pg_relation_size('bare_a_idx')").scalar_one()
    assert built <= frame["index_bytes"].iloc[0] + 2 * 8192
    assert "unindexed foreign keys" not in look(at(demo.url)).suspects


def test_sequential_scans_of_large_tables(clone: Clone) -> None:
    """A large table read in full over 100 times is a suspect; one read rarely, or in part, is not."""
    demo = clone()
    change(demo, *(f"create table {name} as {LARGE}" for name in ("scanned", "seldom", "peeked")), "analyze")
    change(demo, *["select count(*) from scanned"] * 105, *["select 1 from peeked limit 1"] * 200, "select from seldom")
    found = look(at(demo.url))
    assert listed(found, "sequential scans", "table") == ["public.scanned"]
    assert 105 <= found.suspects["sequential scans"].frame["full_reads"].iloc[0] < 110
    assert "read in full" in of(found, "sequential scans").detail


def test_duplicate_indexes(clone: Clone) -> None:
    """Only a copy of all that makes an index is one, and what a constraint needs is kept."""
    demo = clone()
    change(
        demo,
        f"create table twice as {LARGE}",
        "alter table twice add primary key (id)",
        "create index copy_of_key on twice (id)",
        "create index first_a on twice (a)",
        "create index second_a on twice (a)",
        "create index falling on twice (a desc)",
        "create index some_of_it on twice (a) where b = 1",
        "create index others on twice (a) where b = 2",
        "create index hashed on twice using hash (a)",
        "create index ab on twice (a) include (b)",
        "analyze twice",
    )
    frame = look(at(demo.url)).suspects["duplicate indexes"].frame.set_index("index")
    assert frame["kept"].to_dict() == {
        "public.copy_of_key": "public.twice_pkey",
        "public.second_a": "public.first_a",
    }
    assert frame["sql"]["public.second_a"] == "drop index concurrently public.second_a;"


def test_unused_indexes_are_told_and_make_no_ticket(clone: Clone) -> None:
    """Asked only of a server that has counted for a week; those of keys and foreign keys are never called unused."""
    demo = clone()
    change(
        demo,
        PARENT,
        "insert into parents select i from generate_series(1, 500) i",
        "create table idle as select i as id, i % 500 + 1 as a, md5(i::text) as b from generate_series(1, 40000) i",
        "alter table idle add primary key (id), add foreign key (a) references parents (a)",
        "create index on idle (a, b)",
        "create unique index on idle (b, id)",
        "create index idle_b on idle (b)",
        "create index idle_small on idle (b) where id = 1",
        "analyze",
    )
    launch = at(demo.url)
    assert "unused indexes" not in [point.what for point in look(launch).points]
    found = look(answering(launch, "performance/statistics", OLD))
    own = [name for name in listed(found, "unused indexes", "index") if name.startswith("public.idle")]
    assert own == ["public.idle_b"]
    assert (of(found, "unused indexes").status, found.ticket) == (Status.AMBER, None)
    change(demo, "create index idle_copy on idle (a, b)")
    ticket = look(answering(launch, "performance/statistics", OLD)).ticket or ""
    assert "## Also, and no reason for a ticket by themselves" in ticket
    assert "drop index concurrently public.idle_b;" in ticket


def test_other_schemas_are_left_alone(clone: Clone) -> None:
    """Tables of a schema that the plan does not name, and of Supabase's own, are no suspects."""
    demo = clone()
    change(
        demo,
        "create schema elsewhere",
        *(f"create table {name}.bare as {LARGE}" for name in ("elsewhere", "auth")),
        "create index on elsewhere.bare (a)",
        "create index on elsewhere.bare (a)",
        "create index on auth.bare (a)",
        "create index on auth.bare (a)",
        "analyze",
    )
    assert "duplicate indexes" not in look(at(demo.url)).suspects


def test_no_ticket_is_never_green_on_what_could_not_be_asked(clone: Clone) -> None:
    """A missing table, an empty log and a server that does not count are unknown, each with its reason."""
    demo = clone()
    change(demo, "drop table db_query_logs", "delete from api_logs")
    launch = at(demo.url)
    off = answering(launch, "performance/statistics", OLD.replace("true as counting", "false as counting"))
    found = look(off)
    assert of(found, "slow queries").detail.startswith("table missing")
    assert of(found, "slow paths").detail == "nothing was logged in these hours"
    assert of(found, "statistics").detail.startswith("the server does not count")
    assert {of(found, what).status for what in ("slow queries", "slow paths", "statistics", "Is a ticket due?")} == {
        Status.UNKNOWN
    }
    assert "sequential scans" not in [point.what for point in found.points]


def test_plan_without_a_limit_or_a_schema_is_unknown(healthy: DemoDatabase) -> None:
    """No limit on queries, and no table to look at, are said."""
    there = at(healthy.url)
    kpis = {key: kpi for key, kpi in there.plan.kpis.items() if key != "db_p95"}
    plan = replace(there.plan, kpis=kpis, backup=BackupRules(schemas=("nowhere",)))
    found = look(Launch(plan, there.queries, there.database))
    assert of(found, "slow queries").detail == "the launch plan has no limit for it"
    assert of(found, "statistics").detail.startswith("no table in nowhere")


def test_texts_of_others_stay_in_their_cells(clone: Clone) -> None:
    """A path is anybody's text: it ends no cell and no code, and people in it are masked."""
    demo = clone()
    change(
        demo,
        "update api_logs set response_time_ms = 5000, path = '/x`|<b>' || chr(10) || '# anna@example.com' "
        "where path = '/decks'",
    )
    ticket = look(at(demo.url)).ticket or ""
    assert r"| `/x'\|<b> # a…@example.com` |" in ticket


def test_statements_come_from_the_extensions_own_schema(debian_server: DemoServer) -> None:
    """The view is found in a schema of any name, its texts without literals; one that fails is said."""
    debian_server.create_database("statements")
    try:
        with debian_server.connect("statements") as connection:
            for statement in (
                'create schema "Odd ""place"',
                'create extension pg_stat_statements schema "Odd ""place"',
            ):
                connection.execute(statement)
        launch = at(debian_server.url("statements"))
        detail = of(look(launch), "statistics").detail
        assert "pg_stat_statements cannot be read: " in detail
        with debian_server.connect("statements") as connection:
            for statement in (
                'alter extension pg_stat_statements drop view "Odd ""place".pg_stat_statements',
                'drop view "Odd ""place".pg_stat_statements',
                'create table "Odd ""place".pg_stat_statements (dbid oid, query text, calls bigint, '
                "total_exec_time float8, mean_exec_time float8)",
                'insert into "Odd ""place".pg_stat_statements select oid, v.* from pg_database, '
                "(values ('select $1', 10, 100, 10), (E'alter role\\n  me password ''hun|ter''''2''', 3, 300, 100)) v "
                "where datname in ('statements', 'postgres')",
            ):
                connection.execute(statement)
        found = look(launch)
        assert found.statements["statement"].tolist() == ["alter role me password '?'", "select $1"]
        assert found.statements["time_share"].tolist() == pytest.approx([0.75, 0.25])
        assert "hides what other roles asked" in of(found, "statistics").detail
    finally:
        debian_server.drop_database("statements")
