"""What a notebook shows of a list of proofs: the verdict, the list, and each item with what proves it."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pandas as pd

from golive_lib.proof import Proofs
from golive_lib.show import Html, joined, line, table, verdict_banner
from golive_lib.verdicts import Status
from golive_lib.views import Finding, facts

if TYPE_CHECKING:
    from datetime import tzinfo

    from golive_lib.proof import Proof
    from golive_lib.rls import Coverage

LONGEST = 50  # rows of a table that stands behind a proof
BRIEF = 2  # points of an item named in the list; all are in its section
_SAID = ["status", "finding"]  # the points above such a table say it


def verdict(judged: Proofs | Coverage) -> Finding:
    """Return what the list says as a whole, or whether row level security is whole."""
    outcome = judged.outcome
    word = judged.words.get(outcome.verdict) if isinstance(judged, Proofs) else None
    known = facts(outcome, judged.clock, judged.launch, judged.database)
    banner = verdict_banner(outcome.verdict, outcome.sentence, known, word)
    return Finding(outcome, banner, judged.record())


def items(list_: Proofs) -> Html:
    """Return one row per item of the list: its status and why."""
    rows = [(proof.title, proof.status.value, proof.brief(BRIEF)) for proof in list_]
    frame = pd.DataFrame(rows, columns=["item", "status", "finding"])
    return table(frame, caption="The list, item by item", status_column="status")


def to_mend(list_: Proofs) -> Html:
    """Return every point that is not green, the worst first, each with what to do."""
    order = (Status.RED, Status.UNKNOWN, Status.AMBER)
    rows = [
        (f"{proof.title}: {point.what}", point.status.value, point.detail, point.fix or None)
        for status in order
        for proof in list_
        for point in proof.points
        if point.status is status
    ]
    if not rows:
        return line("Nothing: every point is green.")
    frame = pd.DataFrame(rows, columns=["what", "status", "finding", "what to do"])
    return table(frame, caption="What stands in the way, the worst first", status_column="status", max_rows=LONGEST)


def item(list_: Proofs, key: str) -> Html:
    """Return one item: its points, and the figures behind them."""
    return joined(*_pieces(list_[key], ZoneInfo(list_.zone)))


def proof(one: Proof) -> Html:
    """Return an item by itself: its points, and the figures behind them."""
    return joined(*_pieces(one, UTC))


def _pieces(item: Proof, zone: tzinfo) -> list[Html]:
    points = item.frame.drop(columns="fix").rename(columns={"what": "looked at", "detail": "finding"})
    shown = table(points, caption=f"{item.title}: what was looked at", status_column="status", max_rows=LONGEST)
    behind = {caption: frame.drop(columns=_SAID, errors="ignore") for caption, frame in item.tables.items()}
    return [shown, *(table(frame, caption=caption, tz=zone, max_rows=LONGEST) for caption, frame in behind.items())]
