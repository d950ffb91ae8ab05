"""Reports: one file, complete, safe, and readable without JavaScript."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from golive_lib import page, show
from golive_lib.export import ReportMeta, to_html
from golive_lib.verdicts import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from nbformat import NotebookNode

META = ReportMeta(
    title="Canary watch",
    generated_at=datetime(2026, 11, 23, 15, 4, tzinfo=UTC),
    run_id="run-7f3a",
    parameters={"stage": "25"},
)
FIGURE = {"data": [{"type": "scatter", "y": [1, 2], "name": "</script><script>alert(1)</script>"}], "layout": {}}
MARKUP = {"text/html": "<p>shown</p>"}


def _displayed(data: dict[str, Any]) -> NotebookNode:
    output: NotebookNode = new_output("display_data", data=data)
    return output


def _code(source: str = "x", *outputs: NotebookNode, tags: tuple[str, ...] = (), count: int | None = 1) -> NotebookNode:
    cell: NotebookNode = new_code_cell(
        source, outputs=list(outputs), execution_count=count, metadata={"tags": list(tags)}
    )
    return cell


def _chart(summary: str = "It rose.") -> NotebookNode:
    return _displayed({show.PLOTLY_MIME: FIGURE, "text/plain": summary, **MARKUP})


def _failure() -> NotebookNode:
    output: NotebookNode = new_output(
        "error", ename="ValueError", evalue="no <rows>\nat all", traceback=["\x1b[31mValueError\x1b[0m"]
    )
    return output


def _html(*cells: NotebookNode, meta: ReportMeta = META) -> str:
    return to_html(new_notebook(cells=list(cells)), meta=meta)


def _soup(*cells: NotebookNode, meta: ReportMeta = META) -> BeautifulSoup:
    return BeautifulSoup(_html(*cells, meta=meta), "html.parser")


def _one(soup: BeautifulSoup | Tag, selector: str) -> Tag:
    (found,) = soup.select(selector)
    return found


def _policy(soup: BeautifulSoup) -> str:
    return str(_one(soup, 'meta[http-equiv="Content-Security-Policy"]')["content"])


def _source(code: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"


def _own_script(soup: BeautifulSoup) -> str:
    return soup.select("script:not([type])")[-1].get_text()


def _plotly() -> bytes:
    return files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()


def test_each_figure_has_its_sentence_and_its_data() -> None:
    """A figure is a caption, a place to draw in, and JSON that reads back as it was."""
    soup = _soup(_code("x", _chart("It rose.")), _code("x", _chart("It fell.")))
    assert [caption.get_text() for caption in soup.select("figure > figcaption")] == ["It rose.", "It fell."]
    assert [json.loads(tag.get_text()) for tag in soup.select("figure > script")] == [FIGURE, FIGURE]


def test_a_chart_as_data_goes_before_a_chart_as_markup() -> None:
    """Of the forms that one output has, the chart's data is the one shown."""
    assert "<p>shown</p>" not in _html(_code("x", _chart()))


def test_figure_data_cannot_end_its_script() -> None:
    """Data that holds ``</script>`` stays data."""
    soup = _soup(_code("x", _chart()))
    assert "<" not in _one(soup, "figure > script").get_text()
    assert [tag.get("type") for tag in soup.find_all("script")] == [
        "application/json", "application/json", "text/plain", None,
    ]  # fmt: skip


def test_plotly_is_embedded_once() -> None:
    """Two figures share one plotly.js, which inflates to the installed one."""
    soup = _soup(_code("x", _chart(), _chart()))
    packed = _one(soup, "script#plotly").get_text()
    assert gzip.decompress(base64.b64decode(packed)) == _plotly()


def test_no_figure_no_plotly() -> None:
    """A report without a figure is small and runs no script at all."""
    soup = _soup(_code("x", _displayed(MARKUP)))
    assert (soup.find_all("script"), "script-src 'none'" in _policy(soup)) == ([], True)


def test_the_policy_lets_the_page_run_its_own_scripts() -> None:
    """Of all scripts the policy names two: the page's own, and plotly.js as it is after inflating."""
    soup = _soup(_code("x", _chart()))
    found = re.search(r"script-src ([^;]+);", _policy(soup))
    assert found is not None
    assert found[1].split() == [_source(_own_script(soup)), _source(_plotly().decode())]


def test_the_policy_stops_scripts_from_the_data() -> None:
    """A script that came with an output is not among those the policy lets run."""
    planted = "alert(document.title)"
    soup = _soup(_code("x", _chart(), _displayed({"text/html": f"<script>{planted}</script>"})))
    assert _source(planted) not in _policy(soup)
    assert "unsafe-inline" not in _policy(soup).split("script-src")[1].split(";", 1)[0]


