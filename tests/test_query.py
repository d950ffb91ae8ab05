"""Query files: a strict header, sources in front, values bound and never pasted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golive_lib.errors import QueryError
from golive_lib.query import Query, compose, compose_check, load, parse

HEAD = "-- title: What?\n"


def read(text: str, name: str = "sanity/x") -> Query:
    """Parse a text as the query file x.sql."""
    return parse(text, name=name, path=Path("x.sql"))


def catalog(folder: Path, **files: str) -> dict[str, Query]:
    """Write query files (``a__b`` is a/b.sql) and load their folder."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return load([folder])


SOURCE = "-- title: Things.\n-- columns: id text, size bigint\nselect id::text, size::bigint from public.things\n"


def test_header_is_read() -> None:
    """Every key becomes a field, and indented lines go on."""
    query = read(
        "-- title: How many\n--   are there?\n-- why: So.\n-- params: n int = 3, at timestamptz = now\n"
        "-- expect: n > 0\n-- fix: Add.\nselect :n as n, :at as at;\n"
    )
    assert (query.title, query.why, query.expect, query.fix) == ("How many are there?", "So.", "n > 0", "Add.")
    assert [(p.name, p.type, p.default) for p in query.params] == [("n", "int", "3"), ("at", "timestamptz", "now")]
    assert (query.body, query.line) == ("select :n as n, :at as at", 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-- title: What?\n-- expct: n > 0\nselect 1", "x.sql:2: unknown header key 'expct'"),
        ("-- title: What?\n-- title: Again?\nselect 1", "x.sql:2: header key 'title' is given twice"),
        ("-- title: What?\n-- why:\nselect 1", "x.sql:2: header key 'why' has no value"),
        ("-- hello\nselect 1", "x.sql:1: '-- hello' is no header line"),
        ("--   hello\nselect 1", "goes on from nothing"),
        ("select 1", "x.sql:1: the header lacks '-- title: …'"),
        (HEAD, "x.sql:1: there is no SQL below the header"),
        (HEAD + ";", "x.sql:2: there is no SQL below the header"),
        (HEAD + "select 1;\nselect 2", "x.sql:2: more than one statement"),
        (HEAD + "select 1,\n  :n", "x.sql:3: ':n' is used and not declared"),
        (HEAD + "-- params: n int\nselect 1", "parameter 'n' is declared and not used"),
        (HEAD + "-- params: n number\nselect :n", "x.sql:2: parameter 'n number' is not 'name type = default'"),
        (HEAD + "-- params: n int = x y\nselect :n", "x.sql:2: default 'x y' is no literal"),
        (HEAD + "-- params: n int, n text\nselect :n", "x.sql:2: parameter 'n' is declared twice"),
        (HEAD + "-- columns: n int\nselect 1", "x.sql:2: unknown header key 'columns'"),
    ],
)
def test_malformed_file_is_refused(text: str, message: str) -> None:
    """A malformed file is an error that names the file, the line and the text."""
    with pytest.raises(QueryError) as caught:
        read(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        "select '12:30'::time, ':n'",
        "select 1 -- not :n",
        "select /* ; :n */ 1",
        'select 1 as ":n"',
        "select $$:n;$$",
        r"select E'it\'s :n ; x'",
        "select 'a;b', 'it''s :n'",
        "select a[1:2] from (select array[1, 2]) x (a)",
        "select 1; -- the end",
    ],
)
def test_what_only_looks_like_a_parameter_or_an_end_is_left_alone(body: str) -> None:
    """Colons and semicolons in texts, names, comments and casts mean nothing."""
    assert read(HEAD + body).params == ()


def test_values_are_bound_with_their_types() -> None:
    """The driver gets placeholders with casts, and percent signs doubled."""
    query = read(HEAD + "-- params: n int = 1\nselect 5 % :n, '%', ':n'")
    assert compose(query, {}).driver_sql() == "(\nselect 5 %% cast(%(n)s as bigint), '%%', ':n'\n)"


def test_client_sql_quotes_values() -> None:
    """A value with a quote stays one literal in the SQL for people."""
    query = read(HEAD + "-- params: t text = 'x'\nselect :t")
    assert compose(query, {}).client_sql({"t": "o'clock; drop"}) == "(\nselect 'o''clock; drop'::text\n)"


