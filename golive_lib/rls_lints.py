"""What row level security leaves open: each lint looks at the catalog's rows and says what it means and how to mend it.

The list takes in what Supabase's own linter reports for security (splinter, https://github.com/supabase/splinter).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from golive_lib.judge import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    Row = Any  # a named tuple of a query's columns

ROLES = ("anon", "authenticated")
TABLES = {"table", "partitioned table", "partition"}
COMMANDS = ("select", "insert", "update", "delete")
_TRUE = re.compile(r"\(*\s*(true|1\s*=\s*1)\s*\)*", re.IGNORECASE)
_EDITABLE = re.compile(r"user_metadata|raw_user_meta_data")


@dataclass(frozen=True)
class Lint:
    """One thing found: its name, how bad (None: only worth knowing), on what, what it means, and how to mend it."""

    name: str
    status: Status | None
    relation: str
    meaning: str
    fix: str


@dataclass(frozen=True)
class Catalog:
    """What the catalog says of the exposed schemas, a frame per query of ``queries/rls/``."""

    relations: pd.DataFrame
    policies: pd.DataFrame
    reached: pd.DataFrame
    functions: pd.DataFrame
    surroundings: pd.DataFrame


def granted(row: Row, role: str) -> set[str]:
    """Return the commands that a role holds on a relation."""
    return set(getattr(row, role).split(", ")) - {""}


def exposed(row: Row) -> bool:
    """Say whether an API role may do anything with a relation's rows."""
    return any(granted(row, role) & set(COMMANDS) for role in ROLES)


def find(catalog: Catalog, critical: Iterable[str]) -> tuple[Lint, ...]:
    """Return everything found, the worst first; ``critical`` names the tables whose rows are never everybody's."""
    vital = set(critical)
    found = [
        *(lint for row in _rows(catalog.relations) for lint in _relation(row, catalog, vital)),
        *(lint for row in _rows(catalog.functions) for lint in _function(row)),
        *(lint for row in _rows(catalog.surroundings) for lint in _extension(row)),
    ]
    order = (Status.RED, Status.AMBER, None)
    return tuple(sorted(found, key=lambda lint: (order.index(lint.status), lint.relation, lint.name)))


def _rows(frame: pd.DataFrame) -> Iterator[Row]:
    return frame.itertuples(index=False)


def _relation(row: Row, catalog: Catalog, critical: set[str]) -> Iterator[Lint]:
    own = catalog.policies[(catalog.policies["schema"] == row.schema) & (catalog.policies["relation"] == row.relation)]
    policies = list(_rows(own))
    if row.kind in TABLES and not row.is_foreign:
        yield from _protection(row, policies)
        for policy in policies:
            yield from _policy(row, policy, policies, critical)
    elif exposed(row):
        reached = catalog.reached
        targets = reached[(reached["schema"] == row.schema) & (reached["relation"] == row.relation)]
        yield from _view(row, list(_rows(targets)))


def _protection(row: Row, policies: list[Row]) -> Iterator[Lint]:
    table = row.qualified
    on = f"alter table {table} enable row level security"
    if not row.rls and exposed(row):
        who = " and ".join(f"{role} ({getattr(row, role)})" for role in ROLES if granted(row, role) & set(COMMANDS))
        if row.protected_parent is not None:
            meaning = f"asked directly, this partition answers {who} past the policies of {row.protected_parent}"
            yield Lint("partition_unprotected", Status.RED, table, meaning, f"{on}; or revoke all on it")
        elif policies:
            meaning = f"it has {len(policies)} policies, but RLS is off, so none of them counts for {who}"
            yield Lint("policies_without_rls", Status.RED, table, meaning, on)
        else:
            yield Lint("rls_off", Status.RED, table, f"RLS is off: every row is open to {who}", f"{on}; then a policy")
    if row.rls and not policies and exposed(row):
        yield Lint("no_policy", None, table, "RLS is on without a policy: the API reads and writes nothing", "")
    if row.rls and policies and not any(policy.permissive for policy in policies):
        meaning = "it has restrictive policies alone: they only take away, so nobody reads a row"
        yield Lint("restrictive_only", Status.AMBER, table, meaning, "add a permissive policy for what is meant")
    if row.rls and policies and (open_ := _uncovered(row, policies)):
        yield Lint("granted_uncovered", None, table, f"granted, and refused for want of a policy: {open_}", "")
    if row.rls and row.owned_by_role and not row.forced:
        meaning = f"{row.owned_by_role} may act as its owner {row.owner}, whom RLS does not bind"
        yield Lint("owner_bypasses", Status.RED, table, meaning, f"alter table {table} force row level security")


def _uncovered(row: Row, policies: list[Row]) -> str:
    missing = []
    for role in ROLES:
        covered = {p.command for p in policies if p.permissive and getattr(p, f"for_{role}")}
        open_ = sorted((granted(row, role) & set(COMMANDS)) - covered) if "all" not in covered else []
        missing += [f"{role} {', '.join(open_)}"] if open_ else []
    return "; ".join(missing)