def test_nothing_is_loaded_from_anywhere() -> None:
    """The page names no address to load from, and its policy would refuse one."""
    soup = _soup(new_markdown_cell("# T\ntext"), _code("x", _chart()))
    loaded = [tag for tag in soup.select("[src], link, iframe, object") if not str(tag.get("src")).startswith("data:")]
    assert (loaded, _policy(soup).startswith("default-src 'none'; ")) == ([], True)
    assert "url(" not in _one(soup, "head > style").get_text()


def test_plotly_shares_nothing() -> None:
    """plotly.js is told to offer no upload of the chart."""
    script = _own_script(_soup(_code("x", _chart())))
    assert ("showSendToCloud: false" in script, 'plotlyServerURL: ""' in script) == (True, True)


def test_six_charts_stay_small() -> None:
    """Six charts of a day by the minute stay under 2.3 MB."""
    figure = {"data": [{"y": [1.234 * i for i in range(1_440)]}], "layout": {}}
    output = _displayed({show.PLOTLY_MIME: figure, "text/plain": "s"})
    assert len(_html(_code("x", *[output] * 6)).encode()) < 2_300_000


def test_numbers_that_json_lacks_are_gaps() -> None:
    """NaN and infinities become null, or the browser would read nothing."""
    assert page.script_json({"y": [1, float("nan"), float("-inf")]}) == '{"y":[1,null,null]}'


def test_a_figure_without_a_sentence_is_named_by_its_title() -> None:
    """The text form of a bare figure is its source, which is no caption."""
    bare = {"data": [], "layout": {"title": {"text": "Own chart"}}}
    soup = _soup(_code("x", _displayed({show.PLOTLY_MIME: bare, "text/plain": "Figure({'data': []})"})))
    assert _one(soup, "figcaption").get_text() == "Own chart"


def test_the_header_says_what_ran() -> None:
    """Title, time, run and parameters stand on top, as text."""
    header = _one(_soup(), "header")
    assert _one(header, "h1").get_text() == "Canary watch"
    pairs = [div.get_text(" ", strip=True) for div in header.select(".run div")]
    assert pairs == ["Generated 23 Nov 2026, 15:04 UTC", "Run run-7f3a", "stage 25"]


def test_the_verdict_stands_on_top() -> None:
    """The last verdict moves to the header."""
    first = show.verdict_banner(Verdict.CONTINUE, "First.")._repr_mimebundle_()
    last = show.verdict_banner(Verdict.HOLD, "Last.")._repr_mimebundle_()
    soup = _soup(_code("x", _displayed(first)), _code("x", _displayed(last)))
    assert [_one(s, ".gl-sentence").get_text() for s in soup.select("header, main")] == ["Last.", "First."]


def test_code_around_the_verdict_is_one_fold() -> None:
    """With the verdict on top, what stood before and behind it stands together."""
    banner = show.verdict_banner(Verdict.PROMOTE, "All fine.")
    shown = _displayed({"text/html": show.styled(banner.markup)})
    soup = _soup(_code("imports"), _code("judge", shown), _code("more"))
    assert len(soup.select("details.code")) == 1
    assert [word in _one(soup, "details.code").get_text() for word in ("imports", "judge", "more")] == [True] * 3


def test_a_broken_run_has_no_verdict_on_top() -> None:
    """What a run said before it broke does not stand where its verdict would."""
    verdict = show.verdict_banner(Verdict.GO, "All green.")._repr_mimebundle_()
    soup = _soup(_code("x", _displayed(verdict)), _code("1/0", _failure()))
    assert ([len(part.select(".gl-verdict")) for part in soup.select("header, main")]) == [0, 1]


def test_an_error_stands_on_top() -> None:
    """The error is told in a line on top, which leads to the full traceback where it happened."""
    soup = _soup(_code("1/0", _failure()))
    assert _one(soup, "header .stopped-line").get_text() == "ValueError: no <rows>"
    assert _one(soup, str(_one(soup, "header .stopped a")["href"])).find("details") is not None


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("Traceback (most recent call last):\n  File x\nKeyError: 'a'\n", "KeyError: 'a'"),
        ("OperationalError: refused\n\tIs the server running?", "OperationalError: refused"),
        (" \n", "unknown error"),
    ],
)
def test_an_error_in_one_line(error: str, line: str) -> None:
    """A traceback is named by its last line, a message by its first."""
    assert page.headline(error) == line


