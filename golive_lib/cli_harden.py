"""The command for the payment policies: show what they would do, try them out, apply them, remove them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from golive_lib.console import DbUrl, PlanFile, admin_url, confirm, opened, out, say, step, stoppable
from golive_lib.errors import DatabaseError, UsageError
from golive_lib.formats import duration
from golive_lib.show import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from golive_lib.guards import Guard, Guarded, Standing
    from golive_lib.launch import Launch
    from golive_lib.settings import DatabaseUrl

OK, CONTRADICTED = 0, 4
_HOLDS = """\
Before you apply anything:
- The policies are restrictive, so an insert must pass every one of them, and some permissive policy as well.
- metadata is written by the client: who may insert may also write what a policy asks for there.
- Nobody can say who inserted the payments above. Those that came through the service role or the table's owner would
  have passed, whatever the policies say."""


def harden(  # noqa: PLR0913, PLR0917  the command's options
    policies: Annotated[
        list[str] | None, typer.Argument(help="Policies by name. Default: all; to apply, those the plan requires.")
    ] = None,
    execute: Annotated[bool, typer.Option("--execute", help="Do it; without, nothing is changed.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Remove instead of apply.")] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Insert payments under the policies, in a transaction that is rolled back.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the launch's name.")] = False,
    db_url: DbUrl = None,
    plan: PlanFile = None,
) -> int:
    """Show what the payment policies would have stopped; apply, remove or try them out when told to."""
    if probe and (execute or undo):
        raise UsageError("--probe stands alone: it changes nothing, and shows what --execute would do")
    with opened(db_url, plan) as launch, stoppable():
        chosen = _chosen(launch, policies or (), required=execute and not undo)
        (_show_removal if undo else _show)(launch, chosen)
        if not execute and not probe:
            step("nothing was changed; --execute does it")
            return OK
        url = admin_url(launch)
        confirm(launch, url, yes=yes)
        return _try(launch, chosen, url) if probe else _change(launch, chosen, url, undo=undo)


def _chosen(launch: Launch, names: Sequence[str], *, required: bool) -> list[Guard]:
    from golive_lib.guards import guards  # noqa: PLC0415  keeps the other commands' start short

    known = guards(launch)
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"there is no policy {unknown[0]!r}; there are {', '.join(known) or 'none'}")
    wanted = names or (launch.plan.hardening.required if required else known)
    if not wanted:
        raise UsageError("no policy is named, and the plan requires none; see hardening.required")
    return [known[name] for name in dict.fromkeys(wanted)]


def _show_removal(launch: Launch, chosen: Sequence[Guard]) -> None:
    """Print what removes each policy and how it stands, which may not keep anybody from removing it."""
    from golive_lib.guards import standings  # noqa: PLC0415  as above
    from golive_lib.rls_probe import as_others  # noqa: PLC0415  likewise

    try:
        with as_others(launch) as actor:
            stand = {standing.guard.name: _stands(standing) for standing in standings(actor, launch, chosen)}
    except DatabaseError as error:
        stand = dict.fromkeys((guard.name for guard in chosen), f"cannot be asked: {str(error).splitlines()[0]}")
    for guard in chosen:
        say(f"{guard.drop};  -- now: {stand[guard.name]}")


def _show(launch: Launch, chosen: Sequence[Guard]) -> None:
    """Print each policy's SQL, how it stands, what it would have stopped, and what gets round it."""
    from golive_lib.guards import effects, guarded, standings  # noqa: PLC0415  as above
    from golive_lib.rls_probe import as_others  # noqa: PLC0415  likewise

    with as_others(launch) as actor:
        facts = guarded(actor, launch, chosen[0])
        stand = standings(actor, launch, chosen)
    with launch.postgres.snapshot() as snapshot:
        found = effects(launch, snapshot, chosen)
    for standing in stand:
        guard = standing.guard
        out.print(Text(f"{guard.name}: {guard.title}", style="bold"), Text(guard.why), soft_wrap=True, sep="\n")
        say(f"{guard.create};")
        say(f"now: {_stands(standing)}\n", "dim")
    span = duration(launch.plan.hardening.lookback)
    say(table(found, caption=f"What they would have done to the payments of the last {span}"))
    for sentence in _sentences(found, span):
        say(sentence)
    say(f"\n{_HOLDS}\n- {_bypass(facts)}\n")


def _stands(standing: Standing) -> str:
    if standing.found is None:
        return "not there"
    if not standing.differs:
        return "in force, as the kit has it"
    return "; ".join(["there, and not the kit's", *standing.faults, f"with check {standing.found}"])


def _sentences(found: pd.DataFrame, span: str) -> list[str]:
    """Say of each policy how many real payments it would have stopped, and their sum."""
    from golive_lib.guards import real_effects  # noqa: PLC0415  as above

    told = [f"{effect.policy}: would have stopped {effect}." for effect in real_effects(found)]
    return told or [f"There is no real payment in the last {span}: nothing shows what they would stop."]


def _bypass(facts: Guarded) -> str:
    owner = f"the table's owner, {facts.owner}, " + (
        "is bound too (FORCE)" if facts.forced else "is not bound (no FORCE)"
    )
    off = "" if facts.row_security else " Row level security of the table is OFF: no policy has any effect."
    return f"{owner}; these roles bypass every policy and may insert: {facts.bypassing or 'none'}.{off}"


def _change(launch: Launch, chosen: Sequence[Guard], url: DatabaseUrl, *, undo: bool) -> int:
    from golive_lib import hardening  # noqa: PLC0415  as above

    change = (hardening.undo if undo else hardening.apply)(launch, chosen, url)
    for done in change.done:
        say(done)
    say(f"by {change.login} at {change.at}, on {launch.postgres.url.database}", "dim")
    return OK


def _try(launch: Launch, chosen: Sequence[Guard], url: DatabaseUrl) -> int:
    from golive_lib import trials  # noqa: PLC0415  as above

    tried = trials.probe(launch, chosen, url)
    say(table(trials.frame(tried), caption="A customer's newest payment tried again, and rolled back"))
    wrong = [trial for trial in tried if not trial.as_meant]
    for trial in wrong:
        say(f"Not as meant: {trial.policies}, as {trial.account}: {trial.said}", "red")
    return CONTRADICTED if wrong else OK
