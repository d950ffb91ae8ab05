"""The page that lists all runs, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader

from golive_lib import show
from golive_lib.export import TEMPLATES, script_source
from golive_lib.page import headline
from golive_lib.verdicts import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo


@dataclass(frozen=True, slots=True)
class _Row:
    run_id: str
    notebook: str
    started: str
    iso: str
    took: str
    status: str
    badge: str
    sentence: str
    parameters: tuple[tuple[str, str], ...]
    html: str | None
    ipynb: str | None


def index_html(records: Sequence[Mapping[str, Any]], tz: tzinfo = UTC) -> str:
    """Return the index of run records as one HTML file's text; times are shown in ``tz``.

    A record's keys: run_id, notebook, started_at (ISO 8601 with offset), seconds, state (``finished`` or ``failed``),
    verdict, status, sentence, parameters, html, ipynb (relative addresses or None), error.
    """
    newest = sorted(records, key=lambda record: datetime.fromisoformat(record["started_at"]), reverse=True)
    rows = [_row(record, tz) for record in newest]
    script = _text("index/index.js")
    return (
        _environment()
        .get_template("index.html.j2")
        .render(
            rows=rows,
            notebooks=sorted({row.notebook for row in rows}),
            statuses=[word for word in (*Status, "failed") if any(row.status == word for row in rows)],
            css=show.CSS + _text("page.css") + _text("index/index.css"),
            script=script,
            policy=(
                f"default-src 'none'; script-src {script_source(script.encode())}; style-src 'unsafe-inline'; "
                "img-src data:; base-uri 'none'; form-action 'none'"
            ),
        )
    )


def _row(record: Mapping[str, Any], tz: tzinfo) -> _Row:
    failed = record["state"] == "failed"
    status = Status(record["status"]) if record.get("status") else Status.UNKNOWN
    said = record.get("error") if failed else record.get("sentence")
    seconds = record.get("seconds")
    return _Row(
        run_id=record["run_id"],
        notebook=record["notebook"],
        started=show.moment(datetime.fromisoformat(record["started_at"]), tz),
        iso=record["started_at"],
        took=show.duration(None if seconds is None else seconds * 1_000),
        status="failed" if failed else status.value,
        badge=_failed() if failed else _verdict(record.get("verdict"), status),
        sentence=headline(said) if said else "",
        parameters=tuple((str(name), str(value)) for name, value in (record.get("parameters") or {}).items()),
        html=record.get("html"),
        ipynb=record.get("ipynb"),
    )


def _verdict(verdict: str | None, status: Status) -> str:
    return show.badge(status, show.VERDICTS[Verdict(verdict)][0] if verdict else status.value)


def _failed() -> str:
    return '<span class="did-not-finish"><span aria-hidden="true">✕</span> Did not finish</span>'


@cache
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES / "index"), autoescape=True, trim_blocks=True)


@cache
def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
