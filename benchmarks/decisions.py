"""Compare ways to decide a launch on the same simulated traces, and print one Markdown table.

Each launch goes through four stages and is looked at every minute. Healthy launches show how often a good release would
be rolled back; regressions show how often, and how soon, a bad one is. See docs/judge.md for what the rows mean.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rivals import NEVER, argo, by_stage, first, flagger, kayenta, letter
from scipy.special import xlogy
from traces import KPIS, STAGES, Scenario, minute_counts, simulate

from golive_lib.evidence import log_e_over, log_threshold, split_alpha
from golive_lib.judge import Budget
from golive_lib.power import correlation, design_effect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rivals import Mask
    from traces import Floats, Ints, Trace

ALPHA = 0.01
BATCH = 250

SCENARIOS = (
    Scenario("healthy, 0.5 x the limits"),
    Scenario("healthy, 0.8 x the limits", base=0.8),
    Scenario("exactly at the limits", base=1.0),
    Scenario("healthy, 0.5 x, a tenth of the traffic", traffic=0.1),
    Scenario("API 1.5 x", regression=1.5),
    Scenario("API 2 x", regression=2.0),
    Scenario("API 4 x", regression=4.0),
    Scenario("API 4 x, a tenth of the traffic", regression=4.0, traffic=0.1),
    Scenario("API 4 x for 20 minutes, else 0.5 x", regression=4.0, burst=(30, 50)),
    Scenario("clustered, healthy 0.5 x", correlated=0.02),
    Scenario("the same, design effect set", correlated=0.02, corrected=True),
    Scenario("clustered, healthy 0.8 x", base=0.8, correlated=0.02),
    Scenario("the same, design effect set", base=0.8, correlated=0.02, corrected=True),
    Scenario("clustered harder, healthy 0.8 x", base=0.8, correlated=0.05),
    Scenario("the same, design effect set", base=0.8, correlated=0.05, corrected=True),
    Scenario("clustered, API 4 x", regression=4.0, correlated=0.02),
    Scenario("the same, design effect set", regression=4.0, correlated=0.02, corrected=True),
)


@dataclass(frozen=True)
class Outcome:
    """When each launch was rolled back (minutes, ``inf`` for never), the events seen by then, and which were held."""

    minutes: Floats
    events: Floats
    held: Mask


def first_red(n: Ints, bad: Ints, budget: Budget) -> Floats:
    """Return each launch's first look at which its running totals prove the share over, or ``inf``.

    Asks only where the answer may be yes: no mixture of likelihood ratios exceeds the best of them, which is cheap.
    """
    over = bad > budget.allowed * n
    best = np.zeros(n.shape)
    share = bad[over] / n[over]
    best[over] = xlogy(bad[over], share / budget.allowed)
    best[over] += xlogy((n - bad)[over], (1 - share) / (1 - budget.allowed))
    need = log_threshold(budget.alpha)
    maybe = best >= need * budget.clustering
    found = np.full(len(n), NEVER)
    for look in np.flatnonzero(maybe.any(axis=0)):
        rows = np.flatnonzero(maybe[:, look] & (found == NEVER))
        seen, hits = n[rows, look] / budget.clustering, bad[rows, look] / budget.clustering
        found[rows[log_e_over(seen, hits, budget.allowed) >= need]] = look
    return found


def golive(traces: list[list[Trace]], budgets: dict[tuple[str, int], Budget]) -> Outcome:
    """Follow our judge: red rolls back; at the soak's end all green promotes, else the stage waits one more soak.

    What is still held then, a person lets pass, so that every launch without a red is watched through all stages.
    """
    launches = len(traces[0][0].n)
    offset, seen = np.zeros(launches), np.zeros(launches)
    minutes, events = np.full(launches, NEVER), np.full(launches, NEVER)
    running, held = np.ones(launches, dtype=bool), np.zeros(launches, dtype=bool)
    for stage, kpis in enumerate(traces):
        stop, green = np.full(launches, NEVER), np.ones(kpis[0].n.shape, dtype=bool)
        for trace in kpis:
            n, bad, budget = trace.n.cumsum(axis=1), trace.bad.cumsum(axis=1), budgets[trace.kpi.name, stage]
            stop = np.minimum(stop, first_red(n, bad, budget))
            green &= (n >= budget.min_events) & (bad < budget.allowed * n)
        soak = STAGES[stage][1]
        green[:, : soak - 1] = False
        pass_at = first(green)
        total = kpis[0].n.cumsum(axis=1)
        back = running & (stop <= pass_at) & (stop < NEVER)
        at = np.where(back, stop, 0).astype(np.int64)
        minutes[back] = (offset + stop + 1)[back]
        events[back] = (seen + total[np.arange(launches), at])[back]
        running &= ~back
        held |= running & (pass_at == NEVER)
        end = np.minimum(pass_at, 2 * soak - 1).astype(np.int64)
        offset += end + 1
        seen += total[np.arange(launches), end]
    return Outcome(minutes, events, held)


def make_budgets(scenario: Scenario, rng: np.random.Generator) -> dict[tuple[str, int], Budget]:
    """Return the plan's budgets; where it sets the design effect, from one healthy day of all traffic before launch."""
    alphas = split_alpha(ALPHA, {kpi.name: 1.0 for kpi in KPIS}, len(STAGES))
    budgets = {}
    for kpi in scenario.kpis:
        alike = 0.0
        if scenario.corrected:
            day = np.full(1440, scenario.base * kpi.allowed)
            alike = correlation(*minute_counts(kpi.per_minute, day, scenario.correlated, 1, rng))
        for stage, (share, _) in enumerate(STAGES):
            effect = design_effect(alike, kpi.per_minute * share)
            budgets[kpi.name, stage] = Budget(kpi.allowed, kpi.min_events, alphas[kpi.name], effect)
    return budgets


