"""Numbers, masks and pieces of a report: what people see."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from bs4 import BeautifulSoup, Tag

from golive_lib import formats, grid, open_launch, show
from golive_lib.verdicts import Status, Verdict

ROOT = Path(__file__).parents[1]
BEIRUT = ZoneInfo("Asia/Beirut")
NBSP = "\N{NO-BREAK SPACE}"


def _cells(html: show.Html, selector: str = "tbody tr") -> list[list[str]]:
    soup = BeautifulSoup(html.markup, "html.parser")
    return [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in soup.select(selector)]


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0, None, "0"),
        (-0.0, None, "0"),
        (1_234_567, None, "1,234,567"),
        (1.3149, None, "1.31"),
        (123.4, None, "123"),
        (0.004567, None, "0.00457"),
        (Decimal("12.50"), None, "12.5"),
        (3, "calls", f"3{NBSP}calls"),
        (float("inf"), None, "\N{INFINITY}"),
        (None, "calls", "\N{EN DASH}"),
        (float("nan"), None, "\N{EN DASH}"),
    ],
)
def test_number(value: float | None, unit: str | None, expected: str) -> None:
    """A number is whole in full, otherwise three digits; no number is a dash, never a zero."""
    assert formats.number(value, unit) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (1, "100"),
        (0.0042, "0.42"),
        (0.05, "5"),
        (0.1234, "12.3"),
        (0.9996, "99.96"),
        (0.00001, "< 0.01"),
        (0.99999, "> 99.99"),
        (-0.08, "-8"),
    ],
)
def test_share_is_never_rounded_to_nothing_or_to_all(value: float, expected: str) -> None:
    """A share that is nearly 0 or 1 does not look like 0 % or 100 %."""
    assert formats.share(value) == f"{expected}{NBSP}%"


def test_share_of_nothing() -> None:
    """A share of no events is a dash."""
    assert formats.share(None) == "\N{EN DASH}"


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (0.4, "0.4 ms"),
        (850, "850 ms"),
        (1_310, "1.31 s"),
        (59_990, "60 s"),
        (125_000, "2 min 5 s"),
        (3_600_000, "1 h"),
        (12_000_000, "3 h 20 min"),
        (93_600_000, "26 h"),
        (180_000_000, "2 d 2 h"),
        (-125_000, "-2 min 5 s"),
        (None, "\N{EN DASH}"),
    ],
)
def test_duration(milliseconds: float | None, expected: str) -> None:
    """A duration is told in the units people would use."""
    assert formats.duration(milliseconds).replace(NBSP, " ") == expected


def test_moment_names_its_zone() -> None:
    """A moment is shown in the launch's zone, by its name."""
    assert formats.moment(datetime(2026, 11, 23, 17, 23, tzinfo=UTC), BEIRUT) == "23 Nov 2026, 19:23 Beirut"


def test_moment_in_an_hour_that_happens_twice() -> None:
    """Where the clocks go back, the two passes of one hour can be told apart."""
    passes = [formats.moment(datetime(2026, 10, 24, hour, 30, tzinfo=UTC), BEIRUT) for hour in (20, 21)]
    assert passes == ["24 Oct 2026, 23:30 Beirut (UTC+03:00)", "24 Oct 2026, 23:30 Beirut (UTC+02:00)"]


def test_moment_without_a_zone_is_refused() -> None:
    """A naive moment is refused, for it would be read in the wrong zone."""
    with pytest.raises(ValueError, match="has no time zone"):
        formats.moment(datetime(2026, 11, 23, 17, 23), BEIRUT)  # noqa: DTZ001  the fault


@pytest.mark.parametrize("missing", [None, pd.NaT])
def test_moment_that_is_missing(missing: datetime | None) -> None:
    """No moment is a dash."""
    assert formats.moment(missing, BEIRUT) == "\N{EN DASH}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail mona.k+x@example.com now", "mail m…@example.com now"),
        ("call +961 3 123 456", "call +961…56"),
        ("call 0096170123456.", "call 00961…56."),
        ("from 10.9.8.7/32", "from 10.9.x.x"),
        ("from 2001:db8::1", "from 2001:db8:x:x"),
        ("reading 6f1c2f3e-1111-4222-8333-123456789012", "reading 6f1c2f3e"),
    ],
)
def test_mask_hides_people(text: str, expected: str) -> None:
    """Mail addresses, phone numbers, IP addresses and ids are kept only in masked form."""
    assert formats.mask(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "PostgreSQL 15.4 and golive 0.1.9",
        "at 17:23:45, 2026-11-23T17:23:45.123456+00:00",
        "owner @mona, price 12,345.67, + 3 more",
        "card_position::text at 1:2",
        "1234567890",
    ],
)
def test_mask_leaves_what_only_looks_like_people(text: str) -> None:
    """Versions, times, casts and plain numbers are not people."""
    assert formats.mask(text) == text