def _policy(row: Row, policy: Row, policies: list[Row], critical: set[str]) -> Iterator[Lint]:
    table = row.qualified
    if _EDITABLE.search(policy.using_rule + policy.check_rule):
        meaning = f"policy {policy.policy} trusts user_metadata, which its user may edit"
        yield Lint("user_metadata", Status.RED, table, meaning, "use app_metadata, or a table of the app's own")
    if not policy.permissive or not row.rls:
        return
    open_ = {role: _open(row, policy, policies, role) for role in ROLES if getattr(policy, f"for_{role}")}
    if writes := sorted({command for commands in open_.values() for command in commands} - {"select"}):
        who = " and ".join(role for role, commands in open_.items() if commands - {"select"})
        meaning = f"policy {policy.policy} lets {who} {', '.join(writes)} any row"
        yield Lint("always_true_write", Status.RED, table, meaning, "write a condition such as user_id = auth.uid()")
    if readers := [role for role, commands in open_.items() if "select" in commands]:
        vital = table in critical
        what = "every row of a critical table" if vital else "every row"
        meaning = f"policy {policy.policy} shows {' and '.join(readers)} {what}"
        fix = "write a condition such as user_id = auth.uid()" if vital else ""
        yield Lint("always_true_read", Status.RED if vital else None, table, meaning, fix)


def _open(row: Row, policy: Row, policies: list[Row], role: str) -> set[str]:
    """Return the granted commands for which a policy's rule is no rule, and no restrictive policy narrows it."""
    narrowed = {c for p in policies if not p.permissive and getattr(p, f"for_{role}") for c in _of(p)}
    return (_always_true(policy) & granted(row, role)) - narrowed


def _of(policy: Row) -> set[str]:
    return set(COMMANDS) if policy.command == "all" else {policy.command}


def _always_true(policy: Row) -> set[str]:
    """Return the commands for which a policy's rule is no rule; without a check its using rule is the check too."""
    using = bool(_TRUE.fullmatch(policy.using_rule))
    check = bool(_TRUE.fullmatch(policy.check_rule)) if policy.check_rule else using
    open_ = {"select": using, "delete": using, "update": using or check, "insert": check}
    return {command for command in _of(policy) if open_[command]}


def _view(row: Row, targets: list[Row]) -> Iterator[Lint]:
    relation = row.qualified
    if row.kind == "foreign table" or row.is_foreign:
        meaning = "a foreign table knows no row level security: every row is open"
        yield Lint("foreign_table", Status.RED, relation, meaning, f"revoke all on {relation} from anon, authenticated")
        return
    past = sorted({target.reached for target in targets if target.as_owner and target.protected})
    if "auth.users" in {target.reached for target in targets if target.as_owner}:
        meaning = "it shows rows of auth.users, where mail addresses and sign-in data lie"
        yield Lint("auth_users", Status.RED, relation, meaning, "show what is needed from a table of the app's own")
    if past and row.kind == "materialized view":
        meaning = f"it keeps rows of {', '.join(past)} without their policies"
        yield Lint(
            "materialized_view", Status.RED, relation, meaning, f"revoke all on {relation} from anon, authenticated"
        )
    elif row.kind == "materialized view":
        meaning = "a materialized view knows no row level security"
        yield Lint(
            "materialized_view", Status.AMBER, relation, meaning, f"revoke all on {relation} from anon, authenticated"
        )
    elif past:
        meaning = f"it reads {', '.join(past)} with its owner's rights ({row.owner}), past their policies"
        yield Lint(
            "definer_view", Status.RED, relation, meaning, f"alter view {relation} set (security_invoker = true)"
        )


def _function(row: Row) -> Iterator[Lint]:
    function = row.function
    if row.definer and row.callers and not row.is_trigger:
        meaning = f"{row.callers} may call it, and it reads with its owner's rights, past every policy"
        fix = f"revoke execute on function {function} from public, anon, authenticated; or make it security invoker"
        yield Lint("definer_function", Status.AMBER, function, meaning, fix)
    if not row.path_is_set:
        status = Status.AMBER if row.definer else None
        meaning = "its search path is the caller's, who decides which tables its names mean"
        yield Lint("search_path", status, function, meaning, f"alter function {function} set search_path = ''")


def _extension(row: Row) -> Iterator[Lint]:
    if row.kind == "extension":
        meaning = f"its functions lie in the exposed schema {row.detail}"
        yield Lint("extension_exposed", None, row.name, meaning, f"alter extension {row.name} set schema extensions")
    elif row.kind == "outdated extension":
        yield Lint("extension_outdated", None, row.name, f"it is at {row.detail}", f"alter extension {row.name} update")
