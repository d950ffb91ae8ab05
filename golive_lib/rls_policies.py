"""What single policies leave open: rules that are no rules, and on critical tables those that name no owner.

A restrictive policy beside them takes nothing of that away: whether it narrows enough no text can tell.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from golive_lib.rls_catalog import COMMANDS, ROLES, Lint, allowed
from golive_lib.rls_rules import Bond, Names, always_true, bond
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from golive_lib.rls_catalog import Row

_EDITABLE = re.compile(r"user_metadata|raw_user_meta_data")
_LEVELS = {Bond.NOBODY: Status.RED, Bond.SOMEBODY: Status.AMBER, Bond.OWNER: None}
_FIX = "write a condition such as user_id = auth.uid()"


def policy_lints(row: Row, policy: Row, *, vital: bool) -> Iterator[Lint]:
    """Return what a policy leaves open on its table; ``vital`` when that is a critical one."""
    table = row.qualified
    if _EDITABLE.search(policy.using_rule + policy.check_rule):
        meaning = f"policy {policy.policy} trusts user_metadata, which its user may edit"
        yield Lint("user_metadata", Status.RED, table, meaning, "use app_metadata, or a table of the app's own", vital)
    if not policy.permissive or not row.rls:
        return
    yield from _writes(row, policy, vital=vital)
    readers = allowed(row, policy, "select") if "select" in _of(policy) and always_true(policy.using_rule) else []
    if readers:
        what = "every row of a critical table" if vital else "every row"
        meaning = f"policy {policy.policy} shows {' and '.join(readers)} {what}"
        status = Status.RED if vital else None
        yield Lint("always_true_read", status, table, meaning, _FIX if vital else "", vital)


def opens_reads(row: Row, policies: Sequence[Row]) -> bool:
    """Say whether rows of a table are read past any owner: RLS is off, or a policy's rule binds nobody."""
    open_ = (p for p in policies if p.permissive and "select" in _of(p) and allowed(row, p, "select"))
    held = any("select" in getattr(row, role) for role in ROLES)
    return held and (not row.rls or any(bond(p.using_rule, _names(row, p)) is Bond.NOBODY for p in open_))


def _of(policy: Row) -> set[str]:
    return set(COMMANDS) if policy.command == "all" else {policy.command}


def _names(row: Row, policy: Row) -> Names:
    return Names(row.quoted, policy.columns, policy.calls)


def _writes(row: Row, policy: Row, *, vital: bool) -> Iterator[Lint]:
    found: dict[tuple[str, Status], list[str]] = {}
    for command in sorted(_of(policy) - {"select"}):
        if allowed(row, policy, command) and (opening := _opening(row, policy, command, vital=vital)):
            found.setdefault(opening, []).append(command)
    for (name, status), commands in found.items():
        who = " and ".join(role for role in ROLES if any(role in allowed(row, policy, c) for c in commands))
        meaning = f"policy {policy.policy} {_meaning(name, status, who, ', '.join(commands))}"
        yield Lint(name, status, row.qualified, meaning, _FIX, vital)


def _meaning(name: str, status: Status, who: str, commands: str) -> str:
    if name == "always_true_write":
        return f"lets {who} {commands} any row"
    if name == "handed_over":
        return f"lets {who} hand rows over to others: what a row becomes is not bound to its owner"
    if status is Status.RED:
        return f"lets {who} {commands} rows of others: it compares no owner with the caller"
    return f"lets {who} {commands} any row once they pass it, and it says nothing of the row's owner: see who passes"


def _opening(row: Row, policy: Row, command: str, *, vital: bool) -> tuple[str, Status] | None:
    """Return the lint that a command is open by, if it is; without a check its using rule is the check too."""
    check = policy.check_rule or policy.using_rule
    rule = check if command == "insert" else policy.using_rule
    if always_true(rule):
        return "always_true_write", Status.RED if vital or command != "insert" else Status.AMBER
    chosen = _LEVELS[bond(rule, _names(row, policy))] if vital else None
    if chosen is not Status.RED and command == "update" and always_true(check):
        return "handed_over", Status.RED if vital else Status.AMBER
    if chosen:
        return "unbound_write", chosen
    become = _LEVELS[bond(check, _names(row, policy))] if vital and command == "update" else None
    return ("handed_over", become) if become else None
