"""Executed notebooks as single HTML files that ask no host for anything."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError
from nbconvert import HTMLExporter, TemplateExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from traitlets import default

from golive_lib import page, show
from golive_lib.errors import ReportError
from golive_lib.formats import moment
from golive_lib.inks import INKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbformat import NotebookNode
    from traitlets.config import Config

TEMPLATES = Path(__file__).parent / "templates"
_PLOTLY_SLOT = "<!--plotly.js-->"
_BARE_IMAGE = re.compile(r"<img(?![^>]*\balt\b)")


@dataclass(frozen=True, slots=True)
class ReportMeta:
    """What a report's page says about its run; ``generated_at`` is aware and shown in its own zone."""

    title: str
    generated_at: datetime
    run_id: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None


def to_html(nb: NotebookNode, *, meta: ReportMeta) -> str:
    """Return an executed notebook as one HTML file's text."""
    return complete(to_page(nb, meta=meta))


def to_page(nb: NotebookNode, *, meta: ReportMeta) -> str:
    """Return an executed notebook's page without plotly.js, so that there is less to look through; see ``complete``."""
    exporter = GoliveExporter()  # type: ignore[no-untyped-call]  # nbconvert's
    return exporter.page(nb, {"golive": meta})[0]


def complete(page_: str) -> str:
    """Return a page with plotly.js in its place, if it has one."""
    return page_.replace(_PLOTLY_SLOT, _plotly().blob, 1) if _PLOTLY_SLOT in page_ else page_


def ready() -> None:
    """Do once what every page needs, by making one; raises ReportError for a template that is missing or broken."""
    figure = new_output("display_data", data={show.PLOTLY_MIME: {"data": [], "layout": {}}, "text/plain": "A chart."})
    cells = [
        new_markdown_cell("# A\n\n- b `c`\n\n| d |\n|---|\n| *e* |"),
        new_code_cell("f = 1  # g", outputs=[figure]),
    ]
    try:
        to_html(new_notebook(cells=cells), meta=ReportMeta("A", datetime.now(UTC)))
    except (OSError, UnicodeError, TemplateError) as error:
        broken = f"a report's page cannot be made: {error}; nothing was run. Install golive and plotly again"
        raise ReportError(broken) from None


class GoliveExporter(HTMLExporter):
    """nbconvert's exporter ``golive``; what it says about the run comes as a ReportMeta in ``resources["golive"]``."""

    export_from_notebook = "golive report"
    template_file = "report.html.j2"

    @property
    def default_config(self) -> Config:
        """Return nbconvert's settings with charts as data before charts as anything else."""
        config: Config = super().default_config.copy()
        config.NbConvertBase.display_data_priority = list(page.PRIORITY)
        return config

    @default("template_paths")
    def _template_paths(self, prune: bool = True, root_dirs: object = None) -> list[str]:  # noqa: ARG002  nbconvert's signature
        return [str(TEMPLATES / "report")]

    def from_notebook_node(  # type: ignore[override]  # as HTMLExporter does
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kw: object
    ) -> tuple[str, dict[str, Any]]:
        """Return the page's HTML and nbconvert's resources."""
        html, resources = self.page(nb, resources, **kw)
        return complete(html), resources

    def page(
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kw: object
    ) -> tuple[str, dict[str, Any]]:
        """Return the page's HTML with a slot for plotly.js, and nbconvert's resources."""
        given = dict(resources or {})
        meta = given.pop("golive", None) or _default_meta(nb, given)
        parts = page.read(nb, meta.title, meta.error)
        scripts = "'none'"
        if parts.has_figures:
            scripts = f"{script_source(text('report/report.js').encode())} {_plotly().policy}"
        given["golive"] = {
            "meta": meta,
            "page": parts,
            "generated": moment(meta.generated_at, meta.generated_at.tzinfo or UTC),
            "css": show.CSS + text("page.css") + text("report/report.css"),
            "script": text("report/report.js"),
            "inks": page.script_json(dict(INKS)),
            "policy": policy(scripts, "data: blob:"),
            "plotly_slot": _PLOTLY_SLOT,
        }
        # The page has all that the notebook says. nbconvert would copy that three times and parse the page once more.
        html, resources = TemplateExporter.from_notebook_node(self, new_notebook(metadata=nb.metadata), given, **kw)
        return _BARE_IMAGE.sub('<img alt="An image without a description."', html), resources


@dataclass(frozen=True, slots=True)
class _Plotly:
    blob: str
    policy: str


@cache
def _plotly() -> _Plotly:
    """Return plotly.js as gzip in base64, and as the source that the page's policy lets run."""
    code = files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()
    return _Plotly(base64.b64encode(gzip.compress(code, 6, mtime=0)).decode("ascii"), script_source(code))


def script_source(code: bytes) -> str:
    """Return a Content-Security-Policy source that allows one inline script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code).digest()).decode('ascii')}'"


def policy(scripts: str, images: str = "data:") -> str:
    """Return a Content-Security-Policy for these scripts alone: what came out of a database must not run."""
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src {images}; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def text(name: str) -> str:
    """Return a file of the templates."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _default_meta(nb: NotebookNode, resources: dict[str, Any]) -> ReportMeta:
    """Return what can be said of a notebook that was converted by nbconvert's own command."""
    name = resources.get("metadata", {}).get("name", "Report")
    return ReportMeta(title=page.first_heading(nb) or str(name), generated_at=datetime.now(tz=UTC))
