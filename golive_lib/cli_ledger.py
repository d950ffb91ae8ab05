"""The commands for the ledger: what happened, and whether anybody changed the record of it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from golive_lib.console import Outputs, out, reports_folder, say, step
from golive_lib.errors import LedgerError
from golive_lib.ledger import Ledger
from golive_lib.records import audit

OK, TAMPERED = 0, 4
ledger = typer.Typer(help="What happened, and whether the record of it is whole.", no_args_is_help=True)


@ledger.command()
def verify(outputs: Outputs = None) -> int:
    """Look for records that were edited, removed or put in another order, and for published files that were."""
    target = reports_folder(outputs)
    if not target.is_dir():
        raise LedgerError(f"{target}: there is no such folder, so no ledger; see --outputs")
    found = audit(target)
    for fault in found.faults:
        say(f"✕ {fault}", "red")
    said = f"{found.records:,} records, the newest {found.head}"
    say(f"{len(found.faults)} faults in {said}" if found.faults else f"whole: {said}")
    return TAMPERED if found.faults else OK


@ledger.command()
def show(
    kind: Annotated[
        list[str] | None, typer.Argument(help="run, rollback, rehearsal, message, tick … Default: all.")
    ] = None,
    outputs: Outputs = None,
) -> int:
    """Print the records, one JSON object a line, as other programs read them."""
    target = reports_folder(outputs)
    entries = Ledger(target).entries(*(kind or ()))
    for entry in entries:
        out.print_json(json.dumps(asdict(entry), ensure_ascii=False), indent=None)
    if not entries:
        step(f"nothing of it in {Ledger(target).path}")
    return OK
