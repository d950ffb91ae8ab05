"""What a notebook shows of its results: the verdict, the checks, the rows that break them, and how it was judged."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC
from html import escape
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

from golive_lib.formats import mask, moment
from golive_lib.show import Html, joined, line, status_badge, styled, table, verdict_banner
from golive_lib.verdicts import VERDICT_MIME, Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from golive_lib.checks import CheckResult, Checks
    from golive_lib.clock import Clock
    from golive_lib.verdicts import Outcome


@dataclass(frozen=True, repr=False)
class Finding:
    """The verdict as people read it and as the record keeps it; a report without one counts as failed.

    ``judged`` holds the figures behind it, JSON-able and free of the run's own time: kept as ``judged.json``.
    """

    outcome: Outcome
    banner: Html
    judged: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return self.banner.text

    __repr__ = __str__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002  IPython's signature
        record = asdict(self.outcome) | {"at": self.outcome.at.isoformat(), "judged": self.judged}
        return {"text/html": styled(self.banner.markup), "text/plain": self.banner.text, VERDICT_MIME: record}


def verdict(checks: Checks) -> Finding:
    """Return what the checks say together."""
    outcome = checks.outcome
    known = facts(outcome, checks.clock, checks.launch, checks.database)
    return Finding(outcome, verdict_banner(outcome.verdict, outcome.sentence, known))


def facts(outcome: Outcome, clock: Clock, launch: str, database: str) -> dict[str, str]:
    """Return what stands below a verdict: when and what was judged."""
    at = moment(outcome.at, ZoneInfo(outcome.zone)) + clock.note
    return {"Judged at": at, "Launch": launch, "Database": database}


def summary(checks: Checks) -> Html:
    """Return one row per check: its question, its status, and how many rows it examined and found wanting."""
    rows = [(r.title, r.status.value, r.examined, r.broken, r.reason) for r in checks]
    frame = pd.DataFrame(rows, columns=["question", "status", "rows examined", "rows broken", "finding"])
    return table(frame, caption="Each check, its status and what it found", status_column="status")


def offending(checks: Checks) -> Html:
    """Return the rows behind every check that is not green, each with the way to mend it."""
    pieces = [_offence(result, ZoneInfo(checks.zone)) for result in checks if result.status is not Status.GREEN]
    if not pieces:
        return line("No row breaks a rule.")
    return joined(*pieces)


def _offence(result: CheckResult, zone: tzinfo) -> Html:
    heading = f"{result.title} {result.status.value}: {result.reason}"
    mend = f"To mend it: {result.fix}" if result.fix and result.status is not Status.GREEN else ""
    rows = table(result.rows, caption=f"{result.name}: rows to look at", tz=zone) if len(result.rows) else Html("", "")
    markup = (
        f'<p class="gl"><strong>{escape(result.title)}</strong> {status_badge(result.status).markup} '
        f"{escape(mask(result.reason))}.</p>{rows.markup}" + (f'<p class="gl">{escape(mend)}</p>' if mend else "")
    )
    return Html(markup, "\n".join(part for part in (heading, rows.text, mend) if part))


def check(result: CheckResult, *, tz: tzinfo = UTC) -> Html:
    """Return one check: its question, its status and why, and the rows to look at with the way to mend them."""
    return _offence(result, tz)


def method(checks: Checks) -> Html:
    """Return how each check was judged: its rule, its parameters and the SQL that ran, folded away."""
    pieces = []
    for result in checks:
        params = ", ".join(f"{name} = {value}" for name, value in result.params.items()) or "none"
        pieces.append(
            f'<details class="gl"><summary>{escape(result.name)}</summary><p>Every row must meet '
            f"<code>{escape(result.expect)}</code>. Parameters: {escape(params)}.</p>"
            f"<pre>{escape(result.sql)}</pre></details>"
        )
    text = "\n\n".join(f"-- {result.name}\n{result.sql}" for result in checks)
    return Html("".join(pieces), text)
