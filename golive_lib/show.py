"""How the kit's results look in JupyterLab, in a report and in a terminal: the only formatter."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from html import escape
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from golive_lib.bidi import isolated
from golive_lib.formats import (
    ELLIPSIS,
    MISSING,
    duration,
    mask,
    mask_rows,
    missing,
    moment,
    number,
    share,
)
from golive_lib.grid import SHAPES, Grid, Link, badge, grid_markup, grid_text
from golive_lib.verdicts import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    import plotly.graph_objects as go

PLOTLY_MIME = "application/vnd.plotly.v1+json"
PLOTLY_CONFIG = {"displaylogo": False, "showSendToCloud": False, "plotlyServerURL": ""}  # no chart leaves the house
CSS = (Path(__file__).parent / "templates" / "show.css").read_text(encoding="utf-8")
STYLE = f"<style>{CSS}</style>"  # carried by every output, so that JupyterLab shows it as the report does

VERDICTS = {
    Verdict.GO: ("Go", Status.GREEN),
    Verdict.PROMOTE: ("Promote", Status.GREEN),
    Verdict.CONTINUE: ("Continue", Status.GREEN),
    Verdict.HOLD: ("Hold", Status.AMBER),
    Verdict.ROLLBACK: ("Roll back", Status.RED),
    Verdict.NO_GO: ("No-go", Status.RED),
}
_ACRONYMS = frozenset({"api", "id", "ip", "kpi", "n", "p50", "p90", "p95", "p99", "rls", "sql", "url"})
EMPTY = "(empty)"
_HEADINGS = {  # what a column's name says badly
    "low_share": "At least",
    "high_share": "At most",
    "points": "Change, points",
    "low_points": "At least, points",
    "high_points": "At most, points",
    "failed_low_share": "Failed, at least",
    "failed_high_share": "Failed, at most",
    "failed_before_share": "Failed before",
    "of_last_step_share": "Of the step before",
    "prelaunch_share": "Before the launch",
    "prelaunch_p50_ms": "P50 before the launch",
    "prelaunch_p95_ms": "P95 before the launch",
    "now_share": "Since the launch",
    "used_share": "Talked of offered",
    "unmet_share": "Unmet",
    "said": "What it says",
}
_SUFFIX_UNITS = {"_ms": "ms", "_share": "share", "_seconds": "s"}


def styled(markup: str) -> str:
    """Return markup as an output carries it: in the kit's look, and no formula where a rule or a price has a ``$``."""
    return f'{STYLE}<div class="mathjax_ignore">{markup}</div>'


@dataclass(frozen=True, slots=True, repr=False)
class Html:
    """A piece of a report: markup for a page, plain text for a terminal."""

    markup: str
    text: str

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:  # noqa: ARG002  IPython's signature
        return {"text/html": styled(self.markup), "text/plain": self.text}


