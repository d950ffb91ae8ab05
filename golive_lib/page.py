"""An executed notebook as the parts of a report's page: what to show, in which order, and what to fold away."""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

from bs4 import BeautifulSoup, Tag
from nbconvert.filters.ansi import ansi2html, strip_ansi
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from golive_lib.bidi import isolated
from golive_lib.show import PLOTLY_MIME, STYLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nbformat import NotebookNode

PRIORITY = (PLOTLY_MIME, "text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/plain")
_PARAMETER_TAGS = frozenset({"parameters", "injected-parameters"})
_PAPERMILL_ERROR_TAG = "papermill-error-cell-tag"  # its cells point at the failure; the page's own banner does that
_CONTENTS_FROM = 4
_SECTIONS = ("h2", "h3", "h4", "h5", "h6")
_TEXT_TAGS = ("h1", "h2", "h3", "h4", "h5", "h6", "p", "ul", "ol", "li", "td", "th", "blockquote", "dt", "dd")


@dataclass(frozen=True, slots=True)
class Block:
    """One part of the page: ``kind`` is prose, code, figure, html, text, messages or failure."""

    kind: str
    html: str
    label: str = ""
    number: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Heading:
    """A section's heading, for the table of contents."""

    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """All that a notebook gives its report; ``failure`` is its error in one line."""

    blocks: tuple[Block, ...]
    contents: tuple[Heading, ...]
    verdict: str | None
    failure: str | None

    @property
    def has_figures(self) -> bool:
        """Whether the page needs plotly.js."""
        return any(block.kind == "figure" for block in self.blocks)

    @property
    def has_traceback(self) -> bool:
        """Whether the page shows where it failed."""
        return any(block.kind == "failure" for block in self.blocks)


def read(nb: NotebookNode, title: str, error: str | None = None) -> Page:
    """Return a notebook's page; its own first heading is left out where it repeats the page's title.

    ``error`` is what the runner knows to have gone wrong; of a killed kernel, say, the notebook knows nothing.
    """
    raised = (_last_line(o) for cell in nb.cells for o in cell.get("outputs", ()) if o.output_type == "error")
    failure = headline(error) if error else next(raised, None)
    blocks = [block for cell in nb.cells for block in _cell(cell, failed=failure is not None)]
    shown = [i for i, block in enumerate(blocks) if block.kind == "html" and "gl-verdict" in block.html]
    verdicts = shown if failure is None else []  # what a run said before it broke is not its verdict
    verdict = blocks[verdicts[-1]].html if verdicts else None
    if verdicts:
        del blocks[verdicts[-1]]
    blocks, contents = _with_anchors(_without_title(_folded(blocks), title))
    return Page(
        blocks=tuple(_numbered(blocks)),
        contents=tuple(contents) if len(contents) >= _CONTENTS_FROM else (),
        verdict=verdict,
        failure=failure,
    )


def headline(error: str) -> str:
    """Return the line of an error that names it: a traceback's last, a message's first."""
    lines = error.strip().splitlines()
    return lines[-1 if error.lstrip().startswith("Traceback") else 0].strip() if lines else "unknown error"


def first_heading(nb: NotebookNode) -> str | None:
    """Return the text of a notebook's first markdown heading, if it has one."""
    sources = (cell.source for cell in nb.cells if cell.cell_type == "markdown")
    found = (re.search(r"^#\s+(.+)$", source, re.MULTILINE) for source in sources)
    return next((heading[1].strip() for heading in found if heading), None)


def _cell(cell: NotebookNode, *, failed: bool) -> Iterator[Block]:
    tags = set(cell.metadata.get("tags", ()))
    if _PAPERMILL_ERROR_TAG in tags:
        return
    if cell.cell_type == "markdown":
        yield Block("prose", prose(cell.source))
    elif cell.cell_type == "code" and cell.source.strip():
        yield from (block for output in _joined(cell.outputs) for block in _output(output))
        label = "Parameters" if tags & _PARAMETER_TAGS else "SQL & code"
        skipped = failed and cell.execution_count is None
        shown = str(Highlight2HTML(pygments_lexer="python3")(cell.source))
        yield Block("code", shown, label=f"{label} (not run)" if skipped else label)


def _folded(blocks: Sequence[Block]) -> list[Block]:
    """Fold code that stands together under one line."""
    folded: list[Block] = []
    for block in blocks:
        if folded and block.kind == folded[-1].kind == "code" and block.label == folded[-1].label:
            folded[-1] = replace(folded[-1], html=folded[-1].html + block.html)
        else:
            folded.append(block)
    return folded


