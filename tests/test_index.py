"""The page of all runs."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright
from servers import absent
from test_ledger import record

from golive_lib.index import index_html, refresh_index
from golive_lib.ledger import Ledger
from golive_lib.records import RUN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

RECORD = {
    "run_id": "run-1",
    "notebook": "canary",
    "started_at": "2026-11-23T15:00:00+00:00",
    "seconds": 4.2,
    "state": "finished",
    "verdict": "promote",
    "status": "green",
    "sentence": "All is under its limit.",
    "parameters": {"stage": 10},
    "html": "canary/run-1.html",
    "ipynb": None,
    "error": None,
}


def _soup(*changes: dict[str, Any]) -> BeautifulSoup:
    return BeautifulSoup(
        index_html([{**RECORD, **change} for change in changes], ZoneInfo("Asia/Beirut")), "html.parser"
    )


def test_a_run_is_told_in_a_row() -> None:
    """A row says when, what, the verdict, the finding with the parameters, and how long it took."""
    row = _soup({}).select("tbody tr")[0]
    assert [" ".join(cell.get_text().split()) for cell in row.find_all(["td", "th"])] == [
        "23 Nov 2026, 17:00 Beirut", "canary", "● Promote", "All is under its limit. stage = 10", "4.2 s", "report",
    ]  # fmt: skip


def test_a_whole_number_is_said_as_one() -> None:
    """A parameter that is typed as 10 is no 10.0; a part stays one, and a text is as it was given."""
    row = _soup({"parameters": {"stage": 10.0, "share": 2.5, "plan": "1.0"}}).select("tbody tr")[0]
    assert " ".join(row.get_text().split()).endswith("stage = 10 share = 2.5 plan = 1.0 4.2 s report")


def test_times_keep_the_launchs_zone_when_the_newest_run_failed(tmp_path: Path) -> None:
    """One that crashed knows of no launch."""
    judged = record("20260325T100000Z-sanity-0001")
    failed = {"judged_at": None, "state": "failed", "error": "it crashed", "zone": "UTC"}
    later = {"run_id": "20260325T110000Z-sanity-0002", "started_at": "2026-03-25T11:00:00+00:00"}
    Ledger(tmp_path).append(RUN, {**asdict(judged), "zone": "Asia/Beirut"})
    Ledger(tmp_path).append(RUN, {**asdict(judged), **later, **failed})
    rows = BeautifulSoup(refresh_index(tmp_path).read_text(), "html.parser").select("tbody time")
    assert [each.get_text() for each in rows] == ["25 Mar 2026, 13:00 Beirut", "25 Mar 2026, 12:00 Beirut"]


def test_the_newest_run_comes_first() -> None:
    """Runs are ordered by the moment they started, whatever offset it was written with."""
    starts = ["2026-11-23T15:00:00+00:00", "2026-11-23T18:00:00+02:00", "2026-11-23T15:30:00+00:00"]
    times = [tag.get_text() for tag in _soup(*[{"started_at": start} for start in starts]).find_all("time")]
    assert times == [f"23 Nov 2026, {hour} Beirut" for hour in ("18:00", "17:30", "17:00")]


def test_a_failed_run_shows_its_error_and_no_verdict() -> None:
    """A run that broke is never shown in green, even if it had got as far as a verdict."""
    row = _soup({"state": "failed", "error": "Traceback\nKeyError: 'x'"}).select("tbody tr")[0]
    assert (row["data-status"], row.select(".gl-green"), "KeyError: 'x'" in row.get_text()) == ("failed", [], True)
    assert "Traceback" not in row.get_text()


def test_a_run_without_a_status_is_unknown() -> None:
    """No status is not green."""
    row = _soup({"status": None, "verdict": None}).select("tbody tr")[0]
    assert (row["data-status"], row.select(".verdict")[0].get_text()) == ("unknown", "○ unknown")


def test_text_from_runs_stays_text() -> None:
    """A run's words cannot become markup."""
    soup = _soup({"sentence": "<script>alert(1)</script>", "parameters": {"a": "<b>"}, "notebook": '"><i>'})
    assert (len(soup.find_all("script")), soup.find_all(["b", "i"])) == (1, [])


