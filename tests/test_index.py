"""The page of all runs."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from zoneinfo import ZoneInfo

from bs4 import BeautifulSoup

from golive_lib.index import index_html

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
