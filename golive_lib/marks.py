"""What marks a test account, and whether the account can lift it: each way is tried as that account, and taken back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from psycopg import sql

from golive_lib.errors import QueryFailed
from golive_lib.guards import answers, facts
from golive_lib.proof import Point
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from golive_lib.acting import Actor
    from golive_lib.guards import Guard
    from golive_lib.launch import Launch

WHAT = "a test account's mark"
_KEYS = {"uuid", "text", "character varying"}
_REFUSED = {"42", "P0"}  # classes: no right or no policy, a trigger's own words
_BROKEN = "23"  # a class: the policies let it pass, a constraint does not
_FIX = "let the service role alone write it: revoke update on the table, and grant the other columns"


@dataclass(frozen=True)
class Marked:
    """A table that policies read, the columns of it that they read, and the rows that are an account's there."""

    table: sql.Identifier
    relation: str
    columns: tuple[tuple[str, str], ...]
    own: sql.Composed

    def ways(self) -> Iterator[tuple[str, sql.Composed]]:
        """Give each way to lift a mark, in words and as a command on the account's own rows."""
        for name, type_ in self.columns:
            column = sql.Identifier(name)
            values = [sql.SQL("not {}").format(column)] if type_ == "boolean" else [sql.SQL("null"), sql.SQL("default")]
            for value in values:
                change = sql.SQL("update {} set {} = {} where {}").format(self.table, column, value, self.own)
                yield f"change {self.relation}.{name}", change
        yield f"delete its row of {self.relation}", sql.SQL("delete from {} where {}").format(self.table, self.own)


def prove_marks(actor: Actor, launch: Launch, required: Sequence[Guard], test: str, stored: str) -> list[Point]:
    """Prove that a test account cannot lift what the policies know it by; ``stored`` is the payment they are asked of.

    Says nothing where the account is let in anyway. Each command takes at most the actor's timeout, touches the
    account's own rows and is rolled back. Raises QueryFailed.
    """
    if _let_in(actor, required, test, stored):
        return []
    marked = [table for table in _marked(actor, launch, required, test) if _found(actor, table)]
    if not marked:
        detail = "the policies read no column of a row of its own, so nobody can say whether it may lift it"
        return [Point(WHAT, Status.UNKNOWN, detail, "see by whom it can be changed")]
    tried = [(words, _let_in(actor, required, test, stored, way)) for table in marked for words, way in table.ways()]
    if lifting := [words for words, let_in in tried if let_in]:
        return [Point(WHAT, Status.RED, f"it may {lifting[0]}, and is then let in", _FIX)]
    if writing := [words for words, let_in in tried if let_in is None]:
        return [Point(WHAT, Status.AMBER, f"it may {writing[0]}, if to a value that the table takes", _FIX)]
    return [Point(WHAT, Status.GREEN, f"it cannot lift it: {len(tried)} ways were tried as that account, and undone")]


def _let_in(
    actor: Actor, required: Sequence[Guard], test: str, stored: str, way: sql.Composed | None = None
) -> bool | None:
    """Say whether the policies let a test account in, after a command of its own; None where constraints stopped it."""
    try:
        with actor.undone():
            actor.become("authenticated", {"sub": test, "role": "authenticated", "aud": "authenticated"})
            if way:
                actor.run(way)
            return bool(actor.ask(answers(required, "auth.uid()"), {"stored": stored}).iloc[0].all())
    except QueryFailed as failure:
        kind = (failure.sqlstate or "")[:2]
        if way and kind == _BROKEN and not way.as_string().startswith("delete"):
            return None
        if way and kind in {*_REFUSED, _BROKEN}:
            return False
        raise


def _marked(actor: Actor, launch: Launch, required: Sequence[Guard], test: str) -> Iterator[Marked]:
    found = [facts(actor, launch, "marks", {**guard.place, "policy": guard.name}) for guard in required]
    columns = pd.concat(found).drop_duplicates()
    for (schema, relation), rows in columns.groupby(["schema", "relation"]):
        named = tuple(zip(rows["name"], rows["type"], strict=True))
        keys = [sql.SQL("{} = {}").format(sql.Identifier(name), test) for name, type_ in named if type_ in _KEYS]
        if keys:
            table = sql.Identifier(str(schema), str(relation))
            yield Marked(table, str(relation), named, sql.SQL(" or ").join(keys))


def _found(actor: Actor, marked: Marked) -> bool:
    """Say whether a table has rows of the account at all: else nothing was tried."""
    question = sql.SQL("select exists (select from {} where {}) as found").format(marked.table, marked.own)
    return bool(actor.ask(question)["found"].item())
