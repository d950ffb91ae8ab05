"""The page that lists all runs, newest first."""

from __future__ import annotations

import base64
import gzip
import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import fasteners
from jinja2 import Environment, FileSystemLoader

from golive_lib import show
from golive_lib.errors import ReportError
from golive_lib.export import TEMPLATES, policy, script_source, text
from golive_lib.formats import duration, moment, plain
from golive_lib.page import headline
from golive_lib.records import history
from golive_lib.trends import FAILED, badge_of, group_of, trends, word_of
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo
    from pathlib import Path

    from golive_lib.records import History

SHOWN = 500  # rows in the page itself; a browser draws older ones when they are asked for
MOST = 20_000  # older ones still are in the ledger alone


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
    remarks: tuple[str, ...]
    html: str | None
    ipynb: str | None


def refresh_index(outputs: Path) -> Path:
    """Write ``index.html`` anew from the records; runs that end at once wait for each other."""
    target = outputs / "index.html"
    scratch = outputs / f".index-{os.getpid()}-{secrets.token_hex(2)}"
    with fasteners.InterProcessLock(outputs / ".index.lock"):
        try:
            scratch.write_text(index_of(history(outputs)), encoding="utf-8")
            scratch.replace(target)
        except OSError as error:
            raise ReportError(f"{target}: cannot be written: {error.strerror}") from None
        finally:
            with suppress(OSError):
                scratch.unlink(missing_ok=True)
    return target


def index_of(history: History) -> str:
    """Return the index of all runs, in the zone of the newest that judged; files that were pruned are not linked to."""
    judged = (record for record in history.records if record.judged_at)  # one that crashed knows of no launch
    newest = max(judged, key=lambda record: record.started_at, default=None)
    gone = {"html": None, "ipynb": None, "pruned": True}
    records = [vars(r) | gone if r.run_id in history.pruned else vars(r) for r in history.records]
    return index_html(records, ZoneInfo(newest.zone) if newest else UTC, problem=history.problem)


def index_html(
    records: Sequence[Mapping[str, Any]], tz: tzinfo = UTC, now: datetime | None = None, *, problem: str = ""
) -> str:
    """Return the index of run records as one HTML file's text; times are shown in ``tz``.

    A record's keys: run_id, notebook, started_at (ISO 8601 with offset), seconds, state (``finished`` or ``failed``),
    verdict, status, sentence, parameters, html, ipynb (relative addresses or None), error; launch, database, plan,
    attempt, every and pruned where they are known. ``problem`` says why the ledger could not be read.
    """
    newest = sorted(records, key=lambda record: datetime.fromisoformat(record["started_at"]), reverse=True)
    changed = _changed(newest)
    rows = [_row(record, tz, record["run_id"] in changed) for record in newest[:MOST]]
    script = text("index/index.js")
    return (
        _environment()
        .get_template("index.html.j2")
        .render(
            total=len(newest),
            rows=rows[:SHOWN],
            older=_packed(rows[SHOWN:]),
            left_out=max(len(newest) - MOST, 0),
            problem=problem,
            trends=trends(newest, tz, now or datetime.now(UTC)),
            notebooks=sorted({row.notebook for row in rows}),
            statuses=[word for word in (*Status, FAILED) if any(row.status == word for row in rows)],
            css=show.CSS + text("page.css") + text("index/index.css"),
            script=script,
            policy=policy(script_source(script.encode())),
        )
    )


def _changed(newest: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the runs whose launch plan is another than that of the run before in their group."""
    before: dict[tuple[str, str, str], str] = {}
    changed = set()
    for record in reversed(newest):
        plan, group = record.get("plan") or "", group_of(record)
        if plan and before.setdefault(group, plan) != plan:
            changed.add(record["run_id"])
            before[group] = plan
    return changed


def _row(record: Mapping[str, Any], tz: tzinfo, changed: bool) -> _Row:
    state, word = word_of(record)
    said = record.get("error") if state == FAILED else record.get("sentence")
    seconds, given = record.get("seconds"), record.get("parameters") or {}
    remarks = (
        f"attempt {record['attempt']}" if record.get("attempt", 1) > 1 else "",
        "the launch plan changed since the run before" if changed else "",
        "its files were pruned" if record.get("pruned") else "",
    )
    return _Row(
        run_id=record["run_id"],
        notebook=record["notebook"],
        started=moment(datetime.fromisoformat(record["started_at"]), tz),
        iso=record["started_at"],
        took=duration(None if seconds is None else seconds * 1_000),
        status=state,
        badge=badge_of(state, word),
        sentence=headline(said) if said else "",
        parameters=tuple((str(name), text) for name, each in given.items() if (text := plain(each))),
        remarks=tuple(filter(None, remarks)),
        html=record.get("html"),
        ipynb=record.get("ipynb"),
    )


def _packed(rows: Sequence[_Row]) -> str:
    """Return rows for the page's script: their fields as JSON, by gzip, in base64; empty for none."""
    if not rows:
        return ""
    names = _Row.__slots__
    fields = [[getattr(row, name) for name in names] for row in rows]
    packed = gzip.compress(json.dumps([names, fields], ensure_ascii=False).encode(), 6, mtime=0)
    return base64.b64encode(packed).decode("ascii")


@cache
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES / "index"), autoescape=True, trim_blocks=True)
