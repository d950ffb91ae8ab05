"""How a status looks, and how a table is laid out: on a page, on a phone and in a terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from golive_lib.bidi import isolated
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

SHAPES = {
    Status.GREEN: "\N{BLACK CIRCLE}",
    Status.AMBER: "\N{BLACK UP-POINTING TRIANGLE}",
    Status.RED: "\N{BLACK DIAMOND}",
    Status.UNKNOWN: "\N{WHITE CIRCLE}",
}
# Until a notebook is trusted JupyterLab drops style blocks: these inline colours read on its light and dark pages.
COLOURS = {Status.GREEN: "#1f8a4c", Status.AMBER: "#b06f00", Status.RED: "#d64533", Status.UNKNOWN: "#79818d"}
_STATUSES = frozenset(status.value for status in Status)
_ONE_LINE = 28  # characters; a longer cell may wrap
_RELATIVE = re.compile(r"(\.\./)?[\w-][\w.-]*(/[\w-][\w.-]*)*")
_PHONE = 44  # characters; a table that needs more is stacked on a phone, a row's cells under each other


def badge(status: Status, word: str, css: str = "gl-badge") -> str:
    """Return markup that says a word in a status's shape and colour."""
    return (
        f'<span class="gl {css} gl-{status}" style="color:{COLOURS[status]}">'
        f'<span aria-hidden="true">{SHAPES[status]}</span> {escape(word)}</span>'
    )


@dataclass(frozen=True, slots=True)
class Link:
    """A cell that leads to a file beside the page: words and a relative address; any other raises ValueError."""

    words: str
    to: str

    def __post_init__(self) -> None:
        """Refuse an address that leads elsewhere or runs something."""
        if not _RELATIVE.fullmatch(self.to):
            raise ValueError(f"a link leads to a file beside the page, got {self.to!r}")

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True, slots=True)
class Grid:
    """A table's cells as text; ``status_at`` is the column that holds statuses, ``more`` what is said below.

    ``links`` holds the addresses of cells that lead somewhere, by row and column.
    """

    caption: str
    titles: list[str]
    rows: list[list[str]]
    numeric: list[bool]
    status_at: int | None
    more: str
    links: Mapping[tuple[int, int], str] = field(default_factory=dict)

    @property
    def stacks(self) -> bool:
        """Whether a phone is too narrow for its columns side by side; one of figures alone is better scrolled."""
        widths = [max(len(text) for text in column) for column in zip(self.titles, *self.rows, strict=True)]
        return max(widths, default=0) > _ONE_LINE and sum(min(width, _ONE_LINE) for width in widths) > _PHONE


def grid_markup(grid: Grid) -> str:
    """Return a table for a page: its rows are stacked where a phone is too narrow for them."""
    head = "".join(
        f'<th scope="col"{_cell_class(t, numeric=n)}>{escape(t)}</th>'
        for t, n in zip(grid.titles, grid.numeric, strict=True)
    )
    body = "".join(f"<tr>{_row_markup(grid, number)}</tr>" for number in range(len(grid.rows)))
    more = f'<tr><td class="gl-more" colspan="{max(len(grid.titles), 1)}">{grid.more}</td></tr>' if grid.more else ""
    label, css = escape(grid.caption, quote=True), "gl-table gl-stack" if grid.stacks else "gl-table"
    return (
        f'<div class="gl gl-scroll" role="region" aria-label="{label}" tabindex="0"><table class="{css}" dir="auto">'
        f"<caption>{isolated(grid.caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}{more}</tbody></table></div>"
    )


def _row_markup(grid: Grid, number: int) -> str:
    row = grid.rows[number]
    named_by = 1 if grid.status_at == 0 and len(row) > 1 else 0
    cells = []
    for i, text in enumerate(row):
        tag, scope = ("th", ' scope="row"') if i == named_by else ("td", "")
        inner = badge(Status(text), text) if i == grid.status_at and text in _STATUSES else isolated(text)
        if to := grid.links.get((number, i)):
            inner = f'<a href="{escape(to, quote=True)}">{inner}</a>'
        if grid.stacks:  # stacked, a cell is a grid of its label and this
            inner = f"<span>{inner}</span>"
        label = f' data-label="{escape(grid.titles[i], quote=True)}"' if grid.stacks else ""
        cells.append(f'<{tag}{scope}{label}{_cell_class(text, numeric=grid.numeric[i])} dir="auto">{inner}</{tag}>')
    return "".join(cells)


def _cell_class(text: str, *, numeric: bool) -> str:
    names = ["gl-num"] * numeric + ["gl-long"] * (len(text) > _ONE_LINE)
    side = "right" if numeric else "left"  # for JupyterLab without the style block, as the colours above
    return f' class="{" ".join(names)}" style="text-align:{side}"' if names else f' style="text-align:{side}"'


def grid_text(grid: Grid) -> str:
    """Return a table for a terminal."""
    rows = [[_plain(grid, number, i) for i in range(len(row))] for number, row in enumerate(grid.rows)]
    widths = [max(len(text) for text in column) for column in zip(grid.titles, *rows, strict=True)]

    def line(cells: list[str]) -> str:
        sized = zip(cells, widths, grid.numeric, strict=True)
        return "  ".join(t.rjust(w) if right else t.ljust(w) for t, w, right in sized).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([grid.caption, line(grid.titles), rule, *map(line, rows), *([grid.more] if grid.more else [])])


def _plain(grid: Grid, number: int, column: int) -> str:
    text = grid.rows[number][column]
    if column == grid.status_at and text in _STATUSES:
        return f"{SHAPES[Status(text)]} {text}"
    to = grid.links.get((number, column))
    return f"{text} ({to})" if to else text
