"""What the tests of messages share: a launch's runs with figures by hand, and real ones on the small demo."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from past import DATABASE, PLAN, Past

from golive_lib import history
from golive_lib.launch import Launch, open_launch
from golive_lib.message_evidence import gathered
from golive_lib.records import JUDGED
from golive_lib.settings import BACKUPS, OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from golive_lib.demo import DemoDatabase
    from golive_lib.message_facts import Facts, Kind
    from golive_lib.plan import Plan
    from golive_lib.records import RunRecord

LATER = datetime(2027, 1, 1, tzinfo=UTC)


def kpi(status: str = "green", bad: int = 5, **more: Any) -> dict[str, Any]:
    """Return a KPI's figures as a run keeps them."""
    given = {"status": status, "reason": "within the limit", "events": 1_000, "bad": bad, "needed": None}
    return given | {"red_since_look": None} | more


@dataclass
class Told(Past):
    """A past whose stages have figures, and the messages it calls for."""

    def judged(self, percent: float, verdict: str = "promote", *, hours: float = 0, **kpis: Any) -> RunRecord:
        """Publish a stage's judgement with the figures of all KPIs, green but for those named."""
        stage = PLAN.stage(percent)
        assert stage.starts
        until = stage.starts + (stage.soak if not hours else stage.soak * hours / (stage.soak.total_seconds() / 3600))
        found = {key: kpi(bad=0 if key == "rls_violations" else 5) for key in PLAN.kpis} | kpis
        data = {
            "stage": float(percent),
            "started_at": stage.starts.isoformat(),
            "judged_until": until.isoformat(),
            "reasons": [],
            "kpis": found,
            "due": {"zodiac": {"status": "green", "reason": "arrived: 12 of 12"}},
        }
        return self.stage(percent, verdict, hours=hours, files={JUDGED: json.dumps(data)})

    def says(self, kind: Kind | None = None, run_id: str = "", plan: Plan = PLAN) -> tuple[Kind, Facts]:
        """Return what there is to say."""
        return gathered(plan, history.read(self.outputs, plan.name, DATABASE, LATER), LATER, kind, run_id)

    def refused(self, kind: Kind | None = None, run_id: str = "", error: type[Exception] = Exception) -> str:
        """Return why there is nothing to say."""
        with pytest.raises(error) as caught:
            self.says(kind, run_id)
        return str(caught.value)


@contextmanager
def environ(**variables: str) -> Iterator[None]:
    """Set variables of the process for a while."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@dataclass(frozen=True)
class Lived:
    """A demo with real runs of it: where they lie, their records, and the environment they were made in."""

    demo: DemoDatabase
    outputs: Path
    runs: Mapping[str, RunRecord]
    env: Mapping[str, str]

    def launch(self, plan: Path = PLAN.path) -> Launch:
        """Open the launch as the read-only role."""
        launch = open_launch(self.demo.url, plan=plan)
        launch.env = dict(launch.env) | dict(self.env)
        return launch


def live(
    demo: DemoDatabase, env: Mapping[str, str], folder: Path, *, prepare: bool, stages: tuple[float, ...]
) -> Lived:
    """Prove readiness and judge stages for real, in kernels, as the commands do."""
    from golive_lib.cli_readiness import prepared  # noqa: PLC0415  what it reads of the process is set first
    from golive_lib.console import run_all  # noqa: PLC0415  likewise

    given = dict(env) | {"GOLIVE_DB_URL": demo.url, "GOLIVE_PLAN": str(PLAN.path), OUTPUTS: str(folder / "outputs")}
    given |= {BACKUPS: str(folder / "backups")}
    before = dict(os.environ)
    try:
        with environ(**given):
            if prepare:
                prepared(folder / "outputs")
            runs = {"readiness": run_all(["readiness"], {}, folder / "outputs")[0]}
            for stage in stages:
                runs[f"{stage:g}"] = run_all(["canary"], {"stage": f"{stage:g}"}, folder / "outputs")[0]
    finally:
        os.environ.clear()
        os.environ.update(before)
    return Lived(demo, folder / "outputs", runs, given)
