"""What the readiness and coverage notebooks show: the verdict, the list, and each item with what proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

from golive_lib.judge import Status
from golive_lib.show import Html, Tile, moment, share, table, tiles, verdict_banner
from golive_lib.views import Finding

if TYPE_CHECKING:
    from golive_lib.judge import Outcome
    from golive_lib.proof import Proof
    from golive_lib.readiness import Readiness
    from golive_lib.rls import Coverage

TO_KNOW = "to know"
LONGEST = 50  # rows of a table that stands behind a proof
BRIEF = 2  # points of an item named in the list; all are in its section
_SAID = ["status", "finding"]  # the points above such a table say it


def verdict(judged: Readiness | Coverage) -> Finding:
    """Return whether the launch may begin, or whether row level security is whole."""
    outcome = judged.outcome
    return Finding(outcome, verdict_banner(outcome.verdict, outcome.sentence, _facts(judged, outcome)), judged.record())


def _facts(judged: Readiness | Coverage, outcome: Outcome) -> dict[str, str]:
    at = moment(outcome.at, ZoneInfo(outcome.zone))
    return {
        "Judged at": f"{at} (clock fixed by the database)" if outcome.clock_fixed else at,
        "Launch": judged.launch,
        "Database": judged.database,
    }


def items(ready: Readiness) -> Html:
    """Return one row per item of the list: its status and why."""
    rows = [(proof.title, proof.status.value, proof.brief(BRIEF)) for proof in ready]
    frame = pd.DataFrame(rows, columns=["item", "status", "finding"])
    return table(frame, caption="The readiness list, item by item", status_column="status")


def to_mend(ready: Readiness) -> Html:
    """Return every point that is not green, the worst first, each with what to do."""
    order = (Status.RED, Status.UNKNOWN, Status.AMBER)
    rows = [
        (f"{proof.title}: {point.what}", point.status.value, point.detail, point.fix or None)
        for status in order
        for proof in ready
        for point in proof.points
        if point.status is status
    ]
    if not rows:
        return Html('<p class="gl">Nothing: every point is green.</p>', "Nothing: every point is green.")
    frame = pd.DataFrame(rows, columns=["what", "status", "finding", "what to do"])
    return table(frame, caption="What stands in the way, the worst first", status_column="status", max_rows=LONGEST)


def item(ready: Readiness, key: str) -> Html:
    """Return one item: its points, and the figures behind them."""
    return _joined(_proof(ready[key], ZoneInfo(ready.zone)))


def _proof(proof: Proof, zone: ZoneInfo) -> list[Html]:
    points = proof.frame.drop(columns="fix").rename(columns={"what": "looked at", "detail": "finding"})
    shown = table(points, caption=f"{proof.title}: what was looked at", status_column="status", max_rows=LONGEST)
    behind = {caption: frame.drop(columns=_SAID, errors="ignore") for caption, frame in proof.tables.items()}
    return [shown, *(table(frame, caption=caption, tz=zone, max_rows=LONGEST) for caption, frame in behind.items())]


def _joined(pieces: list[Html]) -> Html:
    return Html("".join(piece.markup for piece in pieces), "\n\n".join(piece.text for piece in pieces))


def coverage_tiles(coverage: Coverage) -> Html:
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


def coverage_findings(coverage: Coverage) -> Html:
    """Return what leads past the policies, the worst first, with what it means and how to mend it."""
    found = coverage.findings[coverage.findings["level"].ne(TO_KNOW)]
    if found.empty:
        return Html('<p class="gl">Nothing leads past the policies.</p>', "Nothing leads past the policies.")
    return table(found, caption="What was found, the worst first", max_rows=LONGEST * 4)


def coverage_notes(coverage: Coverage) -> Html:
    """Return what decides nothing and is worth knowing."""
    notes = coverage.findings[coverage.findings["level"].eq(TO_KNOW)]
    return table(notes[["on", "finding", "what_it_means"]], caption="Good to know", max_rows=LONGEST * 4)


def coverage_relations(coverage: Coverage) -> Html:
    """Return every relation of the exposed schemas with its policies and what each API role may do."""
    known = coverage.relations
    shown = known[["relation", "kind", "critical", "status", "rls", "owner", "anon", "authenticated"]]
    policies = pd.Series([_policies(row) for row in known.itertuples(index=False)], known.index, dtype=object)
    return table(
        shown.assign(policies=policies),
        caption="Every relation of the exposed schemas",
        status_column="status",
        max_rows=LONGEST * 10,
    )


def _policies(row: Any) -> str | None:  # noqa: ANN401  a named tuple of the coverage's columns
    only = row.restrictive_policies and f"but only {row.restrictive_policies}"
    return "; ".join(part for part in (row.permissive_policies, only) if part) or None