def row(index: int, launches: int, seed: int) -> str:
    """Return one scenario's line of the table."""
    scenario = SCENARIOS[index]
    ours, rivals = [], []
    for batch in range(0, launches, BATCH):
        # A corrected row judges the traces of the row above it.
        rng = np.random.default_rng([seed, index - scenario.corrected, batch])
        traces = simulate(scenario, min(BATCH, launches - batch), rng)
        ours.append(golive(traces, make_budgets(scenario, rng)))
        rivals.append(
            [
                by_stage([letter(stage) for stage in traces]),
                flagger(traces),
                by_stage([argo(stage, empty_is_error=False) for stage in traces]),
                by_stage([argo(stage, empty_is_error=True) for stage in traces]),
                by_stage([kayenta(stage) for stage in traces]),
            ]
        )
    minutes = np.concatenate([outcome.minutes for outcome in ours])
    held = np.concatenate([outcome.held for outcome in ours]).mean()
    events = np.concatenate([outcome.events for outcome in ours])
    cells = [scenario.name, _cell(scenario, minutes), _delay(scenario, events), f"{held:.1%}"]
    cells += [_cell(scenario, np.concatenate(stops)) for stops in zip(*rivals, strict=True)]
    return "| " + " | ".join(cells) + " |"


def _cell(scenario: Scenario, minutes: Floats) -> str:
    rate = float((minutes < NEVER).mean())
    median = float(np.median(minutes))
    late = "" if scenario.regression is None or median == NEVER else f", {median:.0f} min"
    return f"{rate:.1%}{late}"


def _delay(scenario: Scenario, events: Floats) -> str:
    """Return the median events until the rollback, over the fewest any sequential test could need on average."""
    if scenario.regression is None or scenario.burst or np.median(events) == NEVER:
        return ""
    allowed = KPIS[0].allowed
    share = scenario.regression * allowed
    divergence = share * math.log(share / allowed) + (1 - share) * math.log((1 - share) / (1 - allowed))
    fewest = log_threshold(ALPHA / len(KPIS) / len(STAGES)) / divergence
    return f"{np.median(events) / fewest:.2f}"


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table, with the command that made it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--launches", type=int, default=1000, help="launches per row (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="of the simulator (default: %(default)s)")
    options = parser.parse_args(argv)
    if options.launches < 1 or options.seed < 0:
        parser.error("--launches must be at least 1, --seed at least 0")
    began = time.perf_counter()
    print(f"`python benchmarks/decisions.py --launches {options.launches} --seed {options.seed}`\n")
    print("| launch | golive | delay / limit | golive holds | letter | Flagger-like | Argo-like | Argo, empty = error "
          "| Kayenta-like |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    for index in range(len(SCENARIOS)):
        print(row(index, options.launches, options.seed), flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s; alpha = {ALPHA} over {len(KPIS)} KPIs and {len(STAGES)} stages.")


if __name__ == "__main__":
    main()
