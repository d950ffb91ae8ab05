"""A plan's occasions in the forms of the schedulers that run them: cron, systemd, GitHub Actions and Airflow."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from golive_lib.errors import UsageError
from golive_lib.occasions import READINESS, Occasion
from golive_lib.settings import DB_URL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from golive_lib.plan import Plan

TEMPLATES = Path(__file__).parent / "templates" / "schedule"
TIMEOUT, RETRIES = "10m", 1
_GITHUBS_SHORTEST = timedelta(minutes=5)
_HOMES = {"cron": "$HOME/golive", "systemd": "%h/golive", "github": "", "airflow": "~/golive"}


class Form(StrEnum):
    """The schedulers there are forms for."""

    CRON = "cron"
    SYSTEMD = "systemd"
    GITHUB = "github"
    AIRFLOW = "airflow"


@dataclass(frozen=True)
class Job:
    """An occasion as a scheduler runs it: the command line's words, and its times in each notation."""

    name: str
    why: str
    notebook: str
    parameters: dict[str, Any]
    words: tuple[str, ...]
    crons: tuple[str, ...]
    calendars: tuple[str, ...]
    first: datetime | None
    last: datetime | None


def written(
    plan: Plan, occasions: Sequence[Occasion], form: Form, *, zone: ZoneInfo, folder: str = ""
) -> dict[str, str]:
    """Return the files of a form by name; ``folder`` is where the plan, ``.env`` and ``.venv`` lie there.

    Secrets are in none of them, only the names of the variables that hold them. Raises UsageError for what the
    scheduler cannot do.
    """
    jobs = [_job(each, zone) for each in occasions]
    facts = {
        "launch": " ".join(plan.name.split()),
        "zone": zone.key,
        "folder": folder.rstrip("/") or _HOMES[form],
        "jobs": jobs,
        "variables": variables(plan),
    }
    match form:
        case Form.CRON:
            return {"golive.crontab": _filled("crontab.j2", **facts)}
        case Form.GITHUB:
            _refuse_often(occasions)
            return {"golive.yml": _filled("github.yml.j2", **facts)}
        case Form.AIRFLOW:
            return {"golive_dags.py": _filled("airflow.py.j2", **facts)}
        case Form.SYSTEMD:
            files = {}
            for job in jobs:
                for kind in ("service", "timer"):
                    files[f"golive-{job.name}.{kind}"] = _filled(f"systemd.{kind}.j2", job=job, **facts)
            return files


def variables(plan: Plan) -> list[str]:
    """Return the names of the environment variables that hold what the plan's notebooks need."""
    names = [DB_URL, plan.secrets.url, *plan.secrets.keys, plan.api.url, *plan.api.tokens.values()]
    return list(dict.fromkeys(names))


def _job(occasion: Occasion, zone: ZoneInfo) -> Job:
    found = occasion.times(zone)
    return Job(
        name=re.sub(r"[^\w-]", "-", occasion.name),
        why=occasion.why,
        notebook=occasion.notebook,
        parameters={name: _number(text) for name, text in occasion.parameters.items()},
        words=_words(occasion),
        crons=tuple(pattern.cron() for pattern in found),
        calendars=tuple(pattern.calendar(zone.key) for pattern in found),
        first=min(occasion.instants, default=None),
        last=max(occasion.instants, default=None),
    )


def _words(occasion: Occasion) -> tuple[str, ...]:
    if occasion.notebook == READINESS and not occasion.parameters:
        return ("readiness", "--prepare")
    given = [word for name, text in occasion.parameters.items() for word in ("-p", f"{name}={text}")]
    return ("run", occasion.notebook, *given, "--timeout", TIMEOUT, "--retries", str(RETRIES))


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _refuse_often(occasions: Sequence[Occasion]) -> None:
    for each in occasions:
        pairs = zip(each.instants, each.instants[1:], strict=False)
        closest = min((later - one for one, later in pairs), default=_GITHUBS_SHORTEST)
        often = any(len(pattern.minutes) > 12 for pattern in each.patterns)  # noqa: PLR2004  an hour's five minutes
        if often or closest < timedelta(minutes=2):
            raise UsageError(f"{each.name}: GitHub runs a schedule every 5 minutes at most; take another --every")


def _filled(template: str, **facts: Any) -> str:
    forms = Environment(  # noqa: S701  no HTML; each form quotes in its own way
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    forms.filters |= {"sh": shlex.join, "unit": _unit, "json": json.dumps, "python": repr, "cronline": _cronline}
    return forms.get_template(template).render(**facts)


def _unit(words: Sequence[str]) -> str:
    """Return words as systemd reads them: no variable and no specifier among them."""
    return shlex.join(word.replace("%", "%%").replace("$", "$$") for word in words)


def _cronline(words: Sequence[str]) -> str:
    """Return words as a line of cron has them, where a bare percent sign ends the command."""
    return shlex.join(words).replace("%", r"\%")
