"""The colours of a chart that depend on the page behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

CLEAR: Final = "rgba(0,0,0,0)"


def ink(text: str, faint: str, grid: str, raised: str, page: str = CLEAR) -> dict[str, Any]:
    """Return the part of a Plotly layout that depends on the page behind the chart, if that is known."""
    axis = {"gridcolor": grid, "zerolinecolor": grid, "linecolor": faint, "tickcolor": faint}
    return {
        "font": {"color": text},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "xaxis": axis,
        "yaxis": axis,
        "hoverlabel": {"bgcolor": raised, "bordercolor": faint, "font": {"color": text}},
        "annotationdefaults": {"bgcolor": page},
        "modebar": {"bgcolor": CLEAR, "color": faint, "activecolor": text},
    }


# A report knows its page and asks for light or dark; JupyterLab's theme is not known here, so neutral reads on both.
INKS: Final[Mapping[str, dict[str, Any]]] = {
    "neutral": ink("#737b87", "#79818d", "rgba(128,136,148,0.25)", "#f4f5f6"),
    "light": ink("#2b323b", "#79818d", "#e3e6ea", "#ffffff", "#ffffff"),
    "dark": ink("#d5dae1", "#8b94a1", "#30363f", "#262c34", "#1a1e24"),
}
