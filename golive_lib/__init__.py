"""Judge a launch from the app's own Postgres tables."""

from golive_lib import charts, shells, views
from golive_lib.checks import CheckResult, Checks
from golive_lib.errors import GoliveError
from golive_lib.judge import Outcome, Status, Verdict
from golive_lib.launch import Launch, open_launch

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

shells.attach()
