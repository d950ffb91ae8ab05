"""The launch plan: ``launch.toml`` as typed, validated, frozen data."""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from golive_lib.errors import PlanError
from golive_lib.formats import Brief
from golive_lib.plan_night import AftercareRules, ChecklistRules, MessageRules, RollbackRules, Scheduled
from golive_lib.plan_readiness import (
    ApiRules,
    ArchiveRules,
    BackupRules,
    Contract,
    FlagRules,
    HardeningRules,
    RlsRules,
    SecretRules,
    StorageRules,
)
from golive_lib.plan_types import STRICT, Duration, Identifier, Instant, Lasting, Share, Zone
from golive_lib.verdicts import Rule

PLAN_FILE = "launch.toml"
FEWEST = 5


@dataclass(frozen=True, config=STRICT, kw_only=True)
class DatabaseRules:
    """How long a statement may run and wait for a lock."""

    statement_timeout: Duration = timedelta(seconds=60)
    lock_timeout: Duration = timedelta(seconds=2)


@dataclass(frozen=True, config=STRICT, kw_only=True)
class JudgeRules:
    """How sure a judgement must be: ``alpha`` over all KPIs and stages, the rule, when rows count as complete."""

    alpha: Share = 0.01
    rule: Rule = Rule.EVIDENCE
    maturity: Duration = timedelta(minutes=2)
    days: Annotated[int, Field(ge=1, le=28)] = 7


@dataclass(frozen=True, config=STRICT, kw_only=True)
class ReportRules:
    """What reports' tables ``show`` of people's data; everything else of it is masked."""

    show: tuple[Literal["id", "mail", "phone", "ip"], ...] = ()


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Stage:
    """One stage of the rollout: its share of the traffic, how long it must stay green, and when it began."""

    percent: Annotated[float, Field(gt=0, le=100)]
    soak: Lasting
    starts: Instant | None = None

    @property
    def share(self) -> float:
        """The canary's planned share of the traffic."""
        return self.percent / 100

    def __str__(self) -> str:
        return f"{self.percent:g} %"


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Kpi:
    """One KPI: fewer than ``allowed`` of a query's events may be bad; without ``allowed`` none may.

    ``bad`` names the query's column that is true for a bad event, ``percentile`` the one shown beside ``limit``.
    ``correlation`` is that of events within a minute, where bad ones come in bursts: it thins the evidence.
    """

    title: str
    query: str
    bad: Identifier
    limit: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    unit: Literal["ms", "s", "share", "count"]
    noun: str = "events"
    percentile: Share | None = None
    allowed: Share | None = None
    min_events: Annotated[int, Field(gt=0)] = 1
    correlation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    freshness: Duration = timedelta(minutes=15)

    @model_validator(mode="after")
    def _says_one_thing(self) -> Kpi:
        """Hold the limit that people read and the share that is judged together."""
        shown = self.limit if self.unit == "share" else None if self.percentile is None else 1 - self.percentile
        if self.allowed is not None and shown is not None and not math.isclose(shown, self.allowed):
            raise ValueError(f"allowed = {self.allowed} and what people read, {shown:g}, should be the same share")
        if self.allowed is not None and self.min_events < FEWEST:
            raise ValueError(f"min_events = {self.min_events}: a share is judged on at least {FEWEST} events")
        return self


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Due:
    """Something due every day at a local time of the launch's zone: ``expected`` items, missed after ``grace``."""

    title: str
    query: str
    at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    expected: Annotated[int, Field(gt=0)]
    grace: Annotated[Duration, Field(lt=timedelta(days=1))]
    noun: str = "items"


