"""Payment hardening: proving that test accounts cannot pay for real, and applying or removing the policies."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from golive_lib.acting import applying
from golive_lib.errors import DatabaseError, GoliveError, QueryFailed, SettingsError
from golive_lib.formats import duration, number, sums
from golive_lib.guards import (
    FOLDER,
    TOGETHER,
    Guard,
    Standing,
    answers,
    effects,
    facts,
    guarded,
    guards,
    plain,
    real_effects,
    standings,
    window,
)
from golive_lib.marks import prove_marks
from golive_lib.proof import Point, Proof
from golive_lib.rls_probe import as_others, same_database
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from golive_lib.acting import Actor
    from golive_lib.db import Snapshot
    from golive_lib.launch import Launch
    from golive_lib.settings import DatabaseUrl
    from golive_lib.statement import Value

TITLE = "Test accounts cannot pay for real"
LOCKED, NO_SCHEMA = "55P03", "3F000"
ACCOUNTS = ("test", "customer")


def prove_test_accounts(launch: Launch, snapshot: Snapshot) -> Proof:
    """Prove that the plan's required policies stand, refuse a test account, and that none paid for real lately.

    Raises QueryError for a policy file of another shape, PlanError for a required policy without one.
    """
    points = (*_stand(launch, snapshot), *_paid(launch, snapshot))
    return Proof("test_accounts", TITLE, points, "the policies stand, and no test account paid for real")


def _stand(launch: Launch, snapshot: Snapshot) -> list[Point]:
    known, lately = guards(launch), window(launch, snapshot.clock.now)
    required = [known[name] for name in launch.plan.hardening.required]
    if not required:
        return [Point("policies", Status.UNKNOWN, "the plan requires none", "name them in hardening.required")]
    points: list[Point] = []
    try:
        with as_others(launch) as actor:
            binding = _binding(facts(actor, launch, "policies", required[0].place))
            in_force = [known[name] for name in binding if name in known]
            found = standings(actor, launch, list(dict.fromkeys([*required, *in_force])))
            points += [_standing(standing) for standing in found]
            points += [_strange(name) for name in binding if name not in known]
            points += _hindering(launch, snapshot, in_force)
            if all(standing.found is not None and not standing.faults for standing in found):
                points += _refused(actor, launch, required, lately)
    except QueryFailed as failure:
        points.append(Point("policies", Status.UNKNOWN, failure.reason, _mend(failure)))
    except (DatabaseError, SettingsError) as error:
        points.append(Point("policies", Status.UNKNOWN, str(error).splitlines()[0]))
    return points


def _mend(failure: QueryFailed) -> str:
    if failure.sqlstate == NO_SCHEMA:
        return "is this the app's database, and are Supabase's own schemas in it? Else adapt the policies' files"
    return "see the item 'Clients read only their own rows'"


def _standing(standing: Standing) -> Point:
    name = standing.guard.name
    if standing.found is None:
        return Point(name, Status.RED, "is missing", f"golive harden --execute {name}")
    renew = f"golive harden --undo --execute {name}, then golive harden --execute {name}"
    if standing.faults:
        return Point(name, Status.RED, "; ".join(standing.faults), renew)
    if standing.differs:
        detail = f"differs from the kit's: {standing.found} instead of {standing.expected}"
        return Point(name, Status.AMBER, " ".join(detail.split()), renew)
    return Point(name, Status.GREEN, "restrictive, for insert, binds authenticated; its condition is the kit's")


def _binding(policies: pd.DataFrame) -> list[str]:
    """Name the policies that every payment of a signed-in user must pass, required or not."""
    restrictive = policies[~policies["permissive"].astype(bool) & policies["binds_authenticated"].astype(bool)]
    return restrictive[restrictive["command"].isin(["insert", "all"])]["policy"].tolist()


def _strange(name: str) -> Point:
    detail = "restricts payments and is none of the kit's: nobody has counted whom it stops"
    return Point(name, Status.AMBER, detail, "add it to queries/hardening/, or drop it")


def _hindering(launch: Launch, snapshot: Snapshot, in_force: Sequence[Guard]) -> Iterator[Point]:
    """Say which policies in force would have stopped customers: a payment must pass every one of them."""
    for effect in real_effects(effects(launch, snapshot, in_force)) if in_force else ():
        if effect.stopped and effect.policy != TOGETHER:
            detail = (
                f"is in force and would have stopped {effect} of the last {duration(launch.plan.hardening.lookback)}"
            )
            yield Point(
                f"{effect.policy}: customers", Status.RED, detail, f"golive harden --undo --execute {effect.policy}"
            )


def _refused(actor: Actor, launch: Launch, required: Sequence[Guard], lately: Mapping[str, Value]) -> list[Point]:
    """Ask the required conditions as a test account and as a customer, who see of other tables what RLS lets them.

    What a test account might do to its own mark is tried before the transaction is sealed, and taken back.
    """
    accounts = facts(actor, launch, "accounts", {}).iloc[0]
    if not accounts["tests"]:
        return [
            Point("test accounts", Status.AMBER, "no account is marked as one", "mark them, or adapt sources/people")
        ]
    newest = facts(actor, launch, "newest", {**lately, "by_test": False})
    stored = {"stored": "{}" if newest.empty else str(newest["stored"].item())}  # without a payment, a row of nulls
    lifting = prove_marks(actor, launch, required, str(accounts["test"]), stored["stored"])
    actor.seal()
    allowed = {}
    for account in ACCOUNTS:
        actor.become("authenticated", {"sub": str(accounts[account]), "role": "authenticated", "aud": "authenticated"})
        allowed[account] = bool(actor.ask(answers(required, "auth.uid()"), stored).iloc[0].all())
    if allowed["test"]:
        fix = "let everybody see their own profile: a policy sees no more than whoever pays"
        return [Point("a test account", Status.RED, "would be let in: to the policy it looks like a customer", fix)]
    if not allowed["customer"]:
        alike = "would be refused, but so would a customer"
        return [Point("a test account", Status.AMBER, alike, "golive harden --probe"), *lifting]
    return [Point("a test account", Status.GREEN, "would be refused, and a customer let in"), *lifting]


def _paid(launch: Launch, snapshot: Snapshot) -> list[Point]:
    what = f"payments of the last {duration(launch.plan.hardening.lookback)}"
    try:
        found = launch.ask(snapshot, f"{FOLDER}facts/by_tests", **window(launch, snapshot.clock.now))
    except QueryFailed as failure:
        return [Point(what, Status.UNKNOWN, failure.reason, "adapt sources/payment_attempts.sql")]
    if found.empty:
        return [Point(what, Status.UNKNOWN, "there is none, so nothing is shown", "raise hardening.lookback")]
    payments, by_tests, for_real = (int(found[name].sum()) for name in ("payments", "by_tests", "for_real"))
    if for_real:
        lost = found[found["for_real"] > 0]
        worth = sums(lost["currency"], lost["amount"])
        detail = f"{number(for_real)} went through for a test account, not in test mode: {worth}"
        return [Point(what, Status.RED, detail, "refund them, and find who uses these accounts")]
    theirs = f"({number(by_tests)} are theirs, in test mode or not paid)"
    detail = f"none of {number(payments)} went through for a test account {theirs}"
    return [Point(what, Status.GREEN, detail)]


@dataclass(frozen=True)
class Change:
    """What a command did to the policies, by whom and when by the server's clock."""

    done: tuple[str, ...]
    login: str
    at: str


