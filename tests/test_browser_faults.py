"""What an author or a database may put into a report, in a real browser: broken charts, two scripts, a mail."""

from __future__ import annotations

import smtplib
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from aiosmtpd.controller import Controller
from browsers import artifact, chromium
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from plant import free_port

from golive_lib.export import ReportMeta, to_html
from golive_lib.show import PLOTLY_MIME, table, verdict_banner
from golive_lib.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aiosmtpd.smtp import Envelope
    from nbformat import NotebookNode
    from playwright.sync_api import Browser

SOUND = {"data": [{"type": "bar", "y": [1, 2]}], "layout": {"height": 200}}
MALFORMED: dict[str, Any] = {
    "no figure": [],
    "nothing": None,
    "no list of traces": {"data": {"y": 1}, "layout": {}},
    "an empty trace": {"data": [None], "layout": {}},
}
SETTLED = "() => [...document.querySelectorAll('figure')].every((f) => f.matches('.drawn, .broken'))"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run one browser for all tests."""
    with chromium() as running:
        yield running


def written(folder: Path, *cells: NotebookNode, title: str = "Made") -> Path:
    """Write the page of these cells."""
    meta = ReportMeta(title=title, generated_at=datetime(2026, 3, 25, tzinfo=UTC), run_id="20260325T000000Z-made-0000")
    path = folder / "made.html"
    path.write_text(to_html(new_notebook(cells=list(cells)), meta=meta), encoding="utf-8")
    return path


def shown(data: dict[str, Any]) -> NotebookNode:
    """Return a cell that shows something."""
    cell: NotebookNode = new_code_cell("x", execution_count=1, outputs=[new_output("display_data", data=data)])
    return cell


@pytest.mark.parametrize("case", MALFORMED)
def test_a_chart_that_cannot_be_drawn_takes_no_other_along(browser: Browser, tmp_path: Path, case: str) -> None:
    """A line stands in its place, under its sentence, and the others are drawn; in print too."""
    figures = [(SOUND, "It rose."), (MALFORMED[case], "Unknown."), (SOUND, "It fell.")]
    path = written(tmp_path, *[shown({PLOTLY_MIME: figure, "text/plain": text}) for figure, text in figures])
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_function(SETTLED)
    page.pdf(format="A4")
    figures_ = page.locator("figure")
    assert [figures_.nth(i).locator(".main-svg").first.is_visible() for i in (0, 2)] == [True, True]
    assert figures_.nth(1).inner_text().startswith("Unknown.\n")
    assert "This chart cannot be drawn: its data is malformed" in figures_.nth(1).inner_text()
    assert page.locator(".undrawn:visible").count() == 1
    page.close()


ARABIC = {
    "الاسم": ["ليلى ord-2024-17 منصور", "Layla Mansour"],
    "الطلبات": [12, 7],
    "ملاحظة": [
        "رفضت البوابة الدفعة الأخيرة لأن المهلة انتهت قبل أن يصل الرد من المصرف",
        "The gateway refused the last payment",
    ],
}
PROSE = """## الحكم: الإطلاق مستمر

رفضت البوابة الطلب `ord-2024-17` بعد 1,250 ms.

### Why it may go on

The reader ليلى منصور answered 12 calls.

| الحالة | Count |
|---|---|
| مقبول | 3 |

## الأرقام

## الطلبات

