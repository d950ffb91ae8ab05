"""Judge a launch from the app's own Postgres tables."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from golive_lib import charts, views
    from golive_lib.checks import CheckResult, Checks
    from golive_lib.errors import GoliveError
    from golive_lib.launch import Launch, open_launch
    from golive_lib.verdicts import Outcome, Status, Verdict

__all__ = [
    "CheckResult",
    "Checks",
    "GoliveError",
    "Launch",
    "Outcome",
    "Status",
    "Verdict",
    "charts",
    "open_launch",
    "views",
]

_HOMES = {
    "CheckResult": "checks",
    "Checks": "checks",
    "GoliveError": "errors",
    "Launch": "launch",
    "Outcome": "verdicts",
    "Status": "verdicts",
    "Verdict": "verdicts",
    "open_launch": "launch",
}


def __getattr__(name: str) -> object:
    """Import what is asked for only now: pandas and plotly take a second that a command may not need."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if "IPython" in sys.modules:  # a notebook: results show themselves
        import_module("golive_lib.shells").attach()
    module = import_module(f"golive_lib.{_HOMES.get(name, name)}")
    return getattr(module, name) if name in _HOMES else module


def __dir__() -> list[str]:
    return __all__