def test_a_killed_run_has_no_verdict_on_top() -> None:
    """An error that only the runner knows keeps the verdict from the top as well."""
    verdict = show.verdict_banner(Verdict.GO, "All green.")._repr_mimebundle_()
    meta = ReportMeta(title="t", generated_at=META.generated_at, error="the kernel died")
    soup = _soup(_code("x", _displayed(verdict)), meta=meta)
    assert [len(part.select(".gl-verdict")) for part in soup.select("header, main")] == [0, 1]


def test_the_run_may_know_its_error_better() -> None:
    """A run's own error goes before the notebook's: of a killed kernel the notebook knows nothing."""
    meta = ReportMeta(title="t", generated_at=META.generated_at, error="DeadKernelError: killed")
    assert _one(_soup(_code(), meta=meta), ".stopped-line").get_text() == "DeadKernelError: killed"


def test_a_good_run_shows_no_error() -> None:
    """Messages on stderr are no failure."""
    soup = _soup(_code("x", new_output("stream", name="stderr", text="\x1b[33mcareful\x1b[0m\n")))
    assert (soup.select(".stopped"), _one(soup, ".messages pre").get_text()) == ([], "careful")


def test_a_stream_in_pieces_is_one() -> None:
    """What a cell printed piece by piece is shown in one place."""
    pieces = [new_output("stream", name="stdout", text=f"{i}\n") for i in range(3)]
    assert _one(_soup(_code("x", *pieces)), "pre.text").get_text() == "0\n1\n2"


def test_code_is_folded_and_parameters_are_named() -> None:
    """All code is folded away; both cells of parameters share one fold."""
    cells = (
        _code("stage = 10", tags=("parameters",)),
        _code("stage = 25", tags=("injected-parameters",)),
        _code("go()"),
    )
    folds = _soup(*cells).select("details")
    assert [_one(fold, "summary").get_text() for fold in folds] == ["Parameters", "SQL & code"]
    assert ([len(fold.select("pre")) for fold in folds], [fold.get("open") for fold in folds]) == ([2, 1], [None, None])


def test_code_after_a_failure_is_marked() -> None:
    """After a failure, cells that never ran say so."""
    soup = _soup(_code("a"), _code("1/0", _failure(), count=2), _code("b", count=None))
    assert [s.get_text() for s in soup.select("details.code summary")] == ["SQL & code"] * 2 + ["SQL & code (not run)"]


def test_papermill_s_own_error_cells_are_left_out() -> None:
    """The page has its own banner, so papermill's does not come twice."""
    cell = new_markdown_cell("An Exception was encountered", metadata={"tags": ["papermill-error-cell-tag"]})
    assert "An Exception" not in _html(cell, _code())


def test_a_level_that_an_author_skips_is_mended() -> None:
    """From a title to a third level there is no gap, across cells too; what comes after keeps its own level."""
    soup = _soup(new_markdown_cell("# Canary watch\n\n### One"), new_markdown_cell("##### Two\n\n## Three\n\n### Four"))
    found = [(tag.name, tag.get_text()) for tag in soup.select("main :is(h1, h2, h3, h4, h5, h6)")]
    assert found == [("h2", "One"), ("h3", "Two"), ("h2", "Three"), ("h3", "Four")]


@pytest.mark.parametrize("figure", [[], "x", None, {"layout": None}, {"layout": {"height": "tall", "title": 5}}])
def test_a_malformed_figure_does_not_stop_the_page(figure: object) -> None:
    """What plotly cannot draw is the browser's to say; the page around it is made."""
    soup = _soup(_code("x", _displayed({show.PLOTLY_MIME: figure, "text/plain": "It rose."}), _chart("It fell.")))
    assert [caption.get_text() for caption in soup.select("figure > figcaption")] == ["It rose.", "It fell."]


def test_headings_are_in_order() -> None:
    """The title is the only h1; the notebook's own title is not repeated."""
    soup = _soup(new_markdown_cell("# Canary Watch\n\nIntro\n\n## One"), new_markdown_cell("# Two\n\n### Three"))
    assert [(h.name, h.get_text()) for h in soup.select("h1, h2, h3")] == [
        ("h1", "Canary watch"), ("h2", "One"), ("h2", "Two"), ("h3", "Three"),
    ]  # fmt: skip


@pytest.mark.parametrize(("sections", "entries"), [(3, 0), (4, 4)])
def test_contents_from_four_sections_on(sections: int, entries: int) -> None:
    """A table of contents comes with the fourth section, and its links lead somewhere."""
    soup = _soup(*[new_markdown_cell(f"## S{i}") for i in range(sections)])
    links = [str(a["href"]) for a in soup.select("nav a")]
    assert len(links) == entries
    assert [_one(soup, link).get_text() for link in links] == [f"S{i}" for i in range(entries)]


