"""The performance ticket's words: what is slow or wasteful, as Markdown ready to paste."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from golive_lib.formats import MISSING, duration, mask, missing, number, share

TEMPLATES = Path(__file__).parent / "templates"
SHOWN = 20
MEGABYTE = 1e6
HEADINGS = {
    "per_hour": "requests an hour",
    "slow_share": "over_limit_share",
    "rows": "rows, estimated",
    "bytes": "size (MB)",
    "index_bytes": "index, at most (MB)",
    "referenced_deletes": "rows deleted there",
    "kept": "same as",
}


def written(**facts: object) -> str:
    """Return the template filled with facts; a name that it lacks is an error."""
    markdown = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True)  # noqa: S701  Markdown; texts of others come through cell
    markdown.globals |= {"cell": cell, "headings": HEADINGS, "most": SHOWN}
    return markdown.get_template("ticket.md.j2").render(**facts)


def cell(column: str, value: Any) -> str:  # noqa: ANN401  a cell may be anything
    """Return a value as people read it; texts come from outside, so that they are code which nothing ends."""
    if missing(value):
        return MISSING
    if isinstance(value, str):
        safe = mask(value).replace("`", "'").replace("|", r"\|")
        return f"`{' '.join(safe.split())}`"
    if column.endswith("bytes"):
        return number(float(value) / MEGABYTE)
    return duration(value) if column.endswith("_ms") else share(value) if column.endswith("_share") else number(value)