def _joined(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Join what one stream wrote in several pieces."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last is not None and output.output_type == last.output_type == "stream" and output.name == last.name:
            joined[-1] = type(output)({**last, "text": last.text + output.text})
        else:
            joined.append(output)
    return joined


def _output(output: NotebookNode) -> Iterator[Block]:
    if output.output_type == "stream":
        kind = "messages" if output.name == "stderr" else "text"
        yield Block(kind, _terminal(output.text))
    elif output.output_type == "error":
        yield Block("failure", _terminal("\n".join(output.traceback)), label=_last_line(output))
    else:
        mime = next((mime for mime in PRIORITY if mime in output.data), None)
        if mime is not None:
            yield _displayed(mime, output.data)


def _displayed(mime: str, data: NotebookNode) -> Block:
    content = data[mime]
    if mime == PLOTLY_MIME:
        height = _layout(data).get("height")
        sized = height if isinstance(height, int | float) and height > 0 else 360
        return Block("figure", script_json(content), label=_summary(data), height=int(sized))
    if mime == "text/html":
        return Block("html", _scoped(content.replace(STYLE, "")))
    if mime == "text/markdown":
        return Block("prose", prose(content))
    if mime == "text/plain":
        return Block("text", _terminal(content))
    encoded = base64.b64encode(content.encode()).decode() if mime == "image/svg+xml" else "".join(content.split())
    alternative = escape(data.get("text/plain", "image"), quote=True)
    return Block("html", f'<img src="data:{mime};base64,{encoded}" alt="{alternative}">')


def _summary(data: NotebookNode) -> str:
    text: str = data.get("text/plain", "")
    if text and not text.startswith("Figure("):  # a bare figure's text is its source, which tells a reader nothing
        return text
    title = _layout(data).get("title") or {}
    return str((title.get("text") if isinstance(title, dict) else title) or "A chart without a summary.")


def _layout(data: NotebookNode) -> Mapping[str, Any]:
    """Return a figure's layout; one that is malformed has none, and its page stands."""
    figure = data[PLOTLY_MIME]
    layout = figure.get("layout") if isinstance(figure, dict) else None
    return layout if isinstance(layout, dict) else {}


def script_json(content: Any) -> str:  # noqa: ANN401  JSON
    """Return JSON that can stand in a script tag: no ``<``, and null for the numbers JSON does not have."""
    text = json.dumps(_finite(content), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _finite(content: Any) -> Any:  # noqa: ANN401  JSON
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def prose(source: str) -> str:
    """Return markdown as HTML whose blocks each read in their own direction, headings from h2 down."""
    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
    soup = BeautifulSoup(MarkdownWithMath(renderer=renderer).render(source), "html.parser")
    for heading in soup.find_all("h1"):
        heading.name = "h2"  # the page's title is its only h1
        heading["data-title"] = ""
    for tag in soup.find_all(_TEXT_TAGS):
        if not tag.find_parent(_TEXT_TAGS):  # a list reads in one direction, which its items must not hide from it
            tag["dir"] = "auto"
            _isolate(tag)
    _scope_tables(soup)
    return str(soup)


def _isolate(tag: Tag) -> None:
    whole = tag.get_text()
    for text in tag.find_all(string=True):
        if not text.find_parent(("code", "pre", "script", "style")) and (made := isolated(text, whole)) != escape(text):
            text.replace_with(BeautifulSoup(made, "html.parser"))


def _scoped(markup: str) -> str:
    """Return a pandas table with headers that say what they head; the kit's own tables say it already."""
    if "dataframe" not in markup:
        return markup
    soup = BeautifulSoup(markup, "html.parser")
    for style in soup.find_all("style"):
        style.decompose()
    _scope_tables(soup)
    return str(soup)


def _scope_tables(soup: BeautifulSoup) -> None:
    for cell in soup.find_all(["th", "td"]):
        heads = cell.name == "th" and cell.find_parent("thead")
        if cell.name == "th" and not cell.has_attr("scope"):
            cell["scope"] = "col" if heads else "row"
        cell["dir"] = "auto"
        if heads:
            del cell["dir"]
    for each in soup.find_all("table"):
        each["dir"] = "auto"  # as its headers read
        each.wrap(
            soup.new_tag("div", attrs={"class": "scroll", "role": "region", "aria-label": "table", "tabindex": "0"})
        )


def _without_title(blocks: Sequence[Block], title: str) -> list[Block]:
    found = next((i for i, block in enumerate(blocks) if block.kind == "prose"), None)
    if found is None:
        return list(blocks)
    soup = BeautifulSoup(blocks[found].html, "html.parser")
    heading = soup.find("h2", attrs={"data-title": True})
    if isinstance(heading, Tag) and heading.get_text().strip().casefold() == title.strip().casefold():
        heading.decompose()
    return [*blocks[:found], replace(blocks[found], html=str(soup)), *blocks[found + 1 :]]


def _with_anchors(blocks: Sequence[Block]) -> tuple[list[Block], list[Heading]]:
    """Give sections their anchors, and let no heading skip a level: who moves by headings would look for it."""
    anchored: list[Block] = []
    headings: list[Heading] = []
    level = 1
    for block in blocks:
        if block.kind != "prose" or "<h" not in block.html:
            anchored.append(block)
            continue
        soup = BeautifulSoup(block.html, "html.parser")
        for tag in soup.find_all(_SECTIONS):
            level = min(int(tag.name[1]), level + 1)
            tag.name = f"h{level}"
            if tag.name == _SECTIONS[0]:
                headings.append(Heading(f"section-{len(headings) + 1}", tag.get_text().strip()))
                tag["id"] = headings[-1].anchor
        anchored.append(replace(block, html=str(soup)))
    return anchored, headings


def _numbered(blocks: Sequence[Block]) -> Iterator[Block]:
    count = 0
    for block in blocks:
        count += block.kind == "figure"
        yield replace(block, number=count) if block.kind == "figure" else block


def _terminal(text: str) -> str:
    return str(ansi2html(text.rstrip("\n")))


def _last_line(output: NotebookNode) -> str:
    """Return an error as one line: its kind and the first line of what it says."""
    words = strip_ansi(output.get("evalue", ""))
    first = str(words).strip().split("\n", 1)[0]
    return f"{output.ename}: {first}" if first else str(output.ename)
