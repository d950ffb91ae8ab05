"""Trying the payment policies out: payments inserted as a test account and as a customer, and all of it rolled back."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from psycopg import sql

from golive_lib.acting import acting
from golive_lib.errors import GoliveError, QueryFailed
from golive_lib.guards import Guard, answers, facts, guards, plain, standings, window
from golive_lib.hardening import ACCOUNTS, told
from golive_lib.rls_probe import same_database
from golive_lib.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from golive_lib.acting import Actor
    from golive_lib.launch import Launch
    from golive_lib.settings import DatabaseUrl

NOW, WITHOUT, TOGETHER = "as it is now", "without these policies", "with all of them"
DENIED, BROKEN = "42501", "23"  # the latter a class: the row breaks a constraint, which is looked at after the policies
_BY = re.compile(r'row-level security policy "([^"]+)"')


@dataclass(frozen=True)
class Trial:
    """What became of one payment: under which policies, by which account, and what was meant to become of it."""

    policies: str
    account: str
    meant: bool
    accepted: bool | None
    said: str

    @property
    def as_meant(self) -> bool:
        """Whether the policies did what they say."""
        return self.accepted is self.meant


@dataclass(frozen=True)
class Payment:
    """A payment to try: as which account, who that is, the row as JSON, and which policies would let it in."""

    account: str
    payer: str
    row: str
    allowed: frozenset[str]


def probe(launch: Launch, chosen: Sequence[Guard], url: DatabaseUrl) -> tuple[Trial, ...]:
    """Try a customer's newest real payment again, as them and as a test account, under each of the policies.

    That is: as it is now, without any, with each alone, and with all chosen. The table is locked against others
    meanwhile; each statement may take the plan's ``probe_timeout``. Raises GoliveError without a payment to copy or a
    test account, DatabaseError for a lock or a missing right.
    """
    every = list(guards(launch).values())
    with told(chosen), acting(url, launch.plan.database, timeout=launch.plan.rls.probe_timeout) as actor:
        same_database(actor, launch)
        standing = [found.guard for found in standings(actor, launch, every) if found.found is not None]
        insert, payments = _payments(actor, launch, every)
        drops = [guard.drop for guard in standing]
        scenarios = [(NOW, [], standing), (WITHOUT, drops, [])]
        scenarios += [(guard.name, [*drops, guard.create], [guard]) for guard in chosen]
        scenarios += [(TOGETHER, [*drops, *(guard.create for guard in chosen)], [*chosen])] if len(chosen) > 1 else []
        trials = []
        for name, commands, under in scenarios:
            with actor.undone():
                for command in commands:
                    actor.run(plain(command))
                trials += [_trial(actor, name, under, insert, payment) for payment in payments]
        return tuple(trials)


def _trial(actor: Actor, policies: str, under: Sequence[Guard], insert: Statement, payment: Payment) -> Trial:
    """Try one payment; as it is now a customer is meant to be let in, whatever stands there."""
    customer_now = policies == NOW and payment.account != ACCOUNTS[0]
    meant = customer_now or payment.allowed.issuperset(guard.name for guard in under)
    try:
        with actor.undone():
            actor.become("authenticated", {"sub": payment.payer, "role": "authenticated", "aud": "authenticated"})
            actor.run(insert, {"stored": payment.row})
    except QueryFailed as failure:
        return Trial(policies, payment.account, meant, *_refusal(failure))
    return Trial(policies, payment.account, meant, accepted=True, said="accepted")


def _refusal(failure: QueryFailed) -> tuple[bool | None, str]:
    """Say what a failed insert means; without a policy's name it was no permissive one that lets it in."""
    code = failure.sqlstate or ""
    if code.startswith(BROKEN):
        return True, f"accepted by the policies; then {failure.reason}"
    if code == DENIED and "row-level security" in failure.reason:
        by = _BY.search(failure.reason)
        return False, f"refused by {by[1]}" if by else "refused: no permissive policy lets it in"
    return None, failure.reason


def _payments(actor: Actor, launch: Launch, every: Sequence[Guard]) -> tuple[Statement, list[Payment]]:
    """Return the insert, and the newest real payment as the customer's who made it and as a test account's."""
    with launch.database.snapshot() as snapshot:
        lately = window(launch, snapshot.clock.now)
    newest = facts(actor, launch, "newest", {**lately, "by_test": False})
    test = facts(actor, launch, "accounts", {})["test"].item()
    if newest.empty or test is None:
        lacking = "real payment in hardening.lookback to copy" if newest.empty else "account marked as a test's"
        raise GoliveError(f"nothing was tried: there is no {lacking}")
    columns = facts(actor, launch, "columns", every[0].place)
    payer, row = newest["payer"].item(), json.loads(newest["stored"].item())
    row |= {name: str(uuid.uuid4()) for name in columns["name"][columns["is_key"] & (columns["type"] == "uuid")]}
    given = columns["name"][~columns["is_key"].astype(bool) | (columns["type"] == "uuid")]
    names, table = ", ".join(sql.Identifier(name).as_string() for name in given), every[0].table
    copy = f"insert into {table} ({names}) select {names} from jsonb_populate_record(null::{table}, :stored)"
    payments = []
    for account, who in zip(ACCOUNTS, (test, payer), strict=True):
        stored = json.dumps(row).replace(payer, who)
        says = actor.ask(answers(every, ":payer"), {"payer": who, "stored": stored}).iloc[0]
        payments.append(Payment(account, who, stored, frozenset(guard.name for guard in every if says[guard.name])))
    return Statement(copy, {"stored": "jsonb"}, ()), payments


def frame(trials: Sequence[Trial]) -> pd.DataFrame:
    """Return trials as a table, one row each."""
    rows = [(t.policies, t.account, "let in" if t.meant else "refused", t.said, t.as_meant) for t in trials]
    return pd.DataFrame(rows, columns=["policies", "as", "meant to be", "payment", "as meant"])
