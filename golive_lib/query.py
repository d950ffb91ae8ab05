"""SQL files with a header: read, checked and composed into statements; no database here.

A file's header is its leading comment lines, ``-- key: value`` with indented lines going on::

    -- title: Has every deck its 78 faces and a back?
    -- sources: cards
    -- params: as_of timestamptz = now, hours int = 24, limit_ms float = kpis.api_p95.limit
    -- needs: newest is not null
    -- expect: face_cards = 78 and back_cards >= 1
    -- fix: Upload the missing cards.

``sources`` names the canonical relations the body reads; each becomes a CTE of that name. A default is a number,
``'text'``, ``true``/``false``, ``now`` (the run's clock) or a dotted path into the launch plan.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from golive_lib.errors import QueryError
from golive_lib.formats import Brief
from golive_lib.statement import TOKENS, TYPES, Part, Statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEYS = ("title", "why", "sources", "params", "columns", "needs", "expect", "fix")
SOURCE_KEYS = ("title", "why", "columns")

_HEADER = re.compile(r"--\s?(?P<key>[A-Za-z_]+):\s*(?P<value>.*)")
_MORE = re.compile(r"--\s{2,}(?P<value>\S.*)")
_PARAM = re.compile(r"(?P<name>[a-z_]\w*)\s+(?P<type>\w+)(?:\s*=\s*(?P<default>.+))?")
_DEFAULT = re.compile(r"now|true|false|-?\d+(\.\d+)?|'[^']*'|[a-z_]\w*(\.\w+)+")
_NAME = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+)+")


@dataclass(frozen=True)
class Param:
    """One declared parameter; ``default`` is the header's text, None when the caller must give a value."""

    name: str
    type: str
    default: str | None


@dataclass(frozen=True, repr=False)
class Query(Brief):
    """One SQL file: its name is its path without the ending, its body starts on ``line`` of ``path``."""

    name: str
    path: Path
    title: str
    why: str
    fix: str
    sources: tuple[str, ...]
    params: tuple[Param, ...]
    columns: tuple[tuple[str, str], ...]
    needs: str
    expect: str
    body: str
    line: int


def parse(text: str, *, name: str, path: Path) -> Query:
    """Read one query file.

    Raises QueryError with file and line for an unknown, repeated or empty key, a parameter that is declared and not
    used or used and not declared, an empty body, or more than one statement.
    """
    header, line = _header(text, path)
    body = "\n".join(text.splitlines()[line - 1 :]).rstrip()
    is_source = name.startswith("sources/")
    allowed = SOURCE_KEYS if is_source else tuple(key for key in KEYS if key != "columns")
    for key, (_, at) in header.items():
        if key not in allowed:
            kind = "source" if is_source else "query"
            raise QueryError(f"{path}:{at}: unknown header key {key!r}; a {kind} knows {', '.join(allowed)}")
    required = ("title", "columns") if is_source else ("title",)
    for key in required:
        if key not in header:
            raise QueryError(f"{path}:1: the header lacks '-- {key}: …'")
    value = {key: text for key, (text, _) in header.items()}
    query = Query(
        name=name,
        path=path,
        title=value["title"],
        why=value.get("why", ""),
        fix=value.get("fix", ""),
        sources=_names(value.get("sources", "")),
        params=_params(value.get("params", ""), path, header.get("params", ("", 1))[1]),
        columns=_columns(value.get("columns", ""), path),
        needs=value.get("needs", ""),
        expect=value.get("expect", ""),
        body=_one_statement(body, path, line),
        line=line,
    )
    _check_params_used(query)
    return query


