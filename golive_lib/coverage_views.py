"""What the coverage notebook shows: how much is protected, what was found, and every relation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from golive_lib.formats import share
from golive_lib.show import Html, Tile, line, table, tiles
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from golive_lib.rls import Coverage

TO_KNOW = "to know"
MOST = 500  # rows of a table: a catalog has no more that anybody reads


def figures(coverage: Coverage) -> Html:
    """Return how many critical tables and how much of everything exposed is protected."""
    tables = [point for point in coverage.points if point.what.startswith("critical table")]
    kept = [point for point in tables if point.status is Status.GREEN]
    whole = next((point.status for point in coverage.points if point.what == "coverage"), Status.UNKNOWN)
    worst_table = Status.GREEN if tables and len(kept) == len(tables) else Status.RED if tables else Status.UNKNOWN
    part = "none" if coverage.share is None else share(coverage.share)
    exposed = f"{coverage.protected} of {coverage.exposed} relations that anon or authenticated may ask"
    return tiles(
        [
            Tile("Critical tables protected", f"{len(kept)} of {len(tables)}", "", worst_table),
            Tile("Everything exposed, protected", part, exposed, whole),
        ]
    )


def findings(coverage: Coverage) -> Html:
    """Return what leads past the policies, the worst first, with what it means and how to mend it."""
    found = coverage.findings[coverage.findings["level"].ne(TO_KNOW)]
    if found.empty:
        return line("Nothing leads past the policies.")
    return table(found, caption="What was found, the worst first", max_rows=MOST)


def notes(coverage: Coverage) -> Html:
    """Return what decides nothing and is worth knowing."""
    known = coverage.findings[coverage.findings["level"].eq(TO_KNOW)]
    return table(known[["on", "finding", "what_it_means"]], caption="Good to know", max_rows=MOST)


def relations(coverage: Coverage) -> Html:
    """Return every relation of the exposed schemas with its policies and what each API role may do."""
    known = coverage.relations
    shown = known[["relation", "kind", "critical", "status", "rls", "owner", "anon", "authenticated"]]
    policies = pd.Series([_policies(row) for row in known.itertuples(index=False)], known.index, dtype=object)
    return table(
        shown.assign(policies=policies),
        caption="Every relation of the exposed schemas",
        status_column="status",
        max_rows=MOST,
    )


def _policies(row: Any) -> str | None:  # noqa: ANN401  a named tuple of the coverage's columns
    only = row.restrictive_policies and f"but only {row.restrictive_policies}"
    return "; ".join(part for part in (row.permissive_policies, only) if part) or None
