"""Policies kept as query files: what each would have stopped, and how it stands on the table it guards.

A file of ``queries/hardening/`` is one policy: ``select <condition> as allowed from <table>``. The same condition is
the policy's WITH CHECK, with ``auth.uid()`` for ``:payer::uuid``, and is asked of past payments with whoever paid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from psycopg import sql

from golive_lib.errors import PlanError, QueryError, QueryFailed
from golive_lib.formats import sums
from golive_lib.owners import split_table
from golive_lib.query import compose, enclose
from golive_lib.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from golive_lib.acting import Actor
    from golive_lib.db import Snapshot
    from golive_lib.launch import Launch
    from golive_lib.query import Query
    from golive_lib.statement import Value

FOLDER = "hardening/"
PAYER = ":payer::uuid"
TOGETHER = "all together"
_SHAPE = re.compile(r"select\s+(?P<check>.+)\s+as\s+allowed\s+from\s+(?P<table>\S+)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Guard:
    """A policy as the kit has it: its name, its file's title and why, the condition, and the table it guards."""

    name: str
    title: str
    why: str
    check: str
    schema: str
    relation: str

    @property
    def table(self) -> str:
        """The table as SQL names it."""
        return sql.Identifier(self.schema, self.relation).as_string()

    @property
    def place(self) -> dict[str, Value]:
        """The table as values of a query."""
        return {"schema": self.schema, "relation": self.relation}

    def condition(self, payer: str = "auth.uid()") -> str:
        """Return the condition with an SQL expression for whoever pays."""
        return self.check.replace(PAYER, payer)

    @property
    def create(self) -> str:
        """The exact SQL that applies it."""
        return self.create_on(self.table, "authenticated")

    def create_on(self, table: str, role: str) -> str:
        """Return the SQL that makes it on a table for a role."""
        head = f"create policy {self.name} on {table} as restrictive for insert to {role}"
        return f"{head}\n  with check ({self.condition()})"

    @property
    def drop(self) -> str:
        """The exact SQL that removes it."""
        return f"drop policy {self.name} on {self.table}"


@dataclass(frozen=True)
class Standing:
    """How a policy stands on the table, and what keeps it from working.

    ``found`` is its condition there, None where it is missing, ``expected`` the kit's, both as PostgreSQL writes them.
    """

    guard: Guard
    faults: tuple[str, ...]
    found: str | None
    expected: str

    @property
    def differs(self) -> bool:
        """Whether the table's policy of that name is not the kit's."""
        return self.found is not None and (self.found != self.expected or bool(self.faults))


def guards(launch: Launch) -> dict[str, Guard]:
    """Return the policies there are files for, by name.

    Raises QueryError for a file of another shape, PlanError for a required policy without a file.
    """
    table = split_table(launch.plan.hardening.table)
    if table is None:
        raise PlanError(
            f"{launch.plan.path}: hardening.table = {launch.plan.hardening.table!r}: should be schema.table"
        )
    files = {name.removeprefix(FOLDER): query for name, query in launch.queries.items() if name.startswith(FOLDER)}
    found = {name: _guard(name, query, table) for name, query in sorted(files.items()) if "/" not in name}
    if missing := sorted(set(launch.plan.hardening.required) - set(found)):
        known = ", ".join(found) or "none"
        raise PlanError(f"{launch.plan.path}: hardening.required: there is no policy {missing[0]!r}; there are {known}")
    return found


def _guard(name: str, query: Query, table: tuple[str, str]) -> Guard:
    shape = _SHAPE.fullmatch(query.body.strip())
    if not shape or split_table(shape["table"]) != table:
        raise QueryError(f"{query.path}: a policy reads 'select CONDITION as allowed from {'.'.join(table)}'")
    if ":payer" in shape["check"].replace(PAYER, "") or {param.name for param in query.params} - {"payer"}:
        raise QueryError(f"{query.path}: a policy knows one parameter, whoever pays, written {PAYER}")
    return Guard(name, query.title, query.why, shape["check"], *table)


def plain(text: str) -> Statement:
    """Return SQL without parameters as a statement."""
    return Statement(text, {}, ())


def effects(launch: Launch, snapshot: Snapshot, chosen: Sequence[Guard]) -> pd.DataFrame:
    """Return what each policy, and all together, would have done to the payments of the plan's lookback.

    Columns: ``policy``, ``payments`` ('real', or 'test' for a test account's or one in test mode), ``currency``,
    ``tried``, ``stopped``, ``stopped_amount`` (in the currency's major unit). A condition that is null stops, as in a
    policy. Raises QueryFailed.
    """
    names = [sql.Identifier(guard.name).as_string() for guard in chosen]
    checks = ", ".join(
        f"coalesce({guard.condition('golive_payment.payer')}, false) as {name}"
        for guard, name in zip(chosen, names, strict=True)
    )
    relation = sql.Identifier(chosen[0].relation).as_string()
    tail = (
        f"select is_test, currency, {', '.join(names)}, count(*) as tried, sum(amount) as amount\n"
        f"from golive_payment, lateral (select {checks}\n"
        f"from jsonb_populate_record(null::{chosen[0].table}, golive_payment.stored) {relation}) judged\n"
        f"group by is_test, currency, {', '.join(names)}"
    )
    query = launch.query("hardening/facts/payments")
    statement = enclose(query, launch.queries, "golive_payment", tail, {})
    found = snapshot.frame(statement, window(launch, snapshot.clock.now))
    together = found.assign(**{TOGETHER: found[[guard.name for guard in chosen]].all(axis=1)})
    policies = [*(guard.name for guard in chosen), *([TOGETHER] if len(chosen) > 1 else [])]
    return pd.concat([_tallied(together, policy) for policy in policies], ignore_index=True)


