"""What a policy's rule asks of the caller, read from its text as PostgreSQL prints it.

An approximation, which errs towards saying too much: PostgreSQL puts every operation in parentheses, so that AND and
OR are told apart for sure, and each part is then looked at by its words. A part binds a row to its owner when it
compares a column of the table with the caller (``user_id = auth.uid()``), or hands a column to a subquery or to a
function of the app, which are trusted. It binds nobody when it says nothing of the caller, or only what is true of
everybody signed in: ``auth.uid() is not null``, ``auth.role() = 'authenticated'``, ``id is not null``. What is left
asks who the caller is and says nothing of the row, as ``is_admin()`` does: only people can tell whom that lets in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_TRUE = re.compile(r"\(*\s*(true|1\s*=\s*1)\s*\)*", re.IGNORECASE)
_QUOTED = re.compile(r"'(?:[^']|'')*'")
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]| (?:AND|OR) """)
_CALLER = re.compile(
    r"\bauth\.(?:uid|role|jwt|email)\b|\bcurrent_setting\(|\b(?:CURRENT|SESSION)_(?:USER|ROLE)\b", re.IGNORECASE
)
# What is no column though it may be spelled like one: texts, types and the names of a subquery's columns.
_TYPE = r"(?:character varying|double precision|time(?:stamp)?(?:\(\d\))? with(?:out)? time zone|[\w.]+|\"[^\"]+\")"
_NO_COLUMN = re.compile(rf"'(?:[^']|'')*'|::{_TYPE}| AS (?:\w+|\"[^\"]+\")")
_PRESENT = re.compile(r"\bIS (?:NOT )?NULL\W*$")
_OTHERWISE = re.compile(r"^\W*NOT\b|<>|\bIS DISTINCT FROM\b")
_SUBQUERY = re.compile(r"\bSELECT\b.*(?<!DISTINCT )\bFROM\b")
# Names and values of claims that say no more than that somebody is signed in.
_EVERYBODYS = {
    "", "request.jwt.claims", "request.jwt.claim.role", "role", "aud", "aal", "is_anonymous",
    "anon", "authenticated", "aal1", "aal2", "true", "false",
}  # fmt: skip


class Bond(IntEnum):
    """To whom a rule binds the rows it lets through: to nobody, to callers of some kind, or to a row's own people."""

    NOBODY = 0
    SOMEBODY = 1
    OWNER = 2


@dataclass(frozen=True)
class Names:
    """What a rule's words may mean: its table, that table's columns and the app's functions, quoted where need be."""

    table: str
    columns: Sequence[str]
    calls: Sequence[str]


def always_true(rule: str) -> bool:
    """Say whether a rule is no rule."""
    return bool(_TRUE.fullmatch(rule))


def bond(rule: str, names: Names) -> Bond:
    """Return what a rule binds rows to: with OR its weakest part counts, with AND its strongest."""
    bare = _bare(" ".join(rule.split()))
    for word, of in ((" OR ", min), (" AND ", max)):
        parts = _split(bare, word)
        if len(parts) > 1:
            return of(bond(part, names) for part in parts)
    return _part(bare, names)


def _part(part: str, names: Names) -> Bond:
    words = _NO_COLUMN.sub("", part)
    subquery = bool(_SUBQUERY.search(words))
    mentions = _mentions(words, names)
    if subquery or any(re.search(rf"(?<![\w\"]){re.escape(name)}\(", words) for name in names.calls):
        return Bond.OWNER if mentions and not words.startswith("NOT ") else Bond.SOMEBODY
    if not _CALLER.search(words) or _PRESENT.search(words):
        return Bond.NOBODY
    if mentions:
        return Bond.SOMEBODY if _OTHERWISE.search(words) else Bond.OWNER
    said = {quoted[1:-1] for quoted in _QUOTED.findall(part)}
    return Bond.NOBODY if said <= _EVERYBODYS else Bond.SOMEBODY


def _mentions(words: str, names: Names) -> bool:
    """Say whether a column is named; in a subquery PostgreSQL writes the table before the outer one's columns."""
    table = rf"(?<![\w\".]){re.escape(names.table)}\."
    places = ((_outside(words), r"(?<![\w\".])"), (words, table))
    return any(
        re.search(rf"{before}{re.escape(column)}(?![\w\"(.])", text)
        for text, before in places
        for column in names.columns
    )


def _outside(words: str) -> str:
    """Return what stands outside the subqueries."""
    pieces, kept, inside = _pieces(words), [], 0
    for piece, after in zip(pieces, [*pieces[1:], ""], strict=True):
        if piece == "(" and (inside or after.lstrip().startswith("SELECT")):
            inside += 1
        elif piece == ")" and inside:
            inside -= 1
        elif not inside:
            kept.append(piece)
    return "".join(kept)


def _bare(text: str) -> str:
    """Take away the parentheses around all of a text."""
    while text.startswith("(") and _depths(text).index(0) == len(text) - 1:
        text = text[1:-1].strip()
    return text


def _depths(text: str) -> list[int]:
    """Return how many parentheses are open after each character; quoted ones are none."""
    depth, depths = 0, []
    for piece in _pieces(text):
        depth += (piece == "(") - (piece == ")")
        depths += [depth] * len(piece)
    return depths


def _pieces(text: str) -> list[str]:
    ends = [0, *(edge for token in _TOKEN.finditer(text) for edge in token.span()), len(text)]
    return [text[start:end] for start, end in pairwise(ends) if start < end]


def _split(text: str, word: str) -> list[str]:
    """Cut a text at a word that stands outside all parentheses."""
    parts, depth = [""], 0
    for piece in _pieces(text):
        depth += (piece == "(") - (piece == ")")
        if piece == word and not depth:
            parts.append("")
        else:
            parts[-1] += piece
    return parts
