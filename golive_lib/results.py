"""How the kit's objects show themselves as the last line of a cell: by the views that notebooks call by name."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pandas as pd

from golive_lib import coverage_views, proof_views, stage_views, views
from golive_lib.canary import StageResult
from golive_lib.checks import CheckResult, Checks
from golive_lib.formats import duration, moment, share
from golive_lib.grid import SHAPES, Grid, badge, grid_markup, grid_text
from golive_lib.launch import Launch, Queries, kind
from golive_lib.plan import Plan
from golive_lib.proof import Proof, Proofs, Section
from golive_lib.query import Query
from golive_lib.rls import Coverage
from golive_lib.show import VERDICTS, Html, joined, status_badge, table, verdict_banner
from golive_lib.verdicts import Outcome, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ALL = 500  # rows of a list of queries: nobody has more


def launch(opened: Launch) -> Html:
    """Return what a launch is and what can be asked of it; its environment, which holds secrets, is left out."""
    checks = sum(bool(each.expect) for each in opened.queries.values())
    rows = [
        ("launch", opened.plan.name),
        ("database", str(opened.database.url)),
        ("time zone", opened.plan.timezone),
        ("stages", ", ".join(str(stage) for stage in opened.plan.stages) or "none"),
        ("queries", f"{len(opened.queries)}, of which {checks} are checks"),
        ("ask", 'launch.checks("sanity"), launch.frame("health/api_hours"), launch.queries, launch.plan'),
    ]
    return table(pd.DataFrame(rows, columns=["what", "value"]), caption="The launch")


def queries(known: Mapping[str, Query]) -> Html:
    """Return every query with what it answers."""
    rows = [(name, kind(each), each.title) for name, each in sorted(known.items())]
    frame = pd.DataFrame(rows, columns=["query", "kind", "what it answers"])
    return table(frame, caption='Queries: launch.frame("name") asks one', max_rows=ALL)


def query(one: Query) -> Html:
    """Return one query: its question, why, its parameters, its rule and its SQL."""
    params = ", ".join(f"{p.name} {p.type}{f' = {p.default}' * (p.default is not None)}" for p in one.params)
    said = {
        "why": one.why,
        "reads": ", ".join(one.sources),
        "parameters": params,
        "every row must meet": one.expect,
        "to mend it": one.fix,
        "file": str(one.path),
    }
    rows = [(what, text) for what, text in said.items() if text]
    # A rule stands as it is written: a table of figures would mask what looks like somebody's address.
    grid = Grid(f"{one.name}: {one.title}", ["What", "Value"], [list(row) for row in rows], [False, False], None, "")
    facts = Html(grid_markup(grid), grid_text(grid))
    sql = f'<details class="gl"><summary>SQL</summary><pre>{escape(one.body)}</pre></details>'
    return joined(facts, Html(sql, one.body))


def plan(one: Plan) -> Html:
    """Return a launch plan: its stages, and its KPIs with their limits."""
    zone = ZoneInfo(one.timezone)
    stages = [(str(s), duration(s.soak), moment(s.starts, zone)) for s in one.stages]
    kpis = [
        (key, kpi.title, share(kpi.allowed) if kpi.allowed else "none", f"{kpi.min_events:,} {kpi.noun}", kpi.query)
        for key, kpi in one.kpis.items()
    ]
    names = ["key", "KPI", "may be bad", "judged from", "query"]
    return joined(
        table(pd.DataFrame(stages, columns=["stage", "soak", "starts"]), caption=f"{one.name}: stages"),
        table(pd.DataFrame(kpis, columns=names), caption="KPIs: launch.plan.kpis[key] has the rest"),
    )


def _verdict(verdict: Verdict) -> Html:
    word, status = VERDICTS[verdict]
    return Html(badge(status, word), f"{SHAPES[status]} {word}")


def _outcome(outcome: Outcome) -> Html:
    at = {"Judged at": moment(outcome.at, ZoneInfo(outcome.zone))}
    return verdict_banner(outcome.verdict, outcome.sentence, at)


_VIEWS: Mapping[type, Callable[[Any], Html]] = {
    Launch: launch,
    Queries: queries,
    Query: query,
    Plan: plan,
    Status: status_badge,
    Verdict: _verdict,
    Outcome: _outcome,
    CheckResult: views.check,
    Checks: lambda checks: joined(views.verdict(checks).banner, views.summary(checks)),
    StageResult: lambda stage: joined(stage_views.verdict(stage).banner, stage_views.kpis(stage)),
    Proofs: lambda proofs: joined(proof_views.verdict(proofs).banner, proof_views.items(proofs)),
    Coverage: lambda coverage: joined(proof_views.verdict(coverage).banner, coverage_views.findings(coverage)),
    Section: lambda section: proof_views.proof(section.proof),
    Proof: proof_views.proof,
}


def shown(result: object) -> Html:
    """Return how a result shows itself, without a report's verdict: that a notebook gives once, by name.

    Raises TypeError for what has no view.
    """
    view = next((_VIEWS[each] for each in type(result).__mro__ if each in _VIEWS), None)
    if view is None:
        raise TypeError(f"{type(result).__name__} has no view")
    return view(result)