## Requests
"""


def test_two_languages_each_read_their_own_way(browser: Browser, tmp_path: Path) -> None:
    """Arabic cells, headings, captions and contents turn right to left, Latin ones do not; a phone is wide enough."""
    found = table(pd.DataFrame(ARABIC), caption="طلبات اليوم")
    banner = verdict_banner(Verdict.CONTINUE, "الإطلاق مستمر: 12 طلبا في canary/api", {"المرحلة": "25 %"})
    shows = [shown({"text/html": each.markup}) for each in (banner, found)]
    path = written(tmp_path, *shows, new_markdown_cell(PROSE), title="تقرير الإطلاق")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri())
    page.screenshot(path=artifact("two-languages-1280.png", tmp_path), full_page=True)

    def ways(selector: str) -> list[str]:
        found = "all => all.map((each) => getComputedStyle(each).direction)"
        return [str(way) for way in page.eval_on_selector_all(selector, found)]

    assert ways("h1, main .gl-table, main caption, .gl-sentence, dt:not(.run dt)") == ["rtl"] * 5
    assert ways("main .gl-table tbody tr:first-child > *") == ["rtl", "ltr", "rtl"]  # a number alone has no direction
    assert ways("main .gl-table tbody tr:last-child > *") == ["ltr", "ltr", "ltr"]
    assert ways(".prose :is(h2, h3, p)") == ["rtl", "rtl", "ltr", "ltr", "rtl", "rtl", "ltr"]
    assert ways(".prose table, .prose th, .prose td") == ["rtl", "rtl", "rtl", "rtl", "ltr"]
    assert page.locator(".prose bdi").all_inner_texts() == ["1,250 ms", "ليلى منصور"]
    assert ways("nav a") == ["rtl", "rtl", "rtl", "ltr"]
    assert page.locator("main .gl-table bdi").all_inner_texts() == ["ord-2024-17"]
    assert page.locator(".gl-sentence bdi").all_inner_texts() == ["12", "canary/api"]
    page.set_viewport_size({"width": 390, "height": 844})
    page.screenshot(path=artifact("two-languages-390.png", tmp_path), full_page=True)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    page.close()


def test_a_mailed_report_opens_from_the_message(browser: Browser, tmp_path: Path) -> None:
    """Sent through SMTP as an attachment and saved from there, it is drawn and silent; a preview shows what matters."""
    banner = verdict_banner(Verdict.CONTINUE, "All is well.")
    found = table(pd.DataFrame({"path": ["/bookings"], "calls": [7]}), caption="Calls")
    cells = [shown({"text/html": each.markup}) for each in (banner, found)]
    sent = written(tmp_path, *cells, shown({PLOTLY_MIME: SOUND, "text/plain": "It rose."}))
    message = EmailMessage(policy=policy.SMTP)
    message["From"], message["To"], message["Subject"] = "golive@example.test", "release@example.test", "Canary"
    message.add_attachment(sent.read_bytes(), maintype="text", subtype="html", filename=sent.name)
    with sink() as (port, received):
        with smtplib.SMTP("127.0.0.1", port) as mail:
            mail.send_message(message)
        (content,) = received
    (attached,) = message_from_bytes(content, policy=policy.default).iter_attachments()
    saved = tmp_path / "saved" / (attached.get_filename() or "")
    saved.parent.mkdir()
    payload = attached.get_payload(decode=True)
    assert isinstance(payload, bytes)
    saved.write_bytes(payload)
    assert saved.read_bytes() == sent.read_bytes()
    said: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on(
        "request",
        lambda request: said.append(request.url) if request.url[:5] not in ("file:", "data:", "blob:") else None,
    )
    page.goto(saved.as_uri())
    page.wait_for_function(SETTLED)
    assert (page.locator("figure.drawn .main-svg").first.is_visible(), said) == (True, [])
    page.close()
    preview = browser.new_page(java_script_enabled=False)
    preview.goto(saved.as_uri())
    assert preview.locator(".gl-verdict").inner_text().split("\n")[0].endswith("Continue")
    assert preview.locator("table tbody tr").first.is_visible()
    preview.close()


@contextmanager
def sink() -> Iterator[tuple[int, list[bytes]]]:
    """Run an SMTP server on a free port that keeps what it is sent."""
    received: list[bytes] = []

    class Sink:
        async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's
            received.append(envelope.original_content or b"")
            return "250 kept"

    controller = Controller(Sink(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield controller.port, received
    finally:
        controller.stop()