def test_the_policy_allows_the_filter_only() -> None:
    """The page's one script is the only one its policy lets run, and nothing is loaded."""
    soup = _soup({})
    digest = base64.b64encode(hashlib.sha256(soup.find_all("script")[0].get_text().encode()).digest()).decode()
    policy = str(soup.select('meta[http-equiv="Content-Security-Policy"]')[0]["content"])
    assert policy.startswith(f"default-src 'none'; script-src 'sha256-{digest}';")
    assert soup.select("[src], link") == []


def test_filters_offer_what_there_is_and_hide_without_javascript() -> None:
    """The filters name the notebooks and statuses seen, and stay hidden until the script shows them."""
    soup = _soup({}, {"notebook": "sanity", "state": "failed"})
    options = [[o.get_text() for o in select.find_all("option")] for select in soup.find_all("select")]
    assert options == [["all", "canary", "sanity"], ["all", "green", "failed"]]
    assert soup.select("form")[0].has_attr("hidden")


def test_no_runs() -> None:
    """An empty index says what would fill it."""
    soup = _soup()
    assert (soup.find_all(["table", "form"]), "No runs yet" in soup.get_text()) == ([], True)


def test_headers_have_scopes() -> None:
    """Each header cell says what it heads."""
    assert [th["scope"] for th in _soup({}).find_all("th")] == ["col"] * 6 + ["row"]


NOW = datetime(2026, 11, 23, 15, 20, tzinfo=UTC)


