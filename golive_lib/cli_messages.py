"""The command for messages: written from the records, shown, and sent when asked to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from golive_lib.console import DbUrl, Outputs, PlanFile, err, opened, reports_folder, say, step, stoppable
from golive_lib.errors import UsageError
from golive_lib.messages import Post, shown, write

if TYPE_CHECKING:
    from golive_lib.messages import Message

OK, FAILED = 0, 1
KindName = Annotated[
    str | None,
    typer.Argument(metavar="[KIND]", help="go, no-go, hold, escalation or success. Default: as the newest run says."),
]


def message(  # noqa: PLR0913, PLR0917  the command's options
    kind: KindName = None,
    run: Annotated[str, typer.Option("--run", metavar="RUN_ID", help="The run to speak of. Default: the newest.")] = "",
    language: Annotated[
        list[str] | None, typer.Option("--language", help="en or ar, as often as needed. Default: the plan's.")
    ] = None,
    send: Annotated[bool, typer.Option("--send", help="Send it; without this it is only written and shown.")] = False,
    to: Annotated[
        list[str] | None, typer.Option("--to", metavar="TARGET", help="Send to these of the plan's targets alone.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Send even what a target took already.")] = False,
    db_url: DbUrl = None,
    plan: PlanFile = None,
    outputs: Outputs = None,
) -> int:
    """Write what the records say, and nothing they do not: go, no-go, hold, escalation or success."""
    if (to or again) and not send:
        raise UsageError("--to and --again are about sending: add --send, or leave them out")
    target = reports_folder(outputs)
    post = Post(to=tuple(to or ()), again=again) if send else None
    with opened(db_url, plan, target) as launch, stoppable():
        made = write(launch, kind, run_id=run, languages=language or (), post=post, say=step)
        waiting = () if send else shown(launch)
    sys.stdout.write(str(made))
    _report(made, waiting)
    return OK if made.ok else FAILED


def _report(made: Message, waiting: tuple[str, ...]) -> None:
    """Say on the error stream where the message lies, and who got it or would get it."""
    for path in made.files:
        step(str(path))
    for one in made.sent:
        mark, colour = ("✓", "green") if one.ok else ("✕", "red")
        say(f"{mark} {one.target} ({one.language}): {one.said}", colour, to=err)
    for target in waiting:
        step(f"not sent; --send sends it to {target}")
