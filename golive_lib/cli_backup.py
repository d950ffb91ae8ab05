"""The commands that keep copies: a dump that was restored once, and a manifest of the stored objects."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from golive_lib.backup import prove_backup
from golive_lib.console import DbUrl, PlanFile, err, listed, opened, out, say, step, stoppable
from golive_lib.dump import take_backup
from golive_lib.errors import BackupError
from golive_lib.formats import number
from golive_lib.rehearsal import rehearse
from golive_lib.settings import BACKUPS, backups_folder
from golive_lib.show import table
from golive_lib.verdicts import EXIT_CODES, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from golive_lib.dump import Progress
    from golive_lib.launch import Launch
    from golive_lib.manifest import Manifest

Folder = Annotated[Path | None, typer.Option("--folder", help=f"Where copies go. Default: {BACKUPS}, else ./backups.")]
_MB = 1e6


def backup(
    rehearsed: Annotated[
        bool, typer.Option("--rehearse/--no-rehearse", help="Restore the dump into a scratch server and compare.")
    ] = True,
    db_url: DbUrl = None,
    plan: PlanFile = None,
    folder: Folder = None,
) -> int:
    """Dump the database, count its rows in the same snapshot, and restore the dump once to prove it."""
    with opened(db_url, plan) as launch:
        target = folder or backups_folder(launch.env)
        manifest = back_up(launch, target, rehearsed=rehearsed)
        proof = prove_backup(launch.plan.backup, target, launch.postgres.url.identity, manifest.taken_at)
    out.print(listed(("what", "status", "detail", "what to do"), map(astuple, proof.points)))
    say(target / manifest.file)
    return EXIT_CODES[Verdict.ROLLBACK] if manifest.lost else EXIT_CODES[Verdict.GO]


def back_up(launch: Launch, folder: Path, *, rehearsed: bool = True) -> Manifest:
    """Take a backup and rehearse its restore, with a progress bar; raises as take_backup and rehearse do."""
    with stoppable(), _bar() as show:
        manifest = take_backup(launch, folder, show)
    step(f"{manifest.file}: {manifest.rows:,} rows, {number(manifest.bytes / _MB, 'MB')}")
    if not rehearsed:
        return manifest
    try:
        with _bar() as show:
            return rehearse(launch, manifest, folder, show)
    except KeyboardInterrupt:
        raise BackupError(f"stopped; {manifest.file} is whole, but was not restored to prove it") from None


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), TimeElapsedColumn())
    with Bar(*columns, console=err, transient=True) as bar:
        task = bar.add_task("connecting", total=None)

        def show(progress: Progress) -> None:
            size = f", {number(progress.bytes / _MB, 'MB')}" if progress.bytes else ""
            of = f" of a database of {number(progress.database_bytes / _MB, 'MB')}" if size else ""
            said = f"{progress.what} ({progress.done} of {progress.total} tables{size}{of})"
            bar.update(task, description=said.replace("[", r"\["), completed=progress.done, total=progress.total)

        yield show


def storage(db_url: DbUrl = None, plan: PlanFile = None, folder: Folder = None) -> int:
    """Write down what every bucket holds, so that readiness can tell what has changed or vanished."""
    from golive_lib.storage import take_storage  # noqa: PLC0415  duckdb is not for the other commands to wait for

    with opened(db_url, plan) as launch, stoppable():
        target = folder or backups_folder(launch.env)
        manifest = take_storage(launch, target, step)
    say(table(manifest.frame(), caption="What each bucket holds"))
    say(target / f"{manifest.name}.json")
    return EXIT_CODES[Verdict.GO]