def test_sources_come_in_front(tmp_path: Path) -> None:
    """A source is a CTE of its name, in any number."""
    queries = catalog(tmp_path, sources__things=SOURCE, sanity__x=HEAD + "-- sources: things\nselect * from things")
    sql = compose(queries["sanity/x"], queries).driver_sql()
    assert sql.startswith("with things as not materialized (\nselect id::text")
    assert sql.endswith(") (\nselect * from things\n)")


def test_position_is_found_in_its_file(tmp_path: Path) -> None:
    """A character position in the server's SQL leads back to file and line, in a source and in the query."""
    text = HEAD + "-- sources: things\n-- params: n int = 1\nselect :n\nfrom things\nwhere wrong"
    queries = catalog(tmp_path, sources__things=SOURCE, sanity__x=text)
    statement = compose(queries["sanity/x"], queries)
    sql = statement.server_sql()
    assert statement.locate(sql.index("wrong") + 1) == f"{tmp_path}/sanity/x.sql:6"
    assert statement.locate(sql.index("public.things") + 1) == f"{tmp_path}/sources/things.sql:3"
    assert statement.locate(1) is None


def test_later_folder_replaces_a_file_of_the_same_path(tmp_path: Path) -> None:
    """An overlay's source takes the place of the kit's; the rest stays."""
    catalog(tmp_path / "kit", sources__things=SOURCE, sanity__x=HEAD + "select 1")
    catalog(tmp_path / "own", sources__things=SOURCE.replace("public.things", "public.stuff"))
    queries = load([tmp_path / "kit", tmp_path / "own"])
    assert sorted(queries) == ["sanity/x", "sources/things"]
    assert "public.stuff" in queries["sources/things"].body


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"sanity__x": HEAD + "-- sources: nothing\nselect * from nothing"}, "unknown source 'nothing'"),
        ({"sanity__x": HEAD + "-- sources: things\nselect 1"}, "source 'things' is declared and not used"),
        ({"sanity__x": HEAD + "select * from things"}, "reads source 'things'; add it to '-- sources:'"),
        ({"sanity__X": HEAD + "select 1"}, "a query's path is lower case"),
        ({"x": HEAD + "select 1"}, "in one folder or more"),
    ],
)
def test_catalog_that_does_not_fit_is_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    """Undeclared, unused and unknown sources and names nobody could guess are errors."""
    with pytest.raises(QueryError) as caught:
        catalog(tmp_path, sources__things=SOURCE, **files)
    assert message in str(caught.value)


def test_table_that_shares_a_sources_name_needs_no_declaration(tmp_path: Path) -> None:
    """A schema-qualified table is a table, not the source of that name."""
    assert catalog(tmp_path, sources__things=SOURCE, sanity__x=HEAD + "select * from public.things")


def test_overlay_keeps_the_columns(tmp_path: Path) -> None:
    """A source that answers with other columns than the one it replaces is refused."""
    catalog(tmp_path / "kit", sources__things=SOURCE)
    catalog(tmp_path / "own", sources__things=SOURCE.replace("size bigint", "size int"))
    with pytest.raises(QueryError, match=r"its columns must be those of .*: id text, size bigint"):
        load([tmp_path / "kit", tmp_path / "own"])


def test_overlay_cannot_turn_a_check_into_figures(tmp_path: Path) -> None:
    """A replacement without a condition would leave a check out of the verdict, so it is refused."""
    catalog(tmp_path / "kit", sanity__x=HEAD + "-- expect: n = 1\nselect 1 as n")
    catalog(tmp_path / "own", sanity__x=HEAD + "select 1 as n")
    with pytest.raises(QueryError, match="without '-- expect:' it would judge nothing"):
        load([tmp_path / "kit", tmp_path / "own"])


def test_missing_folder_is_named(tmp_path: Path) -> None:
    """A plan's query folder that is not there is an error, not an empty catalog."""
    with pytest.raises(QueryError, match="no such query folder"):
        load([tmp_path / "nowhere"])


def test_query_without_a_condition_is_no_check() -> None:
    """Asking figures for a status is an error."""
    with pytest.raises(QueryError, match="has no '-- expect:'"):
        compose_check(read(HEAD + "select 1"), {}, rows=False)


@settings(derandomize=True, max_examples=300)
@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the parser fail in another way than with its own error."""
    try:
        query = read(HEAD + text)
    except QueryError:
        return
    compose(query, {}).driver_sql()