def _header(text: str, path: Path) -> tuple[dict[str, tuple[str, int]], int]:
    """Return key → (value, line) and the line the body starts on."""
    header: dict[str, tuple[str, int]] = {}
    last = ""
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.startswith("--"):
            return header, number
        if more := _MORE.fullmatch(line.rstrip()):
            if not last:
                raise QueryError(f"{path}:{number}: {line!r} goes on from nothing; write '-- title: …' first")
            header[last] = (f"{header[last][0]} {more['value']}", header[last][1])
        elif entry := _HEADER.fullmatch(line.rstrip()):
            last = entry["key"]
            if last in header:
                raise QueryError(f"{path}:{number}: header key {last!r} is given twice")
            if not entry["value"]:
                raise QueryError(f"{path}:{number}: header key {last!r} has no value")
            header[last] = (entry["value"], number)
        else:
            raise QueryError(f"{path}:{number}: {line!r} is no header line; write '-- key: value' or move it below")
    raise QueryError(f"{path}:{len(lines) or 1}: there is no SQL below the header")


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _params(text: str, path: Path, line: int) -> tuple[Param, ...]:
    params: list[Param] = []
    for part in _names(text):
        match = _PARAM.fullmatch(part)
        if not match or match["type"] not in TYPES:
            raise QueryError(f"{path}:{line}: parameter {part!r} is not 'name type = default' ({', '.join(TYPES)})")
        if match["default"] and not _DEFAULT.fullmatch(match["default"]):
            raise QueryError(f"{path}:{line}: default {match['default']!r} is no literal, 'now' or path into the plan")
        if match["name"] in {param.name for param in params}:
            raise QueryError(f"{path}:{line}: parameter {match['name']!r} is declared twice")
        params.append(Param(match["name"], match["type"], match["default"]))
    return tuple(params)


def _columns(text: str, path: Path) -> tuple[tuple[str, str], ...]:
    columns = [tuple(part.split(maxsplit=1)) for part in _names(text)]
    for column in columns:
        if len(column) != 2:  # noqa: PLR2004  a name and a type
            raise QueryError(f"{path}: column {' '.join(column)!r} is not 'name type'")
    return tuple((name, type_) for name, type_ in columns)


def _one_statement(body: str, path: Path, line: int) -> str:
    ends = [token for token in TOKENS.finditer(body) if token["end"]]
    if ends:
        rest = TOKENS.sub(lambda token: "" if token[0].startswith(("--", "/*")) else token[0], body[ends[0].end() :])
        if rest.strip():
            at = line + body.count("\n", 0, ends[0].start())
            raise QueryError(f"{path}:{at}: more than one statement; a query file holds one")
        body = body[: ends[0].start()].rstrip()
    if not body.strip():
        raise QueryError(f"{path}:{line}: there is no SQL below the header")
    return body


def _check_params_used(query: Query) -> None:
    declared = {param.name for param in query.params}
    for text in (query.body, query.needs, query.expect):
        for token in TOKENS.finditer(text):
            if token["param"] and token["param"] not in declared:
                offset = text.count("\n", 0, token.start()) if text is query.body else 0
                at = f"{query.path}:{query.line + offset}"
                raise QueryError(f"{at}: ':{token['param']}' is used and not declared; add it to '-- params:'")
    used = {token["param"] for text in (query.body, query.needs, query.expect) for token in TOKENS.finditer(text)}
    if unused := sorted(declared - used):
        raise QueryError(f"{query.path}: parameter {unused[0]!r} is declared and not used")


def load(folders: Iterable[Path]) -> dict[str, Query]:
    """Read every ``.sql`` below the folders; a later folder's file replaces an earlier one of the same path.

    Raises QueryError for a folder that is not there, a malformed file, an unknown or undeclared source, and a source
    whose columns differ from those of the source it replaces.
    """
    catalog: dict[str, Query] = {}
    for folder in folders:
        if not folder.is_dir():
            raise QueryError(f"{folder}: no such query folder; make it, or take it out of 'queries' in the launch plan")
        for path in sorted(folder.rglob("*.sql")):
            name = path.relative_to(folder).with_suffix("").as_posix()
            if not _NAME.fullmatch(name):
                raise QueryError(f"{path}: a query's path is lower case letters, digits and _ in one folder or more")
            query = parse(text_of(path), name=name, path=_shown(path))
            replaced = catalog.get(name)
            if replaced and replaced.columns != query.columns:
                columns = ", ".join(map(" ".join, replaced.columns))
                raise QueryError(f"{path}: its columns must be those of {replaced.path}: {columns}")
            if replaced and replaced.expect and not query.expect:
                raise QueryError(f"{path}: {replaced.path} is a check; without '-- expect:' it would judge nothing")
            catalog[name] = query
    for query in catalog.values():
        _check_sources(query, catalog)
    return catalog


