"""The commands before a launch: prove the readiness list, and report on row level security."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from golive_lib.backup import prove_backup
from golive_lib.cli_backup import back_up
from golive_lib.cli_rollback import rehearsed
from golive_lib.console import (
    AsOf,
    DbUrl,
    Outputs,
    PlanFile,
    database,
    known_moment,
    report,
    reports_folder,
    run_all,
    run_one,
    step,
)
from golive_lib.errors import GoliveError
from golive_lib.launch import open_launch
from golive_lib.readiness import last_coverage
from golive_lib.rollback_proof import prove_rollback
from golive_lib.settings import ADMIN_URL, OUTPUTS, backups_folder
from golive_lib.storage import prove_storage, take_storage
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from golive_lib.records import RunRecord


def readiness(  # noqa: PLR0913, PLR0917  the command's options
    stage: Annotated[
        float, typer.Option(help="What the canary's flag must say. Default: the stage by the plan.", min=0, max=100)
    ] = 0,
    as_of: AsOf = "",
    allow_writes: Annotated[
        bool, typer.Option("--allow-writes", help="Let contracts that change something run outside demo and staging.")
    ] = False,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="First take backup, storage manifest and RLS report; rehearse.")
    ] = False,
    db_url: DbUrl = None,
    plan: PlanFile = None,
    outputs: Outputs = None,
) -> int:
    """Prove every item of the readiness list and write the report: go, hold or no-go."""
    target, moment = reports_folder(outputs), known_moment(as_of)
    with database(db_url, plan):
        records = prepared(target) if prepare else []
        given = {
            "stage": f"{stage:g}" if stage else "",
            "as_of": moment,
            "allow_writes": "true" if allow_writes else "",
        }
        records += run_all(["readiness"], {name: value for name, value in given.items() if value}, target)
    report(records, target)
    return records[-1].exit_code


def prepared(target: Path) -> list[RunRecord]:
    """Take backup, storage manifest and coverage report where missing, old or broken; rehearse the rollback likewise.

    What cannot be taken is said here and found again by the list itself.
    """
    os.environ[OUTPUTS] = str(target.resolve())  # where the list will look for the report
    launch = open_launch()
    folder = backups_folder(launch.env)
    with launch.postgres.snapshot() as snapshot:
        now, identity = snapshot.clock.now, launch.postgres.url.identity
        backed_up = prove_backup(launch.plan.backup, folder, identity, now).status
        stored = prove_storage(launch, snapshot, folder).status
    if backed_up is not Status.GREEN:
        _try("backup", lambda: back_up(launch, folder))
    if stored is not Status.GREEN:
        _try("storage", lambda: take_storage(launch, folder, step))
    rehearsed_before = prove_rollback(launch, target, now).status
    if rehearsed_before is not Status.GREEN and launch.env.get(ADMIN_URL):
        _try("rollback", lambda: rehearsed(launch, target))
    reported = last_coverage(launch)
    fresh = reported is not None and now - reported <= launch.plan.rls.max_age
    return [] if fresh else run_all(["rls"], {}, target)


def _try(name: str, take: Callable[[], object]) -> None:
    try:
        take()
    except GoliveError as error:
        step(f"{name}: {error}")


def rls(db_url: DbUrl = None, plan: PlanFile = None, outputs: Outputs = None) -> int:
    """Report on row level security, relation by relation, as HTML, CSV and JSON."""
    target = reports_folder(outputs)
    with database(db_url, plan):
        return run_one("rls", {}, target).exit_code