def test_arabic_reads_in_its_own_direction() -> None:
    """Blocks of text find their own direction; a list finds it once, from its items."""
    soup = _soup(new_markdown_cell("## فحص\n\nنص\n\n- بند"))
    assert [(tag.name, tag.get("dir")) for tag in soup.select(".prose *")] == [
        ("h2", "auto"), ("p", "auto"), ("ul", "auto"), ("li", None),
    ]  # fmt: skip


def test_pandas_tables_say_what_their_headers_head() -> None:
    """A table that pandas drew gets scopes and loses its style block."""
    frame = '<div><style scoped>.x{}</style><table class="dataframe"><thead><tr><th></th><th>n</th></tr></thead>'
    frame += "<tbody><tr><th>0</th><td>1</td></tr></tbody></table></div>"
    output = _one(_soup(_code("x", _displayed({"text/html": frame}))), ".output")
    assert ([th["scope"] for th in output.select("th")], output.select("style")) == (["col", "col", "row"], [])


def test_the_style_comes_once() -> None:
    """Outputs carry the kit's style for JupyterLab; the page keeps one copy."""
    tiles = show.tiles([show.Tile("a", "1")])._repr_mimebundle_()
    soup = _soup(_code("x", _displayed(tiles)), _code("x", _displayed(tiles)))
    assert (len(soup.select("style")), len(soup.select("ul.gl-tiles"))) == (1, 2)


def test_landmarks_and_language() -> None:
    """A screen reader finds language, header, main and footer."""
    soup = _soup()
    assert (_one(soup, "html")["lang"], [t.name for t in soup.select("header, main, footer")]) == (
        "en", ["header", "main", "footer"],
    )  # fmt: skip


def test_images_stay_in_the_file() -> None:
    """Pictures are data, with a text in their place; an SVG is a picture, not markup."""
    svg = {"image/svg+xml": "<svg onload='alert(1)'/>", "text/plain": 'a "drawing"'}
    image = _one(_soup(_code("x", _displayed(svg))), "img")
    assert (str(image["src"]).split(",")[0], image["alt"]) == ("data:image/svg+xml;base64", 'a "drawing"')


def test_the_notebook_is_left_alone() -> None:
    """Exporting does not touch the notebook."""
    nb = new_notebook(cells=[new_markdown_cell("# Canary watch"), _code("x", _chart(), _failure())])
    before = nbformat.writes(nb)
    to_html(nb, meta=META)
    assert nbformat.writes(nb) == before


def test_the_same_notebook_gives_the_same_page() -> None:
    """A report is a function of its notebook and its run."""
    cells = (new_markdown_cell("## A"), _code("x", _chart()))
    assert _html(*cells) == _html(*cells)


def test_a_notebook_that_really_ran() -> None:
    """Tables, a chart, Arabic and a failure, from a kernel to a page."""
    nb = new_notebook(
        cells=[
            new_markdown_cell("# Canary watch\n\n## فحص"),
            new_code_cell(
                "import pandas as pd\nfrom golive_lib import charts, show\nfrom zoneinfo import ZoneInfo\n"
                "at = pd.date_range('2026-11-23', periods=3, freq='h', tz='UTC')\n"
                "frame = pd.DataFrame({'at': at, 'requests': [5, 6, 7], 'failed': [0, 1, 0]})\n"
                "charts.volume(frame, ZoneInfo('Asia/Beirut'))"
            ),
            new_code_cell("show.table(frame, caption='Hours')"),
            new_code_cell("1 / 0"),
        ]
    )
    with pytest.raises(CellExecutionError):
        NotebookClient(nb, timeout=60, kernel_name="python3").execute()
    soup = BeautifulSoup(to_html(nb, meta=META), "html.parser")
    assert _one(soup, "figcaption").get_text().startswith("18 requests, 5.56")
    assert _one(soup, "table caption").get_text() == "Hours"
    assert _one(soup, ".stopped-line").get_text() == "ZeroDivisionError: division by zero"


def test_nbconvert_finds_the_exporter(tmp_path: Path) -> None:
    """The command line of nbconvert makes the same kind of page, titled by the notebook's heading."""
    nbformat.write(new_notebook(cells=[new_markdown_cell("# By hand"), _code("x", _chart())]), tmp_path / "x.ipynb")
    exporter = "golive_lib.export.GoliveExporter"
    subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", exporter, "x.ipynb"], cwd=tmp_path, check=True, capture_output=True
    )
    soup = BeautifulSoup((tmp_path / "x.html").read_text(encoding="utf-8"), "html.parser")
    assert ([h.get_text() for h in soup.find_all(["h1", "h2"])], len(soup.select("figure"))) == (["By hand"], 1)