@dataclass(frozen=True, slots=True, repr=False)
class Chart:
    """A figure and the sentence that says what it shows."""

    figure: go.Figure
    summary: str

    def __str__(self) -> str:
        return self.summary

    __repr__ = __str__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002  IPython's signature
        figure = json.loads(self.figure.to_json()) | {"config": PLOTLY_CONFIG}
        return {PLOTLY_MIME: figure, "text/plain": self.summary}


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure to read at a glance: what it is, its value as text, a remark, and its status if it has one."""

    label: str
    value: str
    note: str = ""
    status: Status | None = None


def joined(*pieces: Html) -> Html:
    """Return pieces below each other."""
    return Html("".join(piece.markup for piece in pieces), "\n\n".join(piece.text for piece in pieces))


def line(words: str) -> Html:
    """Return a sentence as a piece of its own."""
    return Html(f'<p class="gl">{escape(words)}</p>', words)


def status_badge(status: Status) -> Html:
    """Return a status by word, shape and colour."""
    text = f"{SHAPES[status]} {status.value}"
    return Html(badge(status, status.value), text)


def verdict_banner(
    verdict: Verdict, sentence: str, facts: Mapping[str, str] | None = None, word: str | None = None
) -> Html:
    """Return the verdict, why in one sentence, and a few facts; a report moves it to the top of its page.

    ``word`` is what to call the verdict where a launch is not what is decided.
    """
    usual, status = VERDICTS[verdict]
    word = word or usual
    facts = facts or {}
    pairs = "".join(
        f'<div><dt dir="auto">{isolated(k)}</dt><dd dir="auto">{isolated(v)}</dd></div>' for k, v in facts.items()
    )
    markup = (
        f'<section class="gl gl-verdict gl-{status}" aria-label="Verdict">'
        f'<p class="gl-word">{badge(status, word, "gl-mark")}</p>'
        f'<p class="gl-sentence" dir="auto">{isolated(mask(sentence))}</p>'
        f"{f'<dl>{pairs}</dl>' if pairs else ''}</section>"
    )
    lines = [f"{SHAPES[status]} {word}: {mask(sentence)}", *(f"  {k}: {v}" for k, v in facts.items())]
    return Html(markup, "\n".join(lines))


def tiles(items: Sequence[Tile]) -> Html:
    """Return figures side by side, as many in a row as fit."""
    markup = "".join(_tile(item) for item in items)
    lines = [
        f"{SHAPES[item.status] + ' ' if item.status else ''}{item.label}: {item.value}"
        f"{f' ({item.note})' if item.note else ''}"
        for item in items
    ]
    return Html(f'<ul class="gl gl-tiles">{markup}</ul>', "\n".join(lines))


def _tile(item: Tile) -> str:
    mark = badge(item.status, item.status.value) + " " if item.status else ""
    return (
        f'<li class="gl-tile"><div class="gl-label" dir="auto">{isolated(item.label)}</div>'
        f'<div class="gl-value"><strong>{escape(item.value)}</strong></div>'
        f'<div class="gl-note">{mark}<span dir="auto">{isolated(item.note)}</span></div></li>'
    )


def table(
    frame: pd.DataFrame,
    *,
    caption: str,
    status_column: str | None = None,
    max_rows: int = 50,
    tz: tzinfo = UTC,
) -> Html:
    """Return a DataFrame as a table: the first column names the row, numbers are aligned, people's data is masked.

    Columns that end in ``_ms``, ``_seconds`` or ``_share`` have that unit; those that end in ``_id`` are shown as they
    are. Moments are shown in ``tz``; a naive one raises ValueError. A named index is shown as columns. A ``Link`` leads
    to its file.
    """
    shown = frame.reset_index() if any(name is not None for name in frame.index.names) else frame
    columns = [str(column) for column in shown.columns]
    unit_of = {column: _unit(column) for column in columns}
    values = list(shown.head(max_rows).itertuples(index=False, name=None))
    rows = [[_cell(v, unit_of[c], tz) for c, v in zip(columns, row, strict=True)] for row in values]
    numeric = [_is_numeric([row[i] for row in values]) for i in range(len(columns))]
    titles = [_title(column, unit_of[column]) for column in columns]
    hidden = len(shown) - len(rows)
    more = f"{ELLIPSIS} and {hidden:,} more" if hidden else "" if rows else "No rows."
    links = {(n, i): v.to for n, row in enumerate(values) for i, v in enumerate(row) if isinstance(v, Link)}
    grid = Grid(caption, titles, rows, numeric, columns.index(status_column) if status_column else None, more, links)
    return Html(grid_markup(grid), grid_text(grid))


def _unit(column: str) -> str | None:
    if column == "id" or column.endswith("_id"):
        return "id"
    return next((unit for suffix, unit in _SUFFIX_UNITS.items() if column.endswith(suffix)), None)


def _title(column: str, unit: str | None) -> str:
    if column in _HEADINGS:
        return _HEADINGS[column]
    suffix = next((s for s, u in _SUFFIX_UNITS.items() if u == unit and column.endswith(s) and column != s), "")
    words = column.removesuffix(suffix if suffix != "_share" else "").replace("_", " ").strip()
    spelled = [word.upper() if word in _ACRONYMS else word for word in words.split(" ")]
    return " ".join([spelled[0][:1].upper() + spelled[0][1:], *spelled[1:]])


def _is_numeric(values: list[Any]) -> bool:
    known = [v for v in values if not missing(v)]
    return bool(known) and all(isinstance(v, Real | Decimal) and not isinstance(v, bool) for v in known)


def _cell(value: Any, unit: str | None, tz: tzinfo) -> str:  # noqa: ANN401, PLR0911  a cell may be anything
    if missing(value):
        return MISSING
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return moment(value, tz) if value.tzinfo else f"{value:%Y-%m-%d %H:%M} (no zone)"
    if isinstance(value, date):
        return f"{value.day} {value:%b %Y}"
    if unit == "id" or not isinstance(value, Real | Decimal):
        return mask_rows(str(value)) or EMPTY
    if unit == "share":
        return share(float(value))
    if unit in {"ms", "s"}:
        return duration(float(value) * (1_000 if unit == "s" else 1))
    return number(value if isinstance(value, Decimal) else float(value), unit)
