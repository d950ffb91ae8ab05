"""Flags: what the plan expects of each against what the app's own table says."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd

from golive_lib.errors import QueryFailed
from golive_lib.formats import MISSING, cut, few, mask, missing
from golive_lib.leaks import without_keys
from golive_lib.proof import Point, Proof
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from golive_lib.engines import Asked
    from golive_lib.launch import Launch
    from golive_lib.plan import Plan
    from golive_lib.plan_readiness import FlagRules, FlagValue

SOURCE = "sources/flags"
TITLE = "Flags"
TABLE = "Every flag, as expected and as found"
LONGEST = 60
LISTED = 10
ALL = 100
UNREADABLE = object()  # a value that is no JSON


@dataclass(frozen=True)
class Flag:
    """One row of the flags source: its value read from JSON, and as people see it, which says no more than it must."""

    key: str
    value: Any
    shown: str
    changed_at: datetime | None


@dataclass(frozen=True)
class Share:
    """What the canary's percentage may be, and why."""

    allowed: tuple[float, ...]
    because: str


def prove_flags(launch: Launch, snapshot: Asked, *, stage: float | None) -> Proof:
    """Prove that each flag says what the plan expects, and the canary's percentage what the stage needs.

    ``stage`` is a percentage; without it the one that runs at the snapshot's clock by the plan's ``starts``. A source
    that cannot be asked, or has no row, is unknown.
    """
    rules = launch.plan.flags
    if not rules.expected and not rules.percentage:
        return _unknown("the plan expects no flag", "list them in [flags.expected] of the plan")
    try:
        rows = launch.ask(snapshot, SOURCE)
    except QueryFailed as failure:
        return _unknown(failure.reason, "adapt sources/flags.sql in a query folder of the plan's own")
    if rows.empty:
        return _unknown("answers with no row", "see that sources/flags.sql reads the table that the app reads")
    found: dict[str, list[Flag]] = defaultdict(list)
    for key, value, changed_at in rows[["key", "value", "updated_at"]].itertuples(index=False, name=None):
        flag = _flag(rules, key, value, changed_at)
        found[flag.key].append(flag)
    share = _share(launch.plan, stage, snapshot.clock.now)
    points = tuple(_points(rules, found, share))
    judged = len(rules.expected) + bool(rules.percentage)
    return Proof(
        "flags", TITLE, points, f"all {judged} flags say what they should", {TABLE: _table(rules, found, points)}
    )


def _unknown(detail: str, fix: str) -> Proof:
    return Proof("flags", TITLE, (Point("flags source", Status.UNKNOWN, detail, fix),))


def _flag(rules: FlagRules, key: Any, text: Any, changed_at: Any) -> Flag:  # noqa: ANN401  cells of a DataFrame
    value = None if missing(text) else _read(str(text))
    written = str(text) if value is UNREADABLE else json.dumps(value, ensure_ascii=False)
    name = "(no name)" if missing(key) else str(key)
    judged = name in rules.expected or name == rules.percentage
    shown = _short(written) if judged else _described(value, written)
    return Flag(name, value, shown, None if missing(changed_at) else changed_at)


def _described(value: Any, written: str) -> str:  # noqa: ANN401  JSON may be anything
    """Say what kind of value it is: what nobody judges may be a password or an address that opens something."""
    if value is None or isinstance(value, bool | int | float):
        return _type(value)
    size = len(value) if isinstance(value, str) else len(written)
    return f"{_type(value)} of {size} characters"


def _read(text: str) -> Any:  # noqa: ANN401  JSON may be anything
    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return UNREADABLE


def _short(text: str) -> str:
    return cut(without_keys(mask(text)), LONGEST)


def _type(value: Any) -> str:  # noqa: ANN401  JSON may be anything
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "a boolean"),
        ((int, float), "a number"),
        (str, "a text"),
        (list, "a list"),
        (dict, "an object"),
        (type(None), "empty"),
    )
    return next((kind for types, kind in kinds if isinstance(value, types)), "no JSON")


def _points(rules: FlagRules, found: Mapping[str, list[Flag]], share: Share) -> Iterator[Point]:
    for key, expected in rules.expected.items():
        yield _single(key, found) or _value(found[key][0], expected)
    if rules.percentage:
        yield _single(rules.percentage, found) or _percentage(found[rules.percentage][0], share)
    judged = {*rules.expected, rules.percentage}
    for key, rows in found.items():
        if key not in judged and len(rows) > 1:
            yield _twice(key, rows)
    if strangers := _strangers(rules, found):
        detail = f"the plan does not name {few([_short(key) for key in strangers], LISTED)}"
        fix = "say what each should be in [flags.expected], or list it under 'others' in [flags]"
        yield Point("other flags", Status.AMBER, detail, fix)


