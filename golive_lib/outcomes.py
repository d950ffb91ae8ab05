"""The verdict that an executed notebook carries, or why there is none to trust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat

from golive_lib.errors import ReportError
from golive_lib.records import CRASHED
from golive_lib.verdicts import EXIT_CODES, VERDICT_MIME, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from nbformat import NotebookNode

_OUTCOME = {"verdict", "status", "sentence", "at", "zone"}


def outcome_of(notebook: NotebookNode) -> tuple[dict[str, Any] | None, str | None]:
    """Return the one verdict among a notebook's outputs, or why there is none to trust."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    found = [data[VERDICT_MIME] for data in outputs if VERDICT_MIME in data]
    if not all(cell.execution_count for cell in cells):
        return None, "the notebook stopped before its last cell (sys.exit?), so its verdict does not count"
    if len(found) != 1:
        return None, f"the notebook finished with {len(found) or 'no'} verdicts; exactly one is needed"
    if not isinstance(found[0], dict) or not set(found[0]) >= _OUTCOME or found[0]["verdict"] not in set(Verdict):
        return None, "the notebook's verdict is not one of the kit's; show it with views.verdict"
    return found[0], None


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook; raises ReportError for a file that is none."""
    try:
        notebook: NotebookNode = nbformat.read(path, as_version=4)
    except (OSError, ValueError) as broken:
        raise ReportError(f"{path}: cannot be read as a notebook: {broken}") from None
    return notebook


def verdict_of(path: Path) -> tuple[str, int]:
    """Return what an executed notebook says in a sentence, and the exit code for it; a crash is 1.

    Raises ReportError for a file that is no notebook.
    """
    notebook = read_notebook(path)
    raised = [o for cell in notebook.cells for o in cell.get("outputs", []) if o["output_type"] == "error"]
    if raised:
        return f"{path.name}: {raised[0]['ename']}: {raised[0]['evalue']}", CRASHED
    outcome, why = outcome_of(notebook)
    if outcome is None:
        return f"{path.name}: {why}", CRASHED
    return f"{path.name}: {outcome['verdict']}: {outcome['sentence']}", EXIT_CODES[Verdict(outcome["verdict"])]
