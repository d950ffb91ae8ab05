"""The command for the day after a launch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from golive_lib.console import AsOf, DbUrl, Outputs, PlanFile, database, known_moment, report, run_all
from golive_lib.settings import environment, outputs_folder

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(aftercare)


def aftercare(as_of: AsOf = "", db_url: DbUrl = None, plan: PlanFile = None, outputs: Outputs = None) -> int:
    """Report what the launch did to the API, the money, the readers, the recordings and the database."""
    target, moment = outputs or outputs_folder(environment(Path.cwd())), known_moment(as_of)
    with database(db_url, plan):
        records = run_all(["aftercare"], {"as_of": moment} if moment else {}, target)
    report(records, target)
    return records[-1].exit_code