@dataclass(frozen=True)
class Effect:
    """How many of the real payments that were tried a policy would have stopped, and their sum per currency."""

    policy: str
    stopped: int
    tried: int
    sums: str

    def __str__(self) -> str:
        worth = f", {self.sums} in all" if self.stopped else ""
        return f"{self.stopped:,} of {self.tried:,} real payments{worth}"


def real_effects(found: pd.DataFrame) -> tuple[Effect, ...]:
    """Return what each policy of ``effects`` would have done to real payments; nothing where there was none."""
    real = found[found["payments"] == "real"]
    effects = []
    for policy, rows in real.groupby("policy", sort=False):
        hit = rows[rows["stopped"] > 0]
        worth = sums(hit["currency"], hit["stopped_amount"])
        effects.append(Effect(str(policy), int(rows["stopped"].sum()), int(rows["tried"].sum()), worth))
    return tuple(effects)


def window(launch: Launch, now: datetime) -> dict[str, Value]:
    """Return the lookback's two ends as values of a query."""
    return {"since": (now - launch.plan.hardening.lookback).isoformat(), "until": now.isoformat()}


def _tallied(found: pd.DataFrame, policy: str) -> pd.DataFrame:
    stopped = ~found[policy].astype(bool)
    counted = found.assign(
        policy=policy,
        payments=found["is_test"].map({True: "test", False: "real"}),
        stopped=found["tried"].where(stopped, 0),
        stopped_amount=found["amount"].where(stopped, 0.0),
    )
    figures = ["tried", "stopped", "stopped_amount"]
    return counted.groupby(["policy", "payments", "currency"], as_index=False, dropna=False)[figures].sum()


@dataclass(frozen=True)
class Guarded:
    """The guarded table: its owner, whether RLS is on and binds the owner, and the roles that get round it."""

    owner: str
    row_security: bool
    forced: bool
    bypassing: str


def guarded(actor: Actor, launch: Launch, guard: Guard) -> Guarded:
    """Return the facts of a policy's table; raises QueryFailed, also when there is no such table."""
    found = facts(actor, launch, "guarded", guard.place)
    if found.empty:
        raise QueryFailed(f"table missing: {guard.table}", reason=f"table missing: {guard.table}")
    return Guarded(**{str(name): value for name, value in found.iloc[0].items()})


def standings(actor: Actor, launch: Launch, chosen: Sequence[Guard]) -> tuple[Standing, ...]:
    """Return how each policy stands; raises QueryFailed.

    The kit's condition is compared as PostgreSQL itself writes it: a temporary table of the same shape carries its
    policies for a moment.
    """
    table = guarded(actor, launch, chosen[0])
    expected = _expected(actor, launch, chosen)
    found = facts(actor, launch, "policies", chosen[0].place).set_index("policy")
    return tuple(_standing(guard, table, found, expected[guard.name]) for guard in chosen)


def _standing(guard: Guard, table: Guarded, found: pd.DataFrame, expected: str) -> Standing:
    if guard.name not in found.index:
        return Standing(guard, (), None, expected)
    row = found.loc[guard.name]
    faults = {
        "it is permissive: it lets in rather than stops": row["permissive"],
        f"it is for {row['command']}, not for insert": row["command"] not in {"insert", "all"},
        "it does not bind authenticated": not row["binds_authenticated"],
        f"row level security of {guard.relation} is off": not table.row_security,
    }
    return Standing(guard, tuple(words for words, holds in faults.items() if holds), str(row["condition"]), expected)


def _expected(actor: Actor, launch: Launch, chosen: Sequence[Guard]) -> dict[str, str]:
    """Return each policy's condition as PostgreSQL writes it."""
    copy = sql.Identifier("pg_temp", chosen[0].relation).as_string()
    with actor.undone():
        actor.run(plain(f"create table {copy} (like {chosen[0].table})"))
        for guard in chosen:
            actor.run(plain(guard.create_on(copy, "public")))
        written = facts(actor, launch, "policies", {**chosen[0].place, "schema": "pg_temp"})
    return dict(zip(written["policy"], written["condition"], strict=True))


def facts(actor: Actor, launch: Launch, name: str, values: Mapping[str, Value]) -> pd.DataFrame:
    """Return the answer to a query of ``hardening/facts``; raises QueryFailed."""
    return actor.ask(compose(launch.query(f"{FOLDER}facts/{name}"), launch.queries), values)


def answers(chosen: Sequence[Guard], payer: str) -> Statement:
    """Return the question for what each policy's condition says of a row, given as JSON in ``stored``; null is no.

    ``payer`` is the SQL expression for whoever pays, or ``:payer``.
    """
    checks = ", ".join(f"coalesce({guard.condition(payer)}, false) as {guard.name}" for guard in chosen)
    relation = sql.Identifier(chosen[0].relation).as_string()
    question = f"select {checks} from jsonb_populate_record(null::{chosen[0].table}, :stored) {relation}"
    return Statement(question, {"stored": "jsonb", "payer": "uuid"}, ())
