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
        ('name = "x"', 'name = "x"\ncolour = 1', "colour: unknown key"),
        ("limit = 2000", "limit = 2000\nlimits = 1", "kpis.api.limits: unknown key"),
        ('name = "x"', 'name = "x"\npath = "y"', "unknown key 'path'"),
        ('name = "x"', "name = ", "is no TOML"),
    ],
)
def test_error_names_the_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    """What is wrong is said with the key, the offending value and the file."""
    path = plan(tmp_path, MINIMAL.replace(old, new))
    with pytest.raises(PlanError) as caught:
        read_plan(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


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
