"""A run as a scheduler needs it: in its turn, within a time, and tried again after a crash, never after a verdict."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from golive_lib import reports
from golive_lib.deadline import Limits
from golive_lib.errors import ReportError
from golive_lib.formats import duration
from golive_lib.turns import LOOK, turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.records import RunRecord
    from golive_lib.warm_kernels import WarmKernels

PAUSE = 5.0  # seconds before the second attempt, twice that before the third


def execute(
    run: reports.Run,
    on_cell: Callable[[int, int], None] = lambda *_: None,
    *,
    limits: Limits | None = None,
    say: Callable[[str], object] = lambda _: None,
    kernels: WarmKernels | None = None,
    pause: float = PAUSE,
) -> RunRecord:
    """Run a notebook within its limits; each attempt is published and recorded, the last one's record returned.

    Raises as ``reports.execute`` and ``turn`` do.
    """
    within = limits or Limits()

    def stopped() -> bool:
        return kernels is not None and kernels.closed

    with turn(run, within.wait, say=say, stopped=stopped):
        for attempt in range(1, within.retries + 2):
            this = replace(run, attempt=attempt, timeout=within.timeout)
            record = reports.execute(this, on_cell, say=say, kernels=kernels)
            # What was withheld would be withheld again.
            if record.verdict or record.html is None or attempt > within.retries:
                break
            rest = pause * attempt
            say(
                f"{record.notebook}: attempt {attempt} of {within.retries + 1} failed ({record.sentence}); "
                f"again in {duration(rest * 1_000)}"
            )
            _rest(rest, stopped, record.notebook)
    return record


def _rest(seconds: float, stopped: Callable[[], bool], notebook: str) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if stopped():
            raise ReportError(f"{notebook}: stopped; nothing further was run")
        time.sleep(LOOK)
