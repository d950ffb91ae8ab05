"""The study: repeatable, built on the shipped judge, and the table in the docs is its own."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from golive_lib.evidence import first_crossing
from golive_lib.judge import Budget

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[1]


@pytest.fixture
def decisions(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import the study's script as its command line does, from its own folder."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("decisions")


def table(text: str) -> list[str]:
    """Return the lines of the Markdown table."""
    return [line for line in text.splitlines() if line.startswith("|")]


def test_the_same_seed_prints_the_same_table(decisions: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """And another seed another one."""
    tables = []
    for seed in ("1", "1", "2"):
        decisions.main(["--launches", "4", "--seed", seed])
        tables.append(table(capsys.readouterr().out))
    assert len(decisions.SCENARIOS) + 2 == len(tables[0])
    assert tables[0] == tables[1] != tables[2]


def test_the_study_finds_what_the_shipped_watch_finds(decisions: ModuleType) -> None:
    """Its shortcut skips looks that cannot prove, and no look that does."""
    rng = np.random.default_rng(6)
    n = rng.poisson(12, (60, 200))
    bad = rng.binomial(n, rng.uniform(0.02, 0.2, (60, 1))).cumsum(axis=1)
    n = n.cumsum(axis=1)
    shipped = [first_crossing(*totals, 0.05, 0.001) for totals in zip(n, bad, strict=True)]
    found = decisions.first_red(n, bad, Budget(0.05, 20, 0.001))
    assert 10 < sum(look is not None for look in shipped) < 60
    assert shipped == [None if look == decisions.NEVER else int(look) for look in found]


def test_a_launch_follows_the_verdicts(decisions: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clean launch ends unharmed, a rotten one at its first proof, and one over its limit unproven is held."""
    traces = importlib.import_module("traces")
    monkeypatch.setattr(decisions, "STAGES", ((0.5, 3), (1.0, 3)))
    budget = Budget(0.05, 20, 0.001)
    n = np.full((3, 6), 20)
    bad = np.array([[0] * 6, [20] * 6, [2] + [1] * 5])
    stages = [[traces.Trace(decisions.KPIS[0], stage, n, bad, n, bad)] for stage in (0, 1)]
    found = decisions.golive(stages, {("API slow", 0): budget, ("API slow", 1): budget})
    assert found.minutes.tolist() == [decisions.NEVER, 1.0, decisions.NEVER]
    assert found.held.tolist() == [False, False, True]


def test_the_table_in_the_docs_has_the_studys_rows(decisions: ModuleType) -> None:
    """The docs show each scenario, in order, beside the command that printed them."""
    text = (ROOT / "docs" / "judge.md").read_text(encoding="utf-8")
    names = [
        line.split(" | ")[0].removeprefix("| ") for line in table(text[text.index("python benchmarks/decisions.py") :])
    ]
    rows = [scenario.name for scenario in decisions.SCENARIOS]
    start = names.index(rows[0])
    assert rows == names[start : start + len(rows)]