def apply(launch: Launch, chosen: Sequence[Guard], url: DatabaseUrl) -> Change:
    """Apply policies in one transaction; one that is there already and the kit's is left alone.

    Raises GoliveError when one is there and differs, or the table's RLS is off; DatabaseError for a lock held by
    another session or a missing right. Nothing is applied then.
    """
    with told(chosen), applying(url, launch.plan.database) as actor:
        same_database(actor, launch)
        if not guarded(actor, launch, chosen[0]).row_security:
            enable = f"alter table {chosen[0].table} enable row level security"
            raise GoliveError(f"{chosen[0].table}: its RLS is off, so policies would do nothing; first {enable}")
        found = standings(actor, launch, chosen)
        for standing in found:
            if standing.differs:
                raise GoliveError(_different(standing))
        done = [_applied(actor, standing) for standing in found]
        return _change(actor, launch, done)


def _applied(actor: Actor, standing: Standing) -> str:
    if standing.found is not None:
        return f"{standing.guard.name} was in force already"
    actor.run(plain(standing.guard.create))
    return f"applied:\n{standing.guard.create}"


def _different(standing: Standing) -> str:
    name = standing.guard.name
    faults = "".join(f"\n  {fault}" for fault in standing.faults)
    return (
        f"{name} is there and is not the kit's; nothing was applied{faults}\n  there: {standing.found}\n"
        f"  the kit's: {standing.expected}\n  next: golive harden --undo --execute {name}, if it may go"
    )


def undo(launch: Launch, chosen: Sequence[Guard], url: DatabaseUrl) -> Change:
    """Remove policies in one transaction, whatever they say; raises as ``apply`` does."""
    with told(chosen), applying(url, launch.plan.database) as actor:
        same_database(actor, launch)
        done = []
        for standing in standings(actor, launch, chosen):
            if standing.found is None:
                done.append(f"{standing.guard.name} was not there")
                continue
            actor.run(plain(standing.guard.drop))
            done.append(f"removed: {standing.guard.name}, with check {standing.found}")
        return _change(actor, launch, done)


def _change(actor: Actor, launch: Launch, done: Sequence[str]) -> Change:
    who = facts(actor, launch, "who", {}).iloc[0]
    return Change(tuple(done), str(who["login"]), str(who["at"]))


@contextmanager
def told(chosen: Sequence[Guard]) -> Iterator[None]:
    """Say of a lock that is held by another session what it means."""
    try:
        yield
    except QueryFailed as failure:
        if failure.sqlstate != LOCKED:
            raise
        words = f"another session holds a lock on {chosen[0].table}; nothing was changed; try again when it is quieter"
        raise DatabaseError(words) from None
