"""A launch's past, written by hand: runs with their files and what people did, as the commands record it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from golive_lib.checklist import Checklist, listed
from golive_lib.clock import Clock
from golive_lib.ledger import Entry, Ledger
from golive_lib.plan import Plan, read_plan
from golive_lib.records import JUDGED, RUN, RunRecord

PLAN = read_plan(Path(__file__).parents[1] / "launch.toml")
DIGEST = sha256(PLAN.path.read_bytes()).hexdigest()
DATABASE = "shop on db.example as golive_ro"
EVE = "2026-03-24T07:00:00+00:00"  # the first stage begins at 08:00
OVER = "2026-03-25T22:00:00+00:00"  # 24 h after the last began
READY = ("secrets", "flags", "backup", "storage", "coverage", "isolation", "test_accounts", "sanity", "contracts")
CARE = ("day_health", "flow", "funnel", "utilization", "recordings", "coverage_change", "performance")
RLS_FILES = {"rls.html": "<p>", "relations.csv": "a\n", JUDGED: "{}"}


@dataclass
class Past:
    """What happened so far, in an outputs folder."""

    outputs: Path
    plan: Plan = PLAN
    base: dict[str, Any] = field(default_factory=lambda: {"launch": PLAN.name, "database": DATABASE})
    number: int = 0

    def add(self, kind: str, at: str, /, **data: Any) -> Entry:
        """Record what somebody did."""
        return Ledger(self.outputs).append(kind, self.base | {"at": at} | data)

    def run(
        self,
        notebook: str,
        at: str,
        verdict: str,
        *,
        status: str = "green",
        facts: dict[str, Any] | None = None,
        files: dict[str, str] | None = None,
        **changed: Any,
    ) -> RunRecord:
        """Publish a run with its files and record it."""
        self.number += 1
        run_id = f"run{self.number}-{notebook}"
        contents = {f"{notebook}.html": "<p>"} | (files or {})
        folder = self.outputs / run_id
        folder.mkdir(parents=True)
        for name, content in contents.items():
            (folder / name).write_text(content)
        given: dict[str, Any] = {
            "run_id": run_id, "notebook": notebook, "started_at": "2026-11-27T20:00:00+00:00", "seconds": 1.0,
            "state": "finished", "verdict": verdict, "status": status, "sentence": f"The {notebook} said {verdict}.",
            "judged_at": at, "zone": PLAN.timezone, "parameters": {}, "database": self.base["database"], "error": None,
            "html": f"{run_id}/{notebook}.html", "ipynb": None, "version": "1", "launch": self.base["launch"],
            "plan": DIGEST, "facts": facts or {},
            "files": {name: sha256(content.encode()).hexdigest() for name, content in contents.items()},
        }  # fmt: skip
        record = RunRecord(**(given | changed))
        Ledger(self.outputs).append(RUN, asdict(record))
        return record

    def whole_record(self, record: RunRecord, **changed: Any) -> Entry:
        """Record a run again, with whatever a record may hold."""
        return Ledger(self.outputs).append(RUN, asdict(record) | changed)

    def listing(self, notebook: str, at: str, items: dict[str, str], **more: Any) -> RunRecord:
        """Publish a run that judged a list of items."""
        judged = {
            "items": {
                key: {"title": key, "status": status, "reason": f"{key} is {status}"} for key, status in items.items()
            }
        }
        worst = "no-go" if "red" in items.values() else "go" if set(items.values()) == {"green"} else "hold"
        files = {JUDGED: json.dumps(judged)} | more.pop("files", {})
        return self.run(notebook, at, worst, facts={"items": items}, files=files, **more)

    def readiness(self, at: str = EVE, plan: str = DIGEST, **items: str) -> RunRecord:
        """Publish a readiness report, green but for the items named."""
        return self.listing("readiness", at, dict.fromkeys(READY, "green") | items, plan=plan)

    def rehearsal(self, at: str = EVE, verdict: str = "go") -> Entry:
        """Record a rehearsal."""
        return self.add("rehearsal", at, by="Karim", verdict=verdict, sentence="Levels 1 and 2 ran.", levels={})

    def stage(
        self, percent: float, verdict: str = "promote", *, started: str = "", hours: float = 0, **changed: Any
    ) -> RunRecord:
        """Publish a stage's judgement, at the end of its soak by the plan unless told otherwise."""
        stage = PLAN.stage(percent)
        begun = datetime.fromisoformat(started) if started else stage.starts
        assert begun
        until = begun + (timedelta(hours=hours) if hours else stage.soak)
        facts = {"stage": float(percent), "started_at": begun.isoformat(), "judged_until": until.isoformat()}
        status = {"promote": "green", "continue": "green", "rollback": "red"}.get(verdict, "amber")
        return self.run("canary", until.isoformat(), verdict, facts=facts, status=status, **changed)

    def stages(self) -> None:
        """Publish all stages, promoted."""
        for stage in PLAN.stages:
            self.stage(stage.percent)

    def care(self, at: str = OVER, files: dict[str, str] | None = None, **items: str) -> RunRecord:
        """Publish the report of the day after, green but for the sections named."""
        return self.listing("aftercare", at, dict.fromkeys(CARE, "green") | items, files=files or {})

    def tick(self, item: str, at: str = OVER, *, done: bool = True) -> Entry:
        """Record a person's tick."""
        return self.add("tick", at, item=item, by="Rima", note="looked at", done=done)

    def rollback(self, at: str, state: str = "done") -> Entry:
        """Record a rollback."""
        seconds = {"command": 2.13, "waited": 0.0, "database": 0.4}
        return self.add("rollback", at, by="Karim", level=1, state=state, verified=state == "done", seconds=seconds)

    def whole(self) -> Past:
        """Live through a launch to its end."""
        self.readiness()
        self.rehearsal()
        self.stages()
        self.run("rls", OVER, "go", files=RLS_FILES)
        self.care()
        self.tick("recordings")
        self.tick("success")
        return self

    def list(self, now: str = OVER) -> Checklist:
        """Return the checklist."""
        return listed(self.plan, self.outputs, self.base["database"], Clock(datetime.fromisoformat(now), fixed=True))
