"""What row level security leaves open: each lint looks at the catalog's rows and says what it means and how to mend it.

The list takes in what Supabase's own linter reports for security (splinter, https://github.com/supabase/splinter).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from golive_lib.rls_catalog import COMMANDS, ROLES, TABLES, Catalog, Lint, exposed, granted, rows
from golive_lib.rls_policies import opens_reads, policy_lints
from golive_lib.rls_views import view_lints
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from golive_lib.rls_catalog import Row


def find(catalog: Catalog, critical: set[str], accepted: Mapping[str, str]) -> tuple[Lint, ...]:
    """Return everything found, the worst first.

    ``critical`` names the tables whose rows are never everybody's, ``accepted`` the findings the plan accepts, and why.
    """
    found = [
        *(lint for row in rows(catalog.relations) for lint in _relation(row, catalog, critical)),
        *(lint for row in rows(catalog.functions) for lint in _function(row)),
        *(lint for row in rows(catalog.surroundings) for lint in _around(row)),
    ]
    order = (Status.RED, Status.AMBER, None)
    judged = [*(_accept(lint, accepted) for lint in found), *_stale(found, accepted)]
    return tuple(sorted(judged, key=lambda lint: (order.index(lint.status), lint.relation, lint.name)))


def _accept(lint: Lint, accepted: Mapping[str, str]) -> Lint:
    """Take the plan's word for a finding; a critical table's red stays what it is."""
    reason = next((reason for key, reason in accepted.items() if _plain(key) == _plain(lint.key)), "")
    if not reason or lint.status is None:
        return lint
    if lint.vital and lint.status is Status.RED:
        return replace(lint, meaning=f"{lint.meaning}; the plan accepts it, which a critical table does not allow")
    return replace(lint, status=None, meaning=f"accepted: {reason} ({lint.meaning})")


def _plain(key: str) -> str:
    return key.replace("_", " ")  # as the report shows a finding's name


def _stale(found: Iterable[Lint], accepted: Mapping[str, str]) -> Iterator[Lint]:
    known = {_plain(lint.key) for lint in found}
    for key in (key for key in accepted if _plain(key) not in known):
        meaning = "the plan accepts this finding, and it is not found: what it was accepted for is gone, or misspelled"
        yield Lint("stale_acceptance", Status.AMBER, key, meaning, "take it out of [rls.accepted] of the plan")


def _relation(row: Row, catalog: Catalog, critical: set[str]) -> Iterator[Lint]:
    policies = catalog.of(row, catalog.policies)
    vital = not critical.isdisjoint([row.qualified, *row.ancestors])
    if row.kind in TABLES and not row.is_foreign:
        yield from (replace(lint, vital=vital) for lint in _protection(row, policies))
        yield from (lint for policy in policies for lint in policy_lints(row, policy, vital=vital))
        if row.qualified in critical:
            yield from _parents(row, catalog)
    elif exposed(row):
        judged = {other.qualified for other in rows(catalog.relations) if exposed(other)}
        yield from view_lints(row, catalog.of(row, catalog.reached), judged, critical)


def _parents(row: Row, catalog: Catalog) -> Iterator[Lint]:
    """Look at the tables that a critical table inherits from: asked through them, their policies alone count."""
    for parent in rows(catalog.relations):
        if parent.qualified in row.ancestors and opens_reads(parent, catalog.of(parent, catalog.policies)):
            meaning = (
                f"asked through {parent.qualified}, of which it is a part, its rows are open past its own policies"
            )
            fix = f"close {parent.qualified}, or alter table {row.qualified} no inherit {parent.qualified}"
            yield Lint("open_parent", Status.RED, row.qualified, meaning, fix, vital=True)


def _protection(row: Row, policies: Sequence[Row]) -> Iterator[Lint]:
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


def _uncovered(row: Row, policies: Sequence[Row]) -> str:
    missing = []
    for role in ROLES:
        covered = {p.command for p in policies if p.permissive and getattr(p, f"for_{role}")}
        open_ = sorted((granted(row, role) & set(COMMANDS)) - covered) if "all" not in covered else []
        missing += [f"{role} {', '.join(open_)}"] if open_ else []
    return "; ".join(missing)


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


def _around(row: Row) -> Iterator[Lint]:
    if row.kind == "role" and row.detail:
        meaning = f"{row.detail}: it reads every row of every table it is granted"
        fix = f"alter role {row.name} nosuperuser nobypassrls"
        yield Lint("role_bypasses", Status.RED, f"role {row.name}", meaning, fix, vital=True)
    elif row.kind == "extension":
        meaning = f"its functions lie in the exposed schema {row.detail}"
        yield Lint("extension_exposed", None, row.name, meaning, f"alter extension {row.name} set schema extensions")
    elif row.kind == "outdated extension":
        yield Lint("extension_outdated", None, row.name, f"it is at {row.detail}", f"alter extension {row.name} update")
