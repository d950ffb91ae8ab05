"""Other ways to decide a launch, true in spirit to the tools they are named after, untuned.

Flagger: pkg/controller/scheduler.go counts a release's failed checks and keeps the count; its tutorials' limit is 5.
Argo Rollouts: an AnalysisRun per stage; ``failureLimit: 3`` as in its guide, ``consecutiveErrorLimit`` 4 by default.
Kayenta: the Mann-Whitney classifier at its 98 % confidence, every metric critical, the stage's look-back growing.
Each returns, for every launch, the minute of its rollback, or ``inf``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm, rankdata
from traces import STAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from traces import Floats, Ints, Trace

    Mask = NDArray[np.bool_]

NEVER = math.inf

WINDOW = 5  # minutes one reading of Flagger, Argo and Kayenta spans: kinder to them than one
FLAGGER_THRESHOLD = 5
ARGO_FAILURE_LIMIT = 3
ARGO_ERROR_LIMIT = 4
KAYENTA_EVERY = 60
KAYENTA_CONFIDENCE = 0.98
KAYENTA_RATIO = 1.25


def first(mask: Mask) -> Floats:
    """Return each row's first true column, or ``inf``."""
    return np.where(mask.any(axis=1), mask.argmax(axis=1), NEVER)


def letter(stage: list[Trace]) -> Floats:
    """Red at the first minute a share since the stage's start is not below its limit, with ``min_events``."""
    red = np.zeros((len(stage[0].n), STAGES[stage[0].stage][1]), dtype=bool)
    for trace in stage:
        n, bad = (counts[:, : red.shape[1]].cumsum(axis=1) for counts in (trace.n, trace.bad))
        red |= (n >= trace.kpi.min_events) & (bad >= trace.kpi.allowed * n)
    return first(red) + 1


def flagger(stages: list[list[Trace]]) -> Floats:
    """Roll back at the fifth failed check of the launch; a check fails with any metric over in its own window."""
    failed = np.concatenate([np.any([_failed(trace) for trace in stage], axis=0) for stage in stages], axis=1)
    return (first(failed.cumsum(axis=1) >= FLAGGER_THRESHOLD) + 1) * WINDOW


def argo(stage: list[Trace], *, empty_is_error: bool) -> Floats:
    """Roll back when one metric fails more than ``failureLimit`` times in a stage, or errs too often in a row."""
    stop = np.full(len(stage[0].n), NEVER)
    for trace in stage:
        over = _failed(trace).cumsum(axis=1) > ARGO_FAILURE_LIMIT
        if empty_is_error:
            over |= _run_lengths(_windows(trace.n, STAGES[trace.stage][1]) == 0) > ARGO_ERROR_LIMIT
        stop = np.minimum(stop, (first(over) + 1) * WINDOW)
    return stop


def kayenta(stage: list[Trace]) -> Floats:
    """Each hour compare the stage's windows so far with the control's; roll back when any metric is classed High."""
    stop = np.full(len(stage[0].n), NEVER)
    share, soak = STAGES[stage[0].stage]
    if share == 1:
        return stop
    for trace in stage:
        canary = _shares(trace.n, trace.bad, soak)
        control = _shares(trace.control_n, trace.control_bad, soak)
        for minute in range(KAYENTA_EVERY, soak + 1, KAYENTA_EVERY):
            end = minute // WINDOW
            stop = np.where(_high(canary[:, :end], control[:, :end]), np.minimum(stop, minute), stop)
    return stop


def by_stage(stops: Sequence[Floats]) -> Floats:
    """Return the first stop of a launch whose stages take their soak, from the minutes within each stage."""
    ahead = np.cumsum([0, *(soak for _, soak in STAGES[:-1])])
    earliest: Floats = np.min([stop + before for stop, before in zip(stops, ahead, strict=True)], axis=0)
    return earliest


def _windows(counts: Ints, soak: int) -> Ints:
    sums: Ints = counts[:, :soak].reshape(len(counts), -1, WINDOW).sum(axis=2)
    return sums


def _failed(trace: Trace) -> Mask:
    soak = STAGES[trace.stage][1]
    n, bad = _windows(trace.n, soak), _windows(trace.bad, soak)
    return (n > 0) & (bad >= trace.kpi.allowed * n)


def _shares(n: Ints, bad: Ints, soak: int) -> Floats:
    """Return each window's bad share, 0 for an empty one (Kayenta's ``nanStrategy: replace``)."""
    return _windows(bad, soak) / np.maximum(_windows(n, soak), 1)


def _run_lengths(mask: Mask) -> Ints:
    total = mask.cumsum(axis=1)
    lengths: Ints = total - np.maximum.accumulate(np.where(mask, 0, total), axis=1)
    return lengths


def _high(canary: Floats, control: Floats) -> Mask:
    """Mann-Whitney by its normal approximation, corrected for ties, and a mean clearly above the control's."""
    size = canary.shape[1]
    ranks = rankdata(np.concatenate([canary, control], axis=1), axis=1)
    u = ranks[:, :size].sum(axis=1) - size * (size + 1) / 2
    spread = np.sqrt(np.square(ranks - (2 * size + 1) / 2).sum(axis=1) / (2 * size - 1) * size / 2)
    bound = norm.isf((1 - KAYENTA_CONFIDENCE) / 2)
    above = canary.mean(axis=1) > KAYENTA_RATIO * control.mean(axis=1)
    return np.asarray(above & (u - size * size / 2 > bound * spread))