@dataclass(frozen=True, config=STRICT, kw_only=True, repr=False)
class Plan(Brief):
    """A launch: its name, zone, query folders, stages and limits; ``path`` is the file it was read from."""

    name: str
    timezone: Zone
    queries: tuple[str, ...] = ()
    database: DatabaseRules = field(default_factory=DatabaseRules)
    judge: JudgeRules = field(default_factory=JudgeRules)
    reports: ReportRules = field(default_factory=ReportRules)
    stages: tuple[Stage, ...] = ()
    kpis: dict[str, Kpi]
    due: dict[str, Due] = field(default_factory=dict)
    secrets: SecretRules = field(default_factory=SecretRules)
    flags: FlagRules = field(default_factory=FlagRules)
    backup: BackupRules = field(default_factory=BackupRules)
    storage: StorageRules = field(default_factory=StorageRules)
    archive: ArchiveRules = field(default_factory=ArchiveRules)
    rls: RlsRules = field(default_factory=RlsRules)
    api: ApiRules = field(default_factory=ApiRules)
    contracts: dict[str, Contract] = field(default_factory=dict)
    hardening: HardeningRules = field(default_factory=HardeningRules)
    aftercare: AftercareRules = field(default_factory=AftercareRules)
    rollback: RollbackRules = field(default_factory=RollbackRules)
    messages: MessageRules = field(default_factory=MessageRules)
    checklist: ChecklistRules = field(default_factory=ChecklistRules)
    schedule: dict[str, Scheduled] = field(default_factory=dict)
    path: Path

    @model_validator(mode="after")
    def _stages_rise(self) -> Plan:
        percents = [stage.percent for stage in self.stages]
        if percents != sorted(set(percents)):
            raise ValueError(f"stages: percents should rise from stage to stage, got {percents}")
        starts = [stage.starts for stage in self.stages if stage.starts]
        if starts != sorted(set(starts)):
            raise ValueError("stages: 'starts' should be later from stage to stage")
        return self

    def stage(self, percent: float) -> Stage:
        """Return the stage of this percentage; raises PlanError that lists those there are."""
        for stage in self.stages:
            if stage.percent == percent:
                return stage
        known = ", ".join(str(stage) for stage in self.stages) or "none"
        raise PlanError(f"{self.path}: there is no stage of {percent:g} %; there are {known}")

    def later(self, stage: Stage) -> tuple[Stage, ...]:
        """Return the stages that follow one, in order."""
        return self.stages[self.stages.index(stage) + 1 :]

    @property
    def root(self) -> Path:
        """The folder the plan lies in; its query folders and notebooks are found from here."""
        return self.path.parent

    @property
    def query_folders(self) -> tuple[Path, ...]:
        """The plan's query folders, in the order in which they replace each other."""
        return tuple(self.root / folder for folder in self.queries)

    def value(self, dotted: str) -> str | int | float | bool:
        """Return the value a query's default names, durations in seconds.

        Raises PlanError when the plan has no such key.
        """
        here: Any = self
        for key in dotted.split("."):
            here = here.get(key) if isinstance(here, dict) else getattr(here, key, None)
        if isinstance(here, timedelta):
            return here.total_seconds()
        if not isinstance(here, str | int | float | bool):
            raise PlanError(f"{self.path}: there is no value {dotted!r}, which a query takes as its default")
        return here


_ADAPTER = TypeAdapter(Plan)


def read_plan(path: Path) -> Plan:
    """Read a launch plan.

    Raises PlanError that names the file, the key and the offending text.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(f"{path}: cannot be read ({error.strerror}); name a plan with --plan") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: is no TOML: {error}") from None
    if "path" in data:
        raise PlanError(f"{path}: unknown key 'path'")
    try:
        # By way of JSON: there pydantic's strict mode takes tables for dataclasses and lists for tuples.
        return _ADAPTER.validate_json(json.dumps(data | {"path": str(path.resolve())}, default=str))
    except ValidationError as error:
        problems = "\n".join(f"  {_describe(problem)}" for problem in error.errors(include_url=False))
        raise PlanError(f"{path}: the launch plan is not valid:\n{problems}") from None


def _describe(problem: Any) -> str:  # noqa: ANN401  pydantic's own TypedDict, not exported with this key set
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "unexpected_keyword_argument":
        return f"{key}: unknown key"
    if problem["type"] == "missing":
        return f"{key}: is missing"
    if not key:
        return str(problem["msg"]).removeprefix("Value error, ")
    return f"{key} = {problem['input']!r}: {problem['msg'].removeprefix('Value error, ')}"


def find_plan(start: Path) -> Path | None:
    """Return the nearest ``launch.toml`` in a folder or one above it."""
    for folder in (start, *start.parents):
        if (folder / PLAN_FILE).is_file():
            return folder / PLAN_FILE
    return None


def kit_folder() -> Path:
    """Return the folder of the kit's own plan, queries and notebooks: in a wheel its own, in a clone the root."""
    packed = Path(__file__).parent / "_kit"
    return packed if packed.is_dir() else Path(__file__).parents[1]


def choose_plan(given: str | Path | None) -> Path:
    """Return the plan file to use: the one given, else the nearest ``launch.toml``, else the kit's own."""
    return Path(given) if given else find_plan(Path.cwd()) or kit_folder() / PLAN_FILE
