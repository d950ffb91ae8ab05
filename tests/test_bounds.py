"""A cell that prints or shows too much: real kernels, a small report, and a verdict that still counts."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from golive_lib.bounds import MOST, PRINTED, SHOWN, WHOLE, Allowance
from golive_lib.reports import Run, execute
from golive_lib.show import PLOTLY_MIME
from golive_lib.warm_kernels import warm_kernels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nbformat import NotebookNode

    from golive_lib.records import RunRecord

HUGE = 200_000_000
LARGEST = 1_000_000  # bytes on disk of a report whose one cell printed too much
MORE_MEMORY_KIB = 300_000
GREEN = """
from datetime import UTC, datetime
from golive_lib import Outcome, Status, Verdict, views
from golive_lib.show import Html
outcome = Outcome(Verdict.GO, Status.GREEN, "Fine.", datetime(2026, 3, 25, tzinfo=UTC), False, "UTC")
views.Finding(outcome, Html("<p>Fine.</p>" + more, "Fine."), {})
"""
FLOODS = {
    "in one piece": f"print('first', 'x' * {HUGE}, 'last')",
    "line by line": f"print('first')\nfor _ in range({HUGE // 10_000}): print('x' * 9_999)\nprint('last')",
    "flushed by the line": f"print('first')\nfor _ in range({HUGE // 10_000}): print('x' * 9_999, flush=True)\n"
    "print('last')",
    "by a program": f"print('first')\n!yes xxxxxxxxx | head -c {HUGE // 10}; echo last",
}
SHOWS = {
    "a page": f"from IPython.display import HTML\nHTML('x' * {HUGE})",
    "a figure": "import plotly.graph_objects as go\nfrom golive_lib.show import Chart\n"
    "Chart(go.Figure(go.Scatter(y=[str(n) for n in range(900_000)])), 'Many points.')",
    "an update": "from IPython.display import HTML, display\nshown = display('x', display_id=True)\n"
    f"shown.update('x' * {HUGE})",
}


@pytest.fixture
def ran(tmp_path: Path) -> Callable[..., tuple[RunRecord, NotebookNode, str]]:
    """Give a way to run cells and a green verdict after them: the record, the notebook and the page."""

    def run(*cells: str, more: str = "''", forked: bool = True) -> tuple[RunRecord, NotebookNode, str]:
        first = new_code_cell("n: int = 1  # how many", metadata={"tags": ["parameters"]})
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        made = [first, *map(new_code_cell, [*cells, f"more = {more}", GREEN])]
        nbformat.write(new_notebook(cells=made, metadata={"kernelspec": spec}), tmp_path / "made.ipynb")
        outputs = tmp_path / "out"
        run = Run(tmp_path / "made.ipynb", {}, "", outputs)
        record = execute(run, kernels=warm_kernels() if forked else None)
        assert record.html
        page = outputs / record.html
        assert page.stat().st_size < 2 * WHOLE
        return record, nbformat.read(page.with_suffix(".ipynb"), 4), page.read_text()

    return run


def printed(notebook: NotebookNode, cell: int = 1) -> str:
    """Return what a cell's streams hold."""
    return "".join(output.text for output in notebook.cells[cell].outputs if output.output_type == "stream")


