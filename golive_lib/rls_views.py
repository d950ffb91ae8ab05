"""What views and foreign tables leave open: they know no policies of their own, and may read past those of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from golive_lib.rls_catalog import ROLES, Lint, granted
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from golive_lib.rls_catalog import Row


def view_lints(row: Row, targets: Sequence[Row], judged: Collection[str], critical: Collection[str]) -> Iterator[Lint]:
    """Return what an exposed view leaves open by what it reaches.

    ``judged`` names the exposed relations, each looked at for itself; ``critical`` the critical tables.
    """
    relation, revoke = row.qualified, f"revoke all on {row.qualified} from anon, authenticated"
    vital = bool({target.reached for target in targets if target.as_owner} & set(critical))
    if row.is_foreign:
        meaning = "a foreign table knows no row level security: every row is open"
        yield Lint("foreign_table", Status.RED, relation, meaning, revoke)
        return
    if any(target.as_owner and target.reached == "auth.users" for target in targets):
        meaning = "it shows rows of auth.users, where mail addresses and sign-in data lie"
        yield Lint("auth_users", Status.RED, relation, meaning, "show what is needed from a table of the app's own")
    past = sorted({target.reached for target in targets if target.as_owner and target.protected})
    bare = sorted({_called(t) for t in targets if t.as_owner and not t.protected and _unjudged(t, judged)})
    if row.kind == "materialized view":
        yield _kept(relation, [*past, *bare], revoke, vital=vital)
    elif past or bare:
        said = [f"{', '.join(past)}, past their policies"] if past else []
        said += [f"{', '.join(bare)}, which nothing protects"] if bare else []
        meaning = f"it reads with its owner's rights ({row.owner}): {'; '.join(said)}"
        mend = "make every view it reads security_invoker" if row.invoker else _invoke(relation)
        yield Lint("definer_view", Status.RED, relation, meaning, f"{mend}; or {revoke}", vital)
    elif not row.invoker:
        meaning = f"it reads with its owner's rights ({row.owner}), though nothing that is not exposed as well"
        yield Lint("definer_view", Status.AMBER, relation, meaning, _invoke(relation))
    yield from _with_the_callers_rights(row, targets, revoke)


def _invoke(relation: str) -> str:
    return f"alter view {relation} set (security_invoker = true)"


def _kept(relation: str, reached: Sequence[str], revoke: str, *, vital: bool) -> Lint:
    if not reached:
        meaning = "a materialized view knows no row level security"
        return Lint("materialized_view", Status.AMBER, relation, meaning, revoke)
    meaning = f"it keeps rows of {', '.join(reached)} without their policies"
    return Lint("materialized_view", Status.RED, relation, meaning, revoke, vital)


def _unjudged(target: Row, judged: Collection[str]) -> bool:
    """Say whether nobody looks at what is reached: no policy stands before it, and the API does not expose it."""
    if target.what in ("function", "system relation", "foreign table"):
        return True
    return target.reached not in judged and not (target.inside and target.member)


def _called(target: Row) -> str:
    return target.reached if target.what == "table" else f"{target.what} {target.reached}"


def _with_the_callers_rights(row: Row, targets: Sequence[Row], revoke: str) -> Iterator[Lint]:
    """Look at what the caller may reach through a view alone, for its schema is not exposed and nobody else looks."""
    for target in targets:
        who = [role for role in ROLES if role in target.callers.split(", ") and granted(row, role)]
        if target.inside or target.as_owner or target.protected or target.member or not who:
            continue
        if target.what in ("table", "materialized view", "foreign table"):
            meaning = f"it shows {' and '.join(who)} every row of {_called(target)}, which nothing protects"
            yield Lint("bare_table", Status.RED, row.qualified, meaning, f"enable RLS on {target.reached}; or {revoke}")
        elif target.definer:
            meaning = f"{' and '.join(who)} read through it what {target.reached} reads with its owner's rights"
            yield Lint("definer_call", Status.AMBER, row.qualified, meaning, f"see what it returns; or {revoke}")
