"""The canary's commands: judge a stage, follow it while it soaks, and replay the plan on past days."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from golive_lib.canary import stage_asked
from golive_lib.console import (
    AsOf,
    DbUrl,
    Outputs,
    PlanFile,
    err,
    mark,
    opened,
    out,
    reports_folder,
    run_one,
    say,
    span,
    step,
    stoppable,
)
from golive_lib.errors import GoliveError, PlanError
from golive_lib.formats import clock, duration, moment, number, share
from golive_lib.kpis import KpiResult
from golive_lib.plan_types import instant
from golive_lib.show import VERDICTS, table
from golive_lib.verdicts import EXIT_CODES, Rule, Status, Verdict
from golive_lib.watch import Lost, Watch, follow, played

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import RenderableType

    from golive_lib.canary import StageResult
    from golive_lib.due_events import DueResult
    from golive_lib.launch import Launch
    from golive_lib.replay import Replay

StartedAt = Annotated[str, typer.Option(help="When the stage began, ISO 8601 with zone. Default: the plan's 'starts'.")]
Percent = Annotated[float | None, typer.Option("--stage", help="In percent of the traffic. Default: what runs then.")]
Every = Annotated[str, typer.Option(metavar="DURATION", help="From one look to the next.")]


def canary(  # noqa: PLR0913, PLR0917  the command's options
    stage: Percent = None,
    started_at: StartedAt = "",
    as_of: AsOf = "",
    plan_only: Annotated[bool, typer.Option("--plan-only", help="What the stage could decide; judge nothing.")] = False,
    db_url: DbUrl = None,
    plan: PlanFile = None,
    outputs: Outputs = None,
) -> int:
    """Judge a stage and write its report, or say before it what it will be able to decide."""
    with opened(db_url, plan) as launch:
        percent = _running(launch, as_of) if stage is None else stage
        stage_asked(launch, percent, started_at, as_of)
        if plan_only:
            _forecast(launch, percent, started_at)
            return 0
        return _report(percent, started_at, as_of, outputs)


def _running(launch: Launch, as_of: str) -> float:
    """Return the latest stage of the plan that has begun."""
    with launch.database.snapshot() as snapshot:
        now, end = instant(as_of, "as_of") if as_of else snapshot.clock.now, "" if as_of else snapshot.clock.end
    begun = [stage.percent for stage in launch.plan.stages if stage.starts and stage.starts < now]
    if not begun:
        words = f"{launch.plan.path}: by 'starts' no stage has begun at {now:%Y-%m-%d %H:%MZ}"
        raise PlanError("; ".join(part for part in (words, end, "give --stage") if part))
    return begun[-1]


def _forecast(launch: Launch, percent: float, started_at: str) -> None:
    from golive_lib import forecasts, stage_views  # noqa: PLC0415  keeps the other commands' start short

    say(stage_views.forecast(forecasts.before(launch, percent, started_at=started_at)))


def _report(percent: float, started_at: str, as_of: str, outputs: Path | None) -> int:
    given = {"stage": f"{percent:g}", "started_at": started_at, "as_of": as_of}
    return run_one("canary", given, reports_folder(outputs)).exit_code


def watch(  # noqa: PLR0913, PLR0917  the command's options
    stage: Annotated[float, typer.Option("--stage", help="In percent of the traffic.")],
    every: Every = "60s",
    started_at: StartedAt = "",
    speed: Annotated[
        float | None, typer.Option(min=1, help="Play a past stage so many times faster, from its start.")
    ] = None,
    db_url: DbUrl = None,
    plan: PlanFile = None,
    outputs: Outputs = None,
) -> int:
    """Follow a stage until its soak is over or anything is red, then write its report; Ctrl-C ends it early."""
    interval = span(every)
    with opened(db_url, plan) as launch:
        watched = Watch(launch, stage, started_at=started_at or None)
        pause = interval.total_seconds() / (speed or 1)
        looks = follow(watched, pause, clock=played(watched, speed)) if speed else follow(watched, pause)
        last = _show(looks)
        if last is None:
            raise GoliveError("stopped before the first look; nothing was judged")
        verdict = last.verdict if isinstance(last, Lost) else last.stage_verdict.verdict
        judged = last.last if isinstance(last, Lost) else last
        until = judged.soak.until.isoformat()
        try:
            written = _report(stage, watched.started_at.isoformat(), until, outputs)
        except GoliveError as error:  # the verdict stands without its report
            say(f"error: no report: {error}", "red", to=err)
            written = error.exit_code
        return max(EXIT_CODES[verdict], written)


def _show(looks: Iterator[StageResult | Lost]) -> StageResult | Lost | None:
    """Show each look, in place on a terminal and else a line each; return the last, also after Ctrl-C."""
    last: StageResult | Lost | None = None
    live = Live(console=out, auto_refresh=False) if out.is_terminal else None
    try:
        with live or nullcontext():
            for last in looks:
                if live:
                    live.update(board(last), refresh=True)
                else:
                    say(line(last))
    except KeyboardInterrupt:
        step("stopped; the report shows the last look")
    return last


def line(look: StageResult | Lost) -> str:
    """Return a look in one line: when, the verdict, the time left, and what is not green."""
    if isinstance(look, Lost):
        return f"{_at(look.last)} · {look.verdict} · {_lost(look)}"
    statuses = Counter(one.status for one in look.results)
    counts = ", ".join(f"{statuses[status]} {status}" for status in Status if statuses[status])
    open_ = "; ".join(f"{_title(one)}: {one.reason}" for one in look.results if one.status is not Status.GREEN)
    return f"{_at(look)} · {look.stage_verdict.verdict} · {_left(look)} · {counts}" + (f" · {open_}" if open_ else "")


def board(look: StageResult | Lost) -> RenderableType:
    """Return a look as it stands on a terminal: the verdict, the time left, and each KPI with its budget."""
    result = look.last if isinstance(look, Lost) else look
    blind = isinstance(look, Lost) and look.stale
    verdict = Verdict.HOLD if blind else result.stage_verdict.verdict
    words, status = VERDICTS[verdict]
    head = mark(status, words, bold=True)
    head.append(f"  {result.soak.stage} stage · {moment(result.soak.until, ZoneInfo(result.zone))}", style="default")
    head.append(f" · {_left(result)}", style="not bold default")
    rows = Table(box=None, pad_edge=False)
    for title in ("KPI", "status", "bad", "events", "share", "allowed", "budget spent", "proven", "why"):
        rows.add_column(title, justify="right" if title in _NUMBERS else "left")
    for one in result.results:
        shown = mark(Status.UNKNOWN if blind else one.status)
        rows.add_row(Text(_title(one)), shown, *map(Text, _cells(one)), Text(one.reason))
    return Group(head, rows, Text(_lost(look), style="magenta")) if isinstance(look, Lost) else Group(head, rows)


_NUMBERS = {"bad", "events", "share", "allowed", "budget spent"}


def _cells(one: KpiResult | DueResult) -> tuple[str, ...]:
    if not isinstance(one, KpiResult):
        return ("",) * 6
    judged = one.judgement
    spent = share(round(one.spent, 2)) if one.spent is not None else ""
    counts = (number(judged.counts.bad), number(judged.counts.n), share(judged.counts.share))
    return (*counts, share(one.budget.allowed), spent, judged.proven)


def _title(one: KpiResult | DueResult) -> str:
    return one.kpi.title if isinstance(one, KpiResult) else one.due.title


def _at(result: StageResult) -> str:
    return clock(result.soak.until, ZoneInfo(result.zone))


def _left(result: StageResult) -> str:
    left = result.soak.ends - result.soak.until
    return f"{duration(left)} left" if left > timedelta() else "soak over"


def _lost(look: Lost) -> str:
    state = f"unknown: nothing seen for {duration(look.blind)}, limit {duration(look.limit)}" if look.stale else "lost"
    return f"connection {state}; next try in {duration(timedelta(seconds=look.retry_in))}: {look.error.splitlines()[0]}"


def replay(
    days: Annotated[int, typer.Option(min=1, max=28, help="How many past days to replay.")] = 7,
    draws: Annotated[int, typer.Option(min=1, max=1000, help="How often each day's canary is drawn.")] = 20,
    as_of: AsOf = "",
    db_url: DbUrl = None,
    plan: PlanFile = None,
) -> int:
    """Judge past days as if each had been a launch, and say how often the plan would have rolled back for nothing."""
    from golive_lib.replay import replay as replayed  # noqa: PLC0415  keeps the other commands' start short

    with opened(db_url, plan) as launch, stoppable(), err.status("replaying past days"):
        found = replayed(launch, days=days, draws=draws, as_of=as_of or None)
    say(spoken(found))
    return 0 if found.days else EXIT_CODES[Verdict.HOLD]


def spoken(found: Replay) -> str:
    """Return a replay in sentences and a table; the plan's own rule first, the runbook's letter for contrast."""
    left_out = [f"Left out: {day}: {reason}." for day, reason in found.left_out.items()]
    if not found.days:
        return "\n".join(["No past day has telemetry to replay.", *left_out])
    days = f"{len(found.days)} days, {min(found.days)} to {max(found.days)}, {found.draws} draws of the canary each"
    sentences = []
    for rule in sorted(Rule, key=lambda rule: rule is not found.rule):
        whole = found.tally(rule)
        name = "this plan" if rule is found.rule else "the letter" if rule is Rule.OBSERVED else "evidence"
        low, high = (share(end) for end in whole.between)
        sentences.append(
            f"By {name} ({rule}) {whole.rolled_back} of {whole.runs} launches would have been rolled back for nothing "
            f"({share(whole.rolled_back / whole.runs)}; from so few days, between {low} and {high})."
        )
    return "\n".join(
        [
            f"Replayed {days}.",
            *left_out,
            "",
            str(table(found.frame(), caption="What would have become of them")),
            "",
            *sentences,
        ]
    )
