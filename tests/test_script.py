"""A file of commands cut as psql cuts it, and what would end its transaction refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golive_lib.errors import QueryError
from golive_lib.script import read_script, split

FILE = Path("views.sql")

# Each holds a semicolon, or what looks like a beginning, that ends or begins nothing.
COMMANDS = (
    "select 1",
    "select ';', 'it''s; --', E'\\';', \"a;\"\"b\"",
    "select $$ ; ' $$, $tag$ ; $$ ; $tag$",
    "select a$b$c, x from t -- ; no end\n where true",
    "select 1 /* ; /* nested ; */ ' ; */ + 1",
    "create rule r as on insert to t do also (insert into u values (1); delete from v)",
    "create function f() returns int language sql begin atomic select case when true then 1 end; select 2; end",
    "create or replace procedure p() begin atomic delete from t; end",
    "do $body$ begin perform 1; end $body$",
    'create table "begin" ("end" int, x text default \'begin;\')',
    "comment on view v is 'ends with \\'",
    "select :name, x::int, 1.5e3, $1",
    "insert into café values (U&'d\\0061t')",
)


@given(
    st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=8),
    st.sampled_from([";\n", " ;\r\n\r\n", ";-- so\n", ";;\n/* ; */"]),
)
def test_commands_are_cut_where_they_end(commands: list[str], end: str) -> None:
    """Whatever stands one after another comes back as it was, each on its line."""
    text = end.join(commands)
    found = list(split(text, FILE))
    assert [command.text for command in found] == commands
    assert all(text.splitlines()[command.line - 1].endswith(command.text.splitlines()[0]) for command in found[-1:])


@given(st.text(alphabet="ab'\"$;()/*-\\ \nE", max_size=40))
def test_any_text_is_cut_or_refused(text: str) -> None:
    """Nothing is lost between the commands, and no text is a crash."""
    try:
        found = list(split(text, FILE))
    except QueryError:
        return
    left = text
    for command in found:
        assert command.text in left
        left = left.partition(command.text)[2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("select 1;\n\\i other.sql\n", r"views.sql:2: '\\i other.sql' is a command of psql"),
        ("select 1 \\gexec\n", "views.sql:1: .* is a command of psql"),
        ("select 1;\ncopy t from stdin;\n1\n\\.\n", "views.sql:"),
        ("copy t (a) from stdin", r"views.sql:1: 'copy t \(a\) from stdin' reads or writes"),
        ("select 'a;\n", "views.sql:1: ' is never closed"),
        ("select E'a\\';\n", "views.sql:1: E' is never closed"),
        ("\n\nselect (1;\n", "views.sql:3: '\\(' is never closed"),
        ("select $x$ ;", r"views.sql:1: \$x\$ is never closed"),
        ("select 1;\n/* ; /* */", r"views.sql:2: /\* is never closed"),
        ("create function f() returns int begin atomic select 1;", "views.sql:1: .*BEGIN without its END"),
        ("-- nothing\n;\n", "views.sql:1: there is no command"),
        ("create view v as select 1;\ncommit;\ncreate view w as select 1;", "views.sql:2: 'commit' begins or ends"),
        ("begin;\ncreate view v as select 1;", "views.sql:1: 'begin' begins or ends"),
        ("select 1; /* so */ Rollback;", "views.sql:1: 'Rollback' begins or ends"),
        ("select 1;\nsavepoint a;", "views.sql:2: 'savepoint a'"),
        ("select 1;\nprepare transaction 'x';", "views.sql:2: 'prepare transaction 'x''|views.sql:2"),
        ("begin; select 1; commit; select 2; commit;", "views.sql:1: 'commit' begins or ends"),
        ("begin isolation level serializable; select 1; commit;", "views.sql:1: 'begin isolation level"),
        ("select 1;\nEnd;", "views.sql:2: 'End' begins or ends"),
    ],
)
def test_what_cannot_be_one_transaction_is_refused(text: str, words: str) -> None:
    """With file, line and the offending text, before anything runs."""
    with pytest.raises(QueryError, match=words):
        read_script(text, FILE)


@pytest.mark.parametrize("begin", ["begin", "BEGIN WORK", "start transaction"])
@pytest.mark.parametrize("end", ["commit", "COMMIT TRANSACTION", "end"])
def test_one_pair_around_everything_is_left_out(begin: str, end: str) -> None:
    """The kit's own transaction stands for it, which is said."""
    script = read_script(f"\ufeff-- a file\n{begin};\nselect 1;\nselect 2;\n{end};\n", FILE)
    assert ([command.text for command in script.commands], script.wrapped) == (["select 1", "select 2"], True)
    assert [command.line for command in script.commands] == [3, 4]