def _strangers(rules: FlagRules, found: Mapping[str, list[Flag]]) -> list[str]:
    return sorted(set(found) - {*rules.expected, rules.percentage, *rules.others})


def _single(key: str, found: Mapping[str, list[Flag]]) -> Point | None:
    """Return what is wrong when a flag is not there exactly once."""
    if key not in found:
        return Point(_short(key), Status.RED, "is missing", "add it to the app's flags, or take it out of the plan")
    return _twice(key, found[key]) if len(found[key]) > 1 else None


def _twice(key: str, rows: list[Flag]) -> Point:
    values = ", ".join(dict.fromkeys(flag.shown for flag in rows))
    detail = f"is there {len(rows)} times, with {values}: nobody can say which the app takes"
    return Point(_short(key), Status.RED, detail, "leave one row of it")


def _value(flag: Flag, expected: FlagValue) -> Point:
    wanted = json.dumps(expected, ensure_ascii=False)
    seen, wanted_type = _type(flag.value), _type(expected)
    if seen != wanted_type:
        detail = f"is {seen} ({flag.shown}), expected {wanted_type}: {wanted}"
        return Point(_short(flag.key), Status.RED, detail, f"store {wanted} as {wanted_type.removeprefix('a ')}")
    if flag.value != expected:
        return Point(_short(flag.key), Status.RED, f"is {flag.shown}, expected {wanted}", f"set it to {wanted}")
    return Point(_short(flag.key), Status.GREEN, f"is {flag.shown}, as expected")


def _share(plan: Plan, stage: float | None, now: datetime) -> Share:
    """Return what the percentage may be: the given stage's, else the running one's, else what precedes the first."""
    if stage is not None:
        return Share((stage,), f"for the stage of {stage:g} %")
    begun = [each for each in plan.stages if each.starts and each.starts <= now]
    if begun:
        return Share((begun[-1].percent,), f"for the stage of {begun[-1]} that runs")
    return Share((0, *(each.percent for each in plan.stages[:1])), "before the first stage")


def _percentage(flag: Flag, share: Share) -> Point:
    wanted = " or ".join(f"{percent:g}" for percent in share.allowed)
    fix = f"set it to {wanted}"
    if _type(flag.value) != "a number":
        detail = f"is {_type(flag.value)} ({flag.shown}), expected a number: {wanted} {share.because}"
        return Point(_short(flag.key), Status.RED, detail, fix)
    if not 0 <= flag.value <= ALL:
        return Point(_short(flag.key), Status.RED, f"is {flag.shown}, which is no percentage of 0 to 100", fix)
    if flag.value not in share.allowed:
        return Point(_short(flag.key), Status.RED, f"is {flag.shown}, expected {wanted} {share.because}", fix)
    return Point(_short(flag.key), Status.GREEN, f"is {flag.shown}, as expected {share.because}")


def _table(rules: FlagRules, found: Mapping[str, list[Flag]], points: tuple[Point, ...]) -> pd.DataFrame:
    judged = {point.what: point.status for point in points}
    strangers = _strangers(rules, found)
    named = dict.fromkeys((*rules.expected, rules.percentage) if rules.percentage else rules.expected)
    rows = []
    for key in (*named, *sorted(set(found) - set(named))):
        flags = found.get(key, [])
        status = judged.get(_short(key), Status.AMBER if key in strangers else Status.GREEN)
        shown = ", ".join(flag.shown for flag in flags) or MISSING
        changed = max((flag.changed_at for flag in flags if flag.changed_at), default=pd.NaT)
        rows.append((_short(key), _wanted(rules, key), shown, status.value, changed))
    frame = pd.DataFrame(rows, columns=["flag", "expected", "found", "status", "changed_at"])
    return frame.assign(changed_at=pd.to_datetime(frame["changed_at"], utc=True))


def _wanted(rules: FlagRules, key: str) -> str:
    if key in rules.expected:
        return json.dumps(rules.expected[key], ensure_ascii=False)
    if key == rules.percentage:
        return "the stage's percentage"
    return "anything" if key in rules.others else MISSING
