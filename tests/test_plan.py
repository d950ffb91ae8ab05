"""The launch plan: typed, strict, and every error names its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from golive_lib.errors import PlanError
from golive_lib.plan import find_plan, read_plan

MINIMAL = """
name = "x"
timezone = "Asia/Beirut"
[kpis.api]
title = "API"
query = "canary/api"
bad = "slow"
limit = 2000
unit = "ms"
allowed = 0.05
min_events = 20
freshness = "10m"
"""


def plan(folder: Path, text: str) -> Path:
    """Write a plan file."""
    path = folder / "launch.toml"
    path.write_text(text)
    return path


def test_kits_own_plan_is_valid() -> None:
    """The plan that ships reads without an error."""
    assert read_plan(Path("launch.toml")).timezone == "Asia/Beirut"


def test_value_is_found_by_its_path(tmp_path: Path) -> None:
    """A query's default reaches any number of the plan; durations are seconds."""
    chosen = read_plan(plan(tmp_path, MINIMAL))
    assert (chosen.value("kpis.api.limit"), chosen.value("kpis.api.freshness")) == (2000.0, 600.0)


def test_value_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A path that leads nowhere is an error with the path in it."""
    chosen = read_plan(plan(tmp_path, MINIMAL))
    with pytest.raises(PlanError, match=r"there is no value 'kpis\.web\.limit'"):
        chosen.value("kpis.web.limit")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"Asia/Beirut"', '"Asia/Atlantis"', "timezone = 'Asia/Atlantis': should be a time zone name"),
        ("limit = 2000", "limit = -1", "kpis.api.limit = -1: Input should be greater than or equal to 0"),
        ("allowed = 0.05", "allowed = 5", "kpis.api.allowed = 5: Input should be less than 1"),
        ("allowed = 0.05", "allowed = '0.05'", "kpis.api.allowed = '0.05'"),
        ('"10m"', '"10 weeks"', "kpis.api.freshness = '10 weeks': should be a duration"),
        ('unit = "ms"', 'unit = "kg"', "kpis.api.unit = 'kg'"),
        ('title = "API"', "", "kpis.api.title: is missing"),
        ("min_events = 20", "", "a share is judged on at least 5 events"),
        (
            'unit = "ms"',
            'unit = "ms"\npercentile = 0.9',
            "allowed = 0.05 and what people read, 0.1, should be the same",
        ),
        ("limit = 2000", "limit = inf", "kpis.api.limit = inf: Input should be a finite number"),
        ('name = "x"', 'name = "x"\ncolour = 1', "colour: unknown key"),
        ("limit = 2000", "limit = 2000\nlimits = 1", "kpis.api.limits: unknown key"),
        ('name = "x"', 'name = "x"\npath = "y"', "unknown key 'path'"),
        ('name = "x"', "name = ", "is no TOML"),
        ('bad = "slow"', 'bad = "x; drop"', "kpis.api.bad = 'x; drop': String should match pattern"),
        ('bad = "slow"', 'bad = "Slow"', "kpis.api.bad = 'Slow': String should match pattern"),
        ("allowed = 0.05", "allowed = 0", "kpis.api.allowed = 0: Input should be greater than 0"),
        ("min_events = 20", "min_events = 0", "kpis.api.min_events = 0: Input should be greater than 0"),
        ("[kpis.api]", "[judge]\nalpha = 0\n[kpis.api]", "judge.alpha = 0: Input should be greater than 0"),
        ("[kpis.api]", "[judge]\nalpha = 1\n[kpis.api]", "judge.alpha = 1: Input should be less than 1"),
        ("[kpis.api]", "[judge]\nrule = 'gut'\n[kpis.api]", "judge.rule = 'gut'"),
        ("[kpis.api]", "[judge]\ndays = 0\n[kpis.api]", "judge.days = 0"),
    ],
)
def test_error_names_the_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    """What is wrong is said with the key, the offending value and the file."""
    path = plan(tmp_path, MINIMAL.replace(old, new))
    with pytest.raises(PlanError) as caught:
        read_plan(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def staged(*stages: str) -> str:
    """Return a plan with these stages, each ``percent, soak, starts``."""
    keys = ("percent", "soak", "starts")
    tables = [
        "\n[[stages]]\n" + "\n".join(f"{key} = {value}" for key, value in zip(keys, stage.split(", "), strict=False))
        for stage in stages
    ]
    return MINIMAL + "".join(tables)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (["25, '2h'", "10, '2h'"], "stages: percents should rise from stage to stage, got [25.0, 10.0]"),
        (["10, '2h'", "10, '2h'"], "stages: percents should rise from stage to stage, got [10.0, 10.0]"),
        (
            ["10, '2h', 2026-03-24T10:00:00Z", "25, '2h', 2026-03-24T08:00:00Z"],
            "stages: 'starts' should be later from stage to stage",
        ),
        (["10, '2h', 2026-03-24T08:00:00"], "should be a date, a time and a zone, such as 2026-03-24T08:00:00Z"),
        (["10, '2h', 2026-03-24"], "should be a date, a time and a zone, such as 2026-03-24T08:00:00Z"),
        (["0, '2h'"], "stages.0.percent = 0: Input should be greater than 0"),
        (["101, '2h'"], "stages.0.percent = 101: Input should be less than or equal to 100"),
        (["10"], "stages.0.soak: is missing"),
        (["10, '2 hours'"], "stages.0.soak = '2 hours': should be a duration"),
    ],
)
def test_stages_that_cannot_be_are_errors(tmp_path: Path, stages: list[str], message: str) -> None:
    """A rollout goes up, forward in time, and says when, with a zone."""
    with pytest.raises(PlanError) as caught:
        read_plan(plan(tmp_path, staged(*stages)))
    assert message in str(caught.value)


def test_stages_that_rise_are_fine(tmp_path: Path) -> None:
    """The look-alike: fractions of a percent, starts in different zones, and one not known yet."""
    text = staged("0.5, '30m', 2026-03-24T10:00:00+02:00", "1, '2h', 2026-03-24T08:30:00Z", "100, '1d'")
    chosen = read_plan(plan(tmp_path, text))
    assert [(str(stage), stage.share) for stage in chosen.stages] == [("0.5 %", 0.005), ("1 %", 0.01), ("100 %", 1)]
    assert chosen.later(chosen.stages[0]) == chosen.stages[1:]
    assert chosen.later(chosen.stages[2]) == ()


def test_stage_that_is_not_in_the_plan_is_named_with_those_there_are(tmp_path: Path) -> None:
    """Asked for another percentage, the plan lists its own."""
    chosen = read_plan(plan(tmp_path, staged("10, '2h'", "25, '4h'")))
    with pytest.raises(PlanError, match=r"there is no stage of 50 %; there are 10 %, 25 %"):
        chosen.stage(50)


def test_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """A plan that is not there is an error with the next step."""
    with pytest.raises(PlanError, match="name a plan with --plan"):
        read_plan(tmp_path / "launch.toml")


def test_nearest_plan_is_found_from_below(tmp_path: Path) -> None:
    """A notebook's folder finds the plan of the folder above it."""
    below = tmp_path / "notebooks"
    below.mkdir()
    path = plan(tmp_path, MINIMAL)
    assert find_plan(below) == path