def many(count: int) -> str:
    """Return the index of so many runs, one a minute, of two notebooks."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return index_html(
        [
            {
                **RECORD,
                "run_id": f"run-{n}",
                "notebook": ("canary", "sanity")[n % 2],
                "started_at": (start + timedelta(minutes=n)).isoformat(),
                "sentence": f"Sentence {n} <b>&",
                "html": f"run-{n}/x.html",
            }
            for n in range(count)
        ]
    )


def test_older_runs_are_packed_and_all_are_there() -> None:
    """The newest 500 are rows; each older one is in the page as data, in order."""
    soup = BeautifulSoup(many(1203), "html.parser")
    assert len(soup.select("tbody tr")) == 500
    assert "1,203 runs" in soup.get_text()
    names, rows = json.loads(gzip.decompress(base64.b64decode(soup.select("#older")[0].get_text())))
    assert [row[names.index("run_id")] for row in rows] == [f"run-{n}" for n in range(702, -1, -1)]


def test_few_runs_are_all_rows() -> None:
    """Up to 500 the page needs no script to show them."""
    soup = BeautifulSoup(many(500), "html.parser")
    assert (len(soup.select("tbody tr")), soup.select("#older, #more")) == (500, [])


def test_a_notebooks_trend_is_told_in_words_and_shapes() -> None:
    """The latest verdicts from the oldest to the newest, for eyes and for a screen reader."""
    soup = _soup(
        {"started_at": "2026-11-23T15:00:00+00:00"},
        {"started_at": "2026-11-23T14:00:00+00:00", "verdict": "hold", "status": "amber"},
        {"started_at": "2026-11-23T13:00:00+00:00", "state": "failed"},
        {"started_at": "2026-11-23T12:00:00+00:00", "verdict": "rollback", "status": "red"},
    )
    (trend,) = soup.select(".trends li")
    marks = trend.select(".marks")[0]
    assert (marks.get_text(), marks["role"]) == ("◆✕▲●", "img")
    assert marks["aria-label"] == "the latest 4 runs, oldest first: 1 Roll back, 1 did not finish, 1 Hold, 1 Promote"
    assert trend.select(".verdict")[0].get_text() == "● Promote"


def test_launches_and_databases_have_trends_of_their_own() -> None:
    """Several in one folder are told apart, whoever was connected."""
    soup = _soup({"database": "a as x"}, {"database": "a as y"}, {"database": "b as x"}, {"launch": "other"})
    named = [" ".join(name.get_text().split()) for name in soup.select(".trends .name")]
    assert named == ["canary a", "canary b", "canary other"]


def next_run(record: dict[str, Any], now: datetime) -> tuple[bool, str]:
    """Return whether the index says that the next run was missed, and what it says."""
    page = index_html([{**RECORD, **record}], ZoneInfo("Asia/Beirut"), now)
    (found,) = BeautifulSoup(page, "html.parser").select(".next")
    (shown,) = [each for each in found.select(".waiting, .missed") if not each.has_attr("hidden")]
    return "missed" in (shown["class"] or []), " ".join(shown.get_text().split())


def test_a_run_that_did_not_come_is_missed() -> None:
    """Half a pace after it was due, from the record of the last one alone."""
    every = {"every": 900.0}
    assert next_run(every, NOW) == (False, "next by 23 Nov 2026, 17:15 Beirut")
    assert next_run(every, NOW + timedelta(hours=3)) == (
        True,
        "✕ missed: the last run began 3 h 20 min ago, one is due every 15 min",
    )


def test_a_run_with_no_next_is_not_missed() -> None:
    """A notebook that nothing schedules, or a stage that is over, expects nothing."""
    page = index_html([RECORD], UTC, NOW + timedelta(days=30))
    assert BeautifulSoup(page, "html.parser").select(".next") == []


def test_a_failed_run_came_all_the_same() -> None:
    """It did not finish, which its row says; it was not missed."""
    failed = {"every": 900.0, "state": "failed", "error": "KeyError: 'x'"}
    assert next_run(failed, NOW)[0] is False


def test_a_changed_plan_is_remarked_where_it_changed() -> None:
    """The first run by another plan than the one before says so; the same plan, or another launch's, does not."""
    hours = ("12", "13", "14", "15")
    plans = ("a", "a", "b", "b")
    changes = [
        {"run_id": hour, "started_at": f"2026-11-23T{hour}:00:00+00:00", "plan": plan}
        for hour, plan in zip(hours, plans, strict=True)
    ]
    rows = _soup(*changes, {"launch": "other", "plan": "c", "run_id": "x"}).select("tbody tr")
    remarks = [remark.get_text() for row in rows for remark in row.select(".remarks")]
    changed = [row.select("time")[0]["datetime"] for row in rows if row.select(".remarks")]
    assert remarks == ["the launch plan changed since the run before"]
    assert changed == ["2026-11-23T14:00:00+00:00"]


def test_a_later_attempt_says_so() -> None:
    """A run that was tried again is known by its number."""
    assert "attempt 2" in _soup({"attempt": 2}).select("tbody tr")[0].get_text()


def test_what_a_newer_golive_wrote_is_listed_as_unknown(tmp_path: Path) -> None:
    """A record with fields, a verdict or a schema of later days is neither hidden nor green, and stops nothing."""
    older = {**asdict(record("20260325T100000Z-sanity-0001")), "colour": "blue"}
    later: tuple[dict[str, Any], ...] = ({"schema": 99}, {"verdict": "pause"})
    for n, newer in enumerate(later):
        Ledger(tmp_path).append(RUN, {**older, "run_id": f"20260325T100000Z-sanity-000{n + 2}", **newer})
    Ledger(tmp_path).append(RUN, older)
    Ledger(tmp_path).append(RUN, {"run_id": "torn", "started_at": "yesterday"})
    rows = BeautifulSoup(refresh_index(tmp_path).read_text(), "html.parser").select("tbody tr")
    statuses = sorted(str(row["data-status"]) for row in rows)
    assert statuses == ["failed", "unknown", "unknown", "unknown"]
    assert sum("Written by a newer golive" in row.get_text() for row in rows) == 3