@pytest.mark.parametrize("status", Status)
def test_status_is_told_by_word_shape_and_colour(status: Status) -> None:
    """A status never rests on colour alone."""
    badge = show.status_badge(status)
    tag = BeautifulSoup(badge.markup, "html.parser").span
    assert isinstance(tag, Tag)
    assert (tag.get_text(), f"gl-{status}" in tag["class"], badge.text) == (badge.text, True, tag.get_text())


def test_shapes_differ() -> None:
    """No two statuses share a shape."""
    assert len(set(grid.SHAPES.values())) == len(Status)


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_a_banner(verdict: Verdict) -> None:
    """Each verdict can be shown, in a page and in a terminal, with its sentence and facts."""
    banner = show.verdict_banner(verdict, "Because <b>.", {"Stage": "10 %"})
    word = show.VERDICTS[verdict][0]
    assert f"{word}: Because <b>.\n  Stage: 10 %" in banner.text
    assert ("<b>" in banner.markup, "Because &lt;b&gt;." in banner.markup) == (False, True)


def test_only_green_verdicts_are_green() -> None:
    """The verdicts that end a command with 0 are the ones shown in green."""
    green = {verdict for verdict, (_, status) in show.VERDICTS.items() if status is Status.GREEN}
    assert green == {Verdict.GO, Verdict.PROMOTE, Verdict.CONTINUE}


def test_tiles() -> None:
    """A tile shows label, value, remark and status."""
    shown = show.tiles([show.Tile("API P95", "1.31 s", "limit 2 s", Status.GREEN), show.Tile("Calls", "81")])
    assert shown.text == "● API P95: 1.31 s (limit 2 s)\nCalls: 81"
    texts = [li.get_text(" ", strip=True) for li in BeautifulSoup(shown.markup, "html.parser").find_all("li")]
    assert texts == ["API P95 1.31 s ● green limit 2 s", "Calls 81"]


def test_both_forms_travel_in_the_bundle() -> None:
    """A page gets markup with its style, a terminal gets text."""
    bundle = show.Html("<p>x</p>", "x")._repr_mimebundle_()
    assert bundle == {"text/html": f'{show.STYLE}<div class="mathjax_ignore"><p>x</p></div>', "text/plain": "x"}


def test_table_shows_each_kind_of_cell() -> None:
    """Units, ids, people's data, moments and missing values are shown as people read them."""
    frame = pd.DataFrame(
        {
            "call_id": [uuid.UUID("6f1c2f3e-1111-4222-8333-123456789012")],
            "client_ip": [ip_address("10.9.8.7")],
            "at": [pd.Timestamp("2026-11-23 17:23", tz="UTC")],
            "day": [date(2026, 11, 23)],
            "setup_ms": [1310.4],
            "failed_share": [np.float64(0.0042)],
            "calls": [np.int64(1234)],
            "user_id": [9007199254740993],
            "recorded": [np.bool_(True)],
            "note": [None],
        }
    )
    expected = (
        "6f1c2f3e|10.9.x.x|23 Nov 2026, 19:23 Beirut|23 Nov 2026|1.31 s|0.42 %|1,234|9007199254740993|yes|\N{EN DASH}"
    )
    shown = _cells(show.table(frame, caption="Calls", tz=BEIRUT))
    assert shown == [expected.replace("1.31 s", f"1.31{NBSP}s").replace("0.42 %", f"0.42{NBSP}%").split("|")]


def test_columns_whose_names_say_it_badly_have_words() -> None:
    """Bounds and earlier shares are said as people say them."""
    shown = show.table(pd.DataFrame({"step": ["paid"], "of_last_step_share": [0.5], "low_share": [0.4]}), caption="c")
    assert [word in shown.text for word in ("Of the step before", "At least", "share")] == [True, True, False]


def test_table_titles_read_as_words() -> None:
    """Column names become words, without the unit that stands in the cells."""
    frame = pd.DataFrame({"kpi": ["x"], "p95_ms": [1], "allowed_share": [0.1], "call_id": [1]})
    assert _cells(show.table(frame, caption="t"), "thead tr") == [["KPI", "P95", "Allowed share", "Call ID"]]


def test_table_headers_say_what_they_head() -> None:
    """Every header cell has a scope, and each row has a header."""
    frame = pd.DataFrame({"status": ["green", "red"], "kpi": ["a", "b"], "n": [1, 2]})
    soup = BeautifulSoup(show.table(frame, caption="t", status_column="status").markup, "html.parser")
    assert [th["scope"] for th in soup.find_all("th")] == ["col", "col", "col", "row", "row"]
    assert [th.get_text() for th in soup.select("tbody th")] == ["a", "b"]