@pytest.mark.parametrize("forked", [True, False], ids=["forked", "plain"])
@pytest.mark.parametrize("cell", FLOODS.values(), ids=FLOODS)
def test_what_is_printed_is_kept_in_its_beginning_and_end(
    ran: Callable[..., tuple[RunRecord, NotebookNode, str]], cell: str, *, forked: bool
) -> None:
    """200 MB leave a small report that says how much is missing, little memory in use, and the verdict as it was."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    record, notebook, page = ran(cell, forked=forked)
    text = printed(notebook)
    assert (record.verdict, record.error) == ("go", None)
    assert text.startswith("first")
    assert text.rstrip().endswith("last")
    (said,) = [line for line in text.splitlines() if "left out here" in line]
    assert int(said.split()[1].replace(",", "")) + len(text) >= HUGE // 10
    assert said in page
    assert len(page) + len(nbformat.writes(notebook)) < LARGEST
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MORE_MEMORY_KIB


@pytest.mark.parametrize("cell", SHOWS.values(), ids=SHOWS)
def test_what_is_shown_too_large_is_replaced_by_a_line(
    ran: Callable[..., tuple[RunRecord, NotebookNode, str]], cell: str
) -> None:
    """A figure, a page or an update over the limit is named with its size, and the verdict counts."""
    record, notebook, page = ran(cell)
    (output,) = notebook.cells[1].outputs
    assert (record.verdict, list(output.data)) == ("go", ["text/plain"])
    assert "Left out: an output of " in output.data["text/plain"]
    assert "Left out: an output of " in page


def test_verdict_that_cannot_be_shown_is_not_green(
    ran: Callable[..., tuple[RunRecord, NotebookNode, str]],
) -> None:
    """A verdict whose own output was left out is none: nobody could read what it stands on."""
    record, _, page = ran(more=f"'x' * {SHOWN}")
    assert (record.verdict, record.exit_code) == (None, 1)
    assert "Left out: an output of " in page


def test_cell_that_breaks_after_a_flood_shows_both(
    ran: Callable[..., tuple[RunRecord, NotebookNode, str]],
) -> None:
    """The end of what was printed stands before the error, and a huge message of it is shortened."""
    record, notebook, _ = ran(f"print('x' * {HUGE // 100})\nprint('so far')\nraise ValueError('y' * {HUGE // 100})")
    cell = next(cell for cell in notebook.cells if cell.get("outputs"))
    kinds = [output.output_type for output in cell.outputs]
    assert record.exit_code == 1
    assert len(record.error or "") < PRINTED
    assert kinds[-1] == "error"
    assert "so far" in "".join(output.text for output in cell.outputs[:-1])


def test_cell_that_clears_its_output_may_go_on(ran: Callable[..., tuple[RunRecord, NotebookNode, str]]) -> None:
    """A progress that is drawn over itself a thousand times is not more than its last state."""
    cell = (
        "from IPython.display import clear_output\nfor i in range(30):\n clear_output(wait=True); print(i, 'x' * 9_999)"
    )
    _, notebook, _ = ran(cell)
    assert printed(notebook).split() == ["29", "x" * 9_999]


def stream(text: str, name: str = "stdout") -> dict[str, str]:
    """Return a kernel's message of printed text."""
    return {"name": name, "text": text}


def test_what_fits_is_untouched() -> None:
    """Up to the limit each piece passes as it came, and nothing is said."""
    allowance = Allowance()
    content = stream("x" * 1_000)
    assert all(allowance.passes("stream", content) for _ in range(50))
    assert (content["text"], allowance.rest()) == ("x" * 1_000, [])


def test_text_a_little_over_the_beginning_is_whole() -> None:
    """Beginning and end together hold twice as much, without a gap between them."""
    allowance = Allowance()
    content = stream("".join(f"{n:09},\n" for n in range(PRINTED // 10)))
    whole = content["text"]
    allowance.passes("stream", content)
    assert content["text"] + "".join(text for _, text in allowance.rest()) == whole


def test_each_stream_keeps_its_own_end() -> None:
    """A flood on one stream does not drown the other's last words."""
    allowance = Allowance()
    for text, name in (("x" * PRINTED, "stdout"), ("the reason", "stderr"), ("x" * 3 * PRINTED, "stdout")):
        allowance.passes("stream", stream(text, name))
    assert ("stderr", "the reason") in allowance.rest()


def test_notebook_has_one_limit_for_all_its_cells() -> None:
    """Cells that are each within their limit are cut once the notebook's is reached."""
    left, kept = WHOLE, 0
    for _ in range(20):
        allowance = Allowance(left)
        for size in (1_000_000, 10, 10):
            content: dict[str, object] = {"data": {PLOTLY_MIME: {"data": ["x" * size]}}, "metadata": {}}
            kept += allowance.passes("display_data", content) and len(str(content))
        left = allowance.unspent()
    assert kept <= WHOLE
    assert left < 1_000_000


def test_more_outputs_than_a_cell_may_have_are_counted() -> None:
    """A loop that shows a thousand small things is cut, and the line says how many are missing."""
    allowance = Allowance()
    passed = [allowance.passes("display_data", {"data": {"text/plain": "x"}, "metadata": {}}) for _ in range(1_000)]
    assert (sum(passed), allowance.rest()[0][1].split(".")[0]) == (
        MOST,
        "\N{HORIZONTAL ELLIPSIS} 500 more outputs left out",
    )
