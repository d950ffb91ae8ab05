"""The commands for runs that start by themselves: their forms for schedulers, their verdicts, and what they leave."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003  typer reads the annotations
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.text import Text

from golive_lib.console import Outputs, PlanFile, err, out, plan_of, reports_folder, say, span, step
from golive_lib.errors import GoliveError, UsageError
from golive_lib.forms import Form, written
from golive_lib.occasions import occasions

if TYPE_CHECKING:
    from golive_lib.plan import Plan
    from golive_lib.pruning import Pruning

OK = 0


def schedule(  # noqa: PLR0913, PLR0917  the command's options
    notebooks: Annotated[
        list[str] | None, typer.Argument(help="Notebooks by name. Default: the whole launch, by the plan.")
    ] = None,
    form: Annotated[Form, typer.Option("--as", help="For which scheduler.")] = Form.CRON,
    every: Annotated[str, typer.Option(metavar="DURATION", help="How often the named ones run, such as 15m.")] = "",
    cron: Annotated[str, typer.Option(metavar="FIELDS", help="When the named ones run, as cron says it.")] = "",
    zone: Annotated[str, typer.Option(help="The zone of the scheduler's clock. Default: the launch's.")] = "",
    folder: Annotated[
        str, typer.Option(help="Where the plan, .env and .venv lie there. Default: golive in the home folder.")
    ] = "",
    to: Annotated[Path | None, typer.Option(help="Write the files into this folder instead of printing them.")] = None,
    plan: PlanFile = None,
) -> int:
    """Print what runs a launch by itself, for cron, systemd, GitHub Actions or Airflow."""
    from golive_lib.notebooks import find_notebooks  # noqa: PLC0415  keeps the other commands' start short

    if every and cron:
        raise UsageError("--every and --cron both say when; give one of them")
    read = plan_of(plan)
    known = find_notebooks(read.root)
    if strange := sorted(set(notebooks or ()) - set(known)):
        raise UsageError(f"there is no notebook {strange[0]!r}; there are {', '.join(sorted(known))}")
    pace = span(every) if every else None
    found = occasions(read, known, notebooks or (), every=pace, cron=" ".join(cron.split()))
    moments = [moment for each in found for moment in each.instants]
    if moments and max(moments) < datetime.now(UTC):
        step(
            f"by its 'starts' this launch was over on {max(moments):%Y-%m-%d}; give the stages new ones in {read.path}"
        )
    files = written(read, found, form, zone=_zone(zone, read), folder=folder)
    for name, text in files.items():
        if to:
            _write(to / name, text)
        else:
            sys.stdout.write(f"# ---- {name}\n{text}\n" if len(files) > 1 else text)
    return OK


def _zone(given: str, plan: Plan) -> ZoneInfo:
    try:
        return ZoneInfo(given or plan.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise UsageError(f"--zone = {given!r} is no time zone; write it as 'UTC' or 'Asia/Beirut'") from None


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise GoliveError(f"{path}: cannot be written: {error.strerror}; see --to") from None
    step(f"wrote {path}")


def verdict(notebook: Annotated[Path, typer.Argument(help="A notebook that papermill has executed.")]) -> int:
    """Say how an executed notebook ended, with the exit code golive would have ended with."""
    from golive_lib.outcomes import verdict_of  # noqa: PLC0415  keeps the other commands' start short

    said, code = verdict_of(notebook)
    (out if code != 1 else err).print(Text(said), soft_wrap=True)
    return code


def prune(
    keep: Annotated[int, typer.Option(min=1, help="So many of the newest runs stay.")] = 200,
    older_than: Annotated[str, typer.Option(metavar="DURATION", help="Runs older than this go.")] = "90d",
    execute: Annotated[
        bool, typer.Option("--execute", help="Take them away; without it only say what would go.")
    ] = False,
    outputs: Outputs = None,
) -> int:
    """Take away old reports. The newest of each kind, what is evidence, and the ledger stay."""
    from golive_lib import pruning  # noqa: PLC0415  keeps the other commands' start short

    target = reports_folder(outputs)
    age = span(older_than, "--older-than")
    found = pruning.plan_pruning(target, keep=keep, older_than=age)
    if execute:
        pruning.prune(target, found, step)
    _say(found, target, done=execute)
    return OK


def _say(found: Pruning, target: Path, *, done: bool) -> None:
    for name in (*found.runs, *(folder.name for folder in found.leftovers)):
        say(f"  {name}", "dim")
    verb = "went, freeing" if done else "would go, freeing"
    parts = f"{len(found.runs):,} runs and {len(found.leftovers):,} left-over folders"
    say(f"{parts} {verb} {found.bytes / 1e6:,.1f} MB in {target}")
    say(f"{found.stay:,} runs stay, {found.evidence:,} of them old: the newest of their kind, or evidence")
    if not done and (found.runs or found.leftovers):
        say("Nothing was removed; add --execute to do it.", "dim")