def test_table_aligns_numbers_only() -> None:
    """Numbers are aligned right, with a gap among them or not; words, booleans and ids in words are not."""
    frame = pd.DataFrame({"n": [1, None], "word": ["1", "2"], "yes": [True, False], "cost": [Decimal(1), None]})
    soup = BeautifulSoup(show.table(frame, caption="t").markup, "html.parser")
    assert ["gl-num" in str(th.get("class")) for th in soup.select("thead th")] == [True, False, False, True]


def test_table_escapes_what_the_database_holds() -> None:
    """Text from the app's tables is text, in cells, titles and captions."""
    frame = pd.DataFrame({"<i>c</i>": ["<script>alert(1)</script>"]})
    markup = show.table(frame, caption='a "quoted" <b>').markup
    assert [part in markup for part in ("<script", "<i>", "<b>", '"quoted"')] == [False] * 4


def test_table_says_how_many_rows_it_left_out() -> None:
    """A long table ends with the number of rows that are not shown."""
    frame = pd.DataFrame({"n": range(1_203)})
    assert _cells(show.table(frame, caption="t", max_rows=3))[-1] == ["… and 1,200 more"]


def test_table_that_just_fits_says_nothing() -> None:
    """A table of exactly ``max_rows`` rows has no last line about others."""
    assert _cells(show.table(pd.DataFrame({"n": range(3)}), caption="t", max_rows=3)) == [["0"], ["1"], ["2"]]


def test_empty_table_says_so() -> None:
    """No rows is said in words."""
    shown = show.table(pd.DataFrame({"a": [], "b": []}), caption="Nothing")
    assert (_cells(shown), shown.text) == ([["No rows."]], "Nothing\nA  B\n-  -\nNo rows.")


def test_table_shows_statuses_as_badges_and_other_words_as_they_are() -> None:
    """In the status column a status gets its shape; a word that is none stays a word."""
    frame = pd.DataFrame({"kpi": ["a", "b"], "status": [Status.RED, "pending"]})
    assert _cells(show.table(frame, caption="t", status_column="status")) == [["a", "◆ red"], ["b", "pending"]]


def test_table_in_a_terminal() -> None:
    """A terminal gets aligned columns."""
    frame = pd.DataFrame({"kpi": ["Errors", "Calls"], "n": [12345, 8], "status": ["green", "amber"]})
    assert show.table(frame, caption="KPIs", status_column="status").text.splitlines() == [
        "KPIs",
        "KPI          N  Status",
        "------  ------  -------",
        "Errors  12,345  ● green",
        "Calls        8  ▲ amber",
    ]


def test_table_shows_a_named_index_and_leaves_the_frame_alone() -> None:
    """A named index is a column of the table; the frame is not touched."""
    frame = pd.DataFrame({"n": [1]}, index=pd.Index(["a"], name="kpi"))
    before = frame.copy()
    assert _cells(show.table(frame, caption="t")) == [["a", "1"]]
    pd.testing.assert_frame_equal(frame, before)


def test_chart_travels_as_data_with_its_sentence() -> None:
    """A chart's bundle is Plotly's JSON and the sentence; a gap is null."""
    chart = show.Chart(go.Figure(go.Scatter(y=[1.0, None]), layout={"template": "none"}), "It rose.")
    bundle = chart._repr_mimebundle_()
    assert (list(bundle), bundle["text/plain"]) == ([show.PLOTLY_MIME, "text/plain"], "It rose.")
    assert bundle[show.PLOTLY_MIME]["data"] == [{"type": "scatter", "y": [1.0, None]}]


def test_wide_table_is_stacked_on_a_phone() -> None:
    """Every cell carries its column's title for it; a narrow table stays as it is."""
    wide = pd.DataFrame({name: ["a sentence that needs some room"] for name in ("what", "finding", "what_to_do")})
    assert show.table(wide, caption="c").markup.count('data-label="Finding"') == 1
    assert "gl-stack" in show.table(wide, caption="c").markup
    assert "gl-stack" not in show.table(pd.DataFrame({"a": [1], "b": [2]}), caption="c").markup


def test_plan_shows_what_it_names(tmp_path: Path) -> None:
    """Opening a launch shows the kinds its plan names in tables, and the next launch's plan hides them again."""
    rows = pd.DataFrame({"client_ip": ["10.9.8.7"], "mail": ["mona@example.com"]})
    (tmp_path / "queries").mkdir()
    plan = tmp_path / "launch.toml"
    plan.write_text((ROOT / "launch.toml").read_text().replace("[reports]\nshow = []", '[reports]\nshow = ["ip"]'))
    open_launch("postgresql://localhost/none", plan=plan)
    assert [part in show.table(rows, caption="").text for part in ("10.9.8.7", "mona@")] == [True, False]
    open_launch("postgresql://localhost/none", plan=ROOT / "launch.toml")
    assert [part in show.table(rows, caption="").text for part in ("10.9.8.7", "mona@")] == [False, False]