@pytest.mark.parametrize(
    "text", ["create view release as select 1", "create table begin_of_day (a int)", "select 1 as commit"]
)
def test_looks_like_control_and_is_not(text: str) -> None:
    """A name is no command."""
    assert [command.text for command in read_script(text, FILE).commands] == [text]


@pytest.mark.parametrize(
    "text", ["set search_path = samia", "SET statement_timeout = 1234", "reset all", "discard all"]
)
def test_what_would_outlive_the_transaction_is_refused(text: str) -> None:
    """Behind a pooler it would hold for the app's own sessions; what ends with the transaction may stay."""
    with pytest.raises(QueryError, match=r":2: .*write SET LOCAL"):
        read_script(f"select 1;\n{text};\n", FILE)
    local = "set local search_path = public;\nset constraints all immediate;\n"
    assert len(read_script(local, FILE).commands) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("copy t to '/tmp/t.csv'", "COPY|reads or writes what no transaction takes back"),
        ("COPY (select 1) TO PROGRAM 'mail'", "reads or writes"),
        ("copy t (a) from program 'curl x'", "reads or writes"),
        ("select setval('s', 1)", r"setval\(\) moves a sequence"),
        ("select coalesce(pg_catalog.\"setval\"('s', 1), 0)", r"setval\(\)"),
        ("insert into t values (NextVal /* so */ ('s'))", r"nextval\(\)"),
        ("create table t as select nextval('s')", r"nextval\(\)"),
        ("create materialized view v as select nextval('s')", r"nextval\(\)"),
        ("alter table t add column a int default nextval('s')", r"nextval\(\)"),
        ("do $$ begin perform setval('s', 1); end $$", r"setval\(\)"),
        ("select set_config('lock_timeout', '0', true)", r"set_config\(\) may outlive"),
        ("set local lock_timeout = 0", "would make it wait longer"),
        ("SET LOCAL statement_timeout TO default", "would make it wait longer"),
    ],
)
def test_what_a_rehearsal_cannot_take_back_is_refused(text: str, words: str) -> None:
    """With file and line, for the rehearsal would do it for real, or wait as long as others please."""
    with pytest.raises(QueryError, match=f"views.sql:2: .*({words})"):
        read_script(f"select 1;\n{text};\n", FILE)


@pytest.mark.parametrize(
    "text",
    [
        "copy t from '/srv/t.csv'",
        "create view v as select nextval('s') as n",
        "create table t (id bigint default nextval('s'))",
        "create or replace function f() returns bigint language sql as $$ select nextval('s') $$",
        "alter table t alter column id set default nextval('s')",
        "select 'setval(1)', nextval, -- nextval('s')\n \"nextval\" from t",
        "select currval('s'), /* setval('s', 1) */ lastval()",
        "set local search_path = public",
        "set local idle_in_transaction_session_timeout = 0",
        "do $$ begin perform 'x'; -- nextval('s')\nend $$",
    ],
)
def test_looks_like_what_cannot_be_taken_back_and_is_not(text: str) -> None:
    """What is only written down, said in quotes or read stays."""
    assert [command.text for command in read_script(text, FILE).commands] == [text]


def test_a_call_is_named_by_its_own_line() -> None:
    """Deep in a command of many lines, in a block's body too."""
    with pytest.raises(QueryError, match=r"views.sql:3: nextval\(\)"):
        read_script("select 1,\n  2,\n  nextval('s')", FILE)
    with pytest.raises(QueryError, match=r"views.sql:3: setval\(\)"):
        read_script("do $$\nbegin\n perform setval('s', 1);\nend $$", FILE)
