"""The launch plan: ``launch.toml`` as typed, validated, frozen data."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from golive_lib.errors import PlanError

PLAN_FILE = "launch.toml"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: object) -> timedelta:
    """Read ``90s``, ``10m``, ``2h`` or ``1d``."""
    match = re.fullmatch(r"(\d+)\s*([smhd])", value) if isinstance(value, str) else None
    if not match:
        raise ValueError("should be a duration such as '90s', '10m', '2h' or '1d'")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("should be a time zone name such as 'Asia/Beirut'") from None
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Zone = Annotated[str, AfterValidator(_zone)]
Share = Annotated[float, Field(gt=0, lt=1)]
_STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, config=_STRICT, kw_only=True)
class DatabaseRules:
    """How long a statement may run and wait for a lock."""

    statement_timeout: Duration = timedelta(seconds=60)
    lock_timeout: Duration = timedelta(seconds=2)


@dataclass(frozen=True, config=_STRICT, kw_only=True)
class Kpi:
    """One KPI: fewer than ``allowed`` of a source's events may be bad, where bad means past ``limit``."""

    title: str
    source: str
    limit: Annotated[float, Field(ge=0)]
    unit: Literal["ms", "s", "share", "count"]
    allowed: Share | None = None
    min_events: Annotated[int, Field(gt=0)] = 1
    freshness: Duration = timedelta(minutes=15)


@dataclass(frozen=True, config=_STRICT, kw_only=True)
class Plan:
    """A launch: its name, zone, query folders and limits; ``path`` is the file it was read from."""

    name: str
    timezone: Zone
    queries: tuple[str, ...] = ()
    database: DatabaseRules = field(default_factory=DatabaseRules)
    kpis: dict[str, Kpi]
    path: Path

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
    return f"{key} = {problem['input']!r}: {problem['msg'].removeprefix('Value error, ')}"


def find_plan(start: Path) -> Path | None:
    """Return the nearest ``launch.toml`` in a folder or one above it."""
    for folder in (start, *start.parents):
        if (folder / PLAN_FILE).is_file():
            return folder / PLAN_FILE
    return None