def text_of(path: Path) -> str:
    """Return a file's text; raises QueryError."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"{_shown(path)}: cannot be read as UTF-8 text: {error}") from None


def _shown(path: Path) -> Path:
    """Return the path as messages and reports show it: without the machine's folders where that can be."""
    for base in (Path.cwd(), Path(__file__).parents[1]):
        if path.resolve().is_relative_to(base):
            return path.resolve().relative_to(base)
    return path


def _check_sources(query: Query, catalog: Mapping[str, Query]) -> None:
    code = TOKENS.sub(lambda token: " " if token["skip"] else token[0], query.body)
    for source in query.sources:
        if f"sources/{source}" not in catalog:
            raise QueryError(f"{query.path}: unknown source {source!r}; there is no sources/{source}.sql")
        if not re.search(rf"\b{source}\b", code):
            raise QueryError(f"{query.path}: source {source!r} is declared and not used")
    known = {name.removeprefix("sources/") for name in catalog if name.startswith("sources/")}
    read = set(re.findall(r"\b(?:from|join)\s+([a-z_]\w*)\b(?!\s*[.(])", code, re.IGNORECASE))
    if not query.name.startswith("sources/") and (undeclared := sorted(read & known - set(query.sources))):
        raise QueryError(f"{query.path}: reads source {undeclared[0]!r}; add it to '-- sources:'")


def compose(query: Query, catalog: Mapping[str, Query]) -> Statement:
    """Return the query with its sources in front, as common table expressions."""
    return _compose(query, catalog, head="", tail="")


def compose_check(query: Query, catalog: Mapping[str, Query], *, rows: bool) -> Statement:
    """Return the statement that judges a check: its counts, or (``rows``) the rows that do not meet it.

    Counts come as ``examined``, ``broken`` (the condition is false) and ``unsure`` (it is null, or ``needs`` is not
    met). Raises QueryError when the query has no ``expect``.
    """
    if not query.expect:
        raise QueryError(f"{query.path}: {query.name!r} has no '-- expect:' and is no check; ask for its frame")
    judged = (
        ", golive_judged as (\n"
        f"select golive_rows.*, (({query.needs or 'true'}) is true) as golive_can, ({query.expect}) as golive_met\n"
        "from golive_rows)\n"
    )
    counts = (
        "select count(*) as examined,\n"
        "count(*) filter (where golive_can and not golive_met) as broken,\n"
        "count(*) filter (where not golive_can or golive_met is null) as unsure\nfrom golive_judged"
    )
    offending = (
        "select * from golive_judged where (golive_can and golive_met) is not true\n"
        "order by golive_can and golive_met is false desc limit :golive_sample"
    )
    tail = judged + (offending if rows else counts)
    return enclose(query, catalog, "golive_rows", tail, {"golive_sample": "bigint"})


def enclose(query: Query, catalog: Mapping[str, Query], name: str, tail: str, types: Mapping[str, str]) -> Statement:
    """Return ``tail``, which asks the query as a relation of this name; ``types`` are its own parameters'."""
    statement = _compose(query, catalog, head=f"{name} as not materialized (\n", tail=f"\n)\n{tail}")
    return Statement(statement.sql, {**statement.types, **types}, statement.parts)


def _compose(query: Query, catalog: Mapping[str, Query], *, head: str, tail: str) -> Statement:
    sql, parts = "", []

    def add(part: Query) -> None:
        nonlocal sql
        parts.append(Part(sql.count("\n") + 1, part.body.count("\n") + 1, part.path, part.line))
        sql += part.body

    for name in query.sources:
        sql += ("with " if not sql else "\n), ") + f"{name} as not materialized (\n"
        add(catalog[f"sources/{name}"])
    if head:
        sql += ("\n), " if sql else "with ") + head
    else:
        sql += "\n) (\n" if sql else "(\n"
    add(query)
    sql += tail or "\n)"
    types = {param.name: TYPES[param.type] for param in query.params}
    return Statement(sql, types, tuple(parts))
