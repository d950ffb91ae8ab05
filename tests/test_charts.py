"""The charts, and the sentences that answer their questions."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from golive_lib import charts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from golive_lib.show import Chart

BEIRUT = ZoneInfo("Asia/Beirut")
NBSP = "\N{NO-BREAK SPACE}"


def _hours(p95: Sequence[float | None], start: str = "2026-11-22 22:00", freq: str = "h") -> pd.DataFrame:
    at = pd.date_range(start, periods=len(p95), freq=freq, tz="UTC")
    values = pd.Series(np.array(p95, dtype=float))
    frame = pd.DataFrame({"at": at, "p50_ms": values / 3, "p95_ms": values, "p99_ms": values * 2})
    return frame.assign(requests=values.notna().astype(int) * 100)


def _counts(requests: list[int], failed: list[int], start: str = "2026-11-22 22:00") -> pd.DataFrame:
    at = pd.date_range(start, periods=len(requests), freq="h", tz="UTC")
    return pd.DataFrame({"at": at, "requests": requests, "failed": failed})


def _said(chart: Chart) -> str:
    return chart.summary.replace(NBSP, " ")


def test_latency_that_stayed_under_its_limit() -> None:
    """The sentence says in how many hours P95 held, and the worst with its local time."""
    chart = charts.latency(_hours([900, 1310, 700]), 2_000, BEIRUT)
    assert _said(chart) == "P95 stayed under the 2 s limit in 3 of 3 hours; worst 1.31 s at 01:00 Beirut."


def test_latency_at_its_limit_is_not_under_it() -> None:
    """The runbook's limit is "< 2 s": 2 s exactly breaks it, a millisecond less does not."""
    chart = charts.latency(_hours([1_999, 2_000, 2_400]), 2_000, BEIRUT)
    assert _said(chart) == "P95 was not under the 2 s limit in 2 of 3 hours; worst 2.4 s at 02:00 Beirut."


def test_latency_breaks_its_line_where_there_is_no_data() -> None:
    """An hour without requests is a gap in the line and is counted as such, not as a good hour."""
    chart = charts.latency(_hours([900, None, 700]), 2_000, BEIRUT)
    assert list(chart.figure.data[1].y) == [0.9, None, 0.7]
    assert "in 2 of 2 hours (1 without data)" in _said(chart)


def test_latency_counts_silence_at_the_ends() -> None:
    """Silence at the window's ends is without data, too."""
    assert "in 1 of 1 hour (2 without data)" in _said(charts.latency(_hours([None, 700, None]), 2_000, BEIRUT))


def test_latency_without_rows_for_silent_periods() -> None:
    """A period whose row is missing altogether is a gap as well."""
    chart = charts.latency(_hours([300, 310, 320, 330, 340], freq="5min").drop(index=[2]), 500, BEIRUT)
    assert list(chart.figure.data[1].y) == [300, 310, None, 330, 340]
    assert "in 4 of 4 periods of 5 min (1 without data)" in _said(chart)


def test_latency_of_nothing_is_unknown() -> None:
    """No requests is no good news."""
    for frame in (_hours([]), _hours([None, None])):
        assert _said(charts.latency(frame, 2_000, BEIRUT)) == (
            "No requests in this window, so its response times are unknown."
        )


def test_latency_over_more_than_a_day_names_the_day() -> None:
    """In a window longer than a day the worst hour is told with its date."""
    assert _said(charts.latency(_hours([500] * 30 + [900]), 2_000, BEIRUT)).endswith("at 06:00 Beirut on 24 Nov.")


def test_times_are_local() -> None:
    """The axis runs in the launch's zone and says so."""
    figure = charts.latency(_hours([900, 700]), 2_000, BEIRUT).figure
    assert (figure.data[0].x[0], figure.layout.xaxis.title.text) == ("2026-11-23 00:00:00", "time (Beirut)")


def test_times_do_not_run_backwards_where_the_clocks_change() -> None:
    """Over a change of the clocks the axis is UTC and says why."""
    figure = charts.latency(_hours([900] * 6, start="2026-10-24 18:00"), 2_000, BEIRUT).figure
    assert list(figure.data[0].x) == sorted(set(figure.data[0].x))
    assert figure.layout.xaxis.title.text == "time (UTC: the clocks change in Beirut)"


def test_the_limit_is_drawn_and_labelled() -> None:
    """The limit line stands at the limit, in the axis' unit, with its meaning."""
    figure = charts.latency(_hours([900]), 2_000, BEIRUT).figure
    assert (figure.layout.shapes[0].y0, figure.layout.annotations[0].text) == (2.0, f"limit 2{NBSP}s on P95")


def test_a_limit_in_milliseconds_is_drawn_in_milliseconds() -> None:
    """A limit under a second keeps its unit."""
    figure = charts.latency(_hours([300]), 500, BEIRUT).figure
    assert (figure.layout.shapes[0].y0, figure.layout.yaxis.title.text) == (500, "response time, ms")


def test_volume_says_how_many_failed_and_when() -> None:
    """The sentence gives all requests, the failed share, and the worst hour."""
    chart = charts.volume(_counts([100, 300, 600], [1, 0, 12]), BEIRUT)
    assert _said(chart) == "1,000 requests, 1.30 % failed; at worst 2 % at 02:00 Beirut."


def test_volume_without_failures_names_no_worst_hour() -> None:
    """Where nothing failed there is no worst hour."""
    assert _said(charts.volume(_counts([100, 0], [0, 0]), BEIRUT)) == "100 requests, 0 % failed."


def test_volume_of_nothing_is_unknown() -> None:
    """No requests is not "0 % failed"."""
    for frame in (_counts([], []), _counts([0, 0], [0, 0])):
        assert _said(charts.volume(frame, BEIRUT)) == "No requests in this window, so its failures are unknown."


def test_frames_are_left_alone() -> None:
    """Drawing does not touch the data."""
    frame = _hours([900, None])
    before = frame.copy()
    charts.latency(frame, 2_000, BEIRUT)
    pd.testing.assert_frame_equal(frame, before)


def test_palette_reads_on_paper_and_in_the_dark() -> None:
    """Every colour of the palette has at least 3:1 against white and against the dark page."""
    palette = (charts.BLUE, charts.ORANGE, charts.TEAL, charts.PURPLE, charts.PINK, charts.GREY, charts.RED)
    poor = [c for c in palette if _contrast(c, "#ffffff") < 3 or _contrast(c, "#1a1e24") < 3]
    assert (poor, _contrast("#f0d000", "#ffffff") < 3) == ([], True)


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_showing_a_chart_does_not_import_renderers() -> None:
    """Plotly's renderers cost seconds of imports, and no chart needs them."""
    code = (
        "import sys; from golive_lib import charts; "
        "charts.Chart(charts.figure(title='t'), 's')._repr_mimebundle_(); "
        "print('plotly.io._renderers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