def test_a_ledger_that_cannot_be_read_is_said_on_the_page(tmp_path: Path) -> None:
    """The runs' own folders are listed then, and the page says why."""
    made = record("20260325T100000Z-sanity-0001")
    (tmp_path / made.run_id).mkdir()
    (tmp_path / made.run_id / "record.json").write_text(json.dumps(asdict(made)))
    (tmp_path / "ledger.jsonl").write_text("{oops\n")
    soup = BeautifulSoup(refresh_index(tmp_path).read_text(), "html.parser")
    assert len(soup.select("tbody tr")) == 1
    assert "line 1 of the ledger cannot be read" in soup.select(".problem")[0].get_text()


def test_refreshing_at_the_same_time_leaves_a_whole_page(tmp_path: Path) -> None:
    """Processes that refresh at once write one index after the other, and leave nothing beside it."""
    for n in range(20):
        Ledger(tmp_path).append(RUN, asdict(record(f"20260325T100000Z-sanity-{n:04}")))
    code = "import sys; from pathlib import Path; from golive_lib.index import refresh_index\n"
    code += "for _ in range(20): refresh_index(Path(sys.argv[1]))"
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert len(BeautifulSoup((tmp_path / "index.html").read_text(), "html.parser").select("tbody tr")) == 20
    assert list(tmp_path.glob(".index-*")) == []


CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """Open the index of 1,203 runs from a file in Chromium, by a clock of long after them."""
    if not CHROMIUM:
        absent("chromium is not installed; CI installs Debian's")
    (tmp_path / "index.html").write_text(many(1203).replace("</main>", f"{DUE}</main>"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, "--no-first-run"])
        opened = browser.new_page()
        faults: list[str] = []
        opened.on("console", lambda message: faults.append(message.text))
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.goto((tmp_path / "index.html").as_uri())
        opened.wait_for_selector("#unpacked", state="hidden")
        yield opened
        browser.close()
    assert faults == []


DUE = (
    '<ul class="trends"><li><span class="verdict">● Go</span>'
    '<span class="next" data-due="2026-01-01T00:22:30+00:00" data-since="2026-01-01T00:00:00+00:00">'
    '<span class="waiting">next</span><span class="missed" hidden>missed <span class="ago"></span></span></span>'
    "</li></ul>"
)


def test_browser_shows_older_runs_when_asked(page: Page) -> None:
    """500 at a time, the newest first; the button goes when all are there."""
    assert page.locator("tbody tr").count() == 500
    assert page.locator("#count").inner_text() == "500 of 1203 shown"
    page.click("#more")
    page.click("#more")
    assert page.locator("tbody tr").count() == 1203
    assert page.locator("#more").is_hidden()
    assert page.locator("tbody tr").last.locator(".finding").inner_text() == "Sentence 0 <b>&\nstage = 10"
    assert page.locator("tbody tr").last.locator("a").get_attribute("href") == "run-0/x.html"


def test_browser_filters_through_all_runs(page: Page) -> None:
    """A filter looks at the older ones too, those that have no row yet."""
    page.select_option("#notebook", "sanity")
    assert page.locator("#count").inner_text() == "500 of 1203 shown"
    assert set(page.locator("tbody th").all_inner_texts()) == {"sanity"}
    page.click("#more")
    assert page.locator("tbody tr").count() == 601
    page.select_option("#notebook", "")
    assert page.locator("tbody tr").count() == 500
    assert page.locator("tbody tr").first.locator(".finding").inner_text().startswith("Sentence 1202")


def test_browser_sees_a_missed_run_by_its_own_clock(page: Page) -> None:
    """The page was made in time; whoever opens it later reads that the next run did not come, and nothing green."""
    assert page.locator(".late .verdict").is_hidden()
    assert page.locator(".next .waiting").is_hidden()
    assert page.locator(".next .missed").is_visible()
    assert re.fullmatch(r"missed \d+ d", page.locator(".next .missed").inner_text())
