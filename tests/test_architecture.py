"""The rules that keep the kit small: layers, thin notebooks, one place for each thing."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import golive_lib
from golive_lib.query import load

ROOT = Path(__file__).parents[1]
LAYERS = (
    (
        "errors",
        "settings",
        "bidi",
        "formats",
        "leaks",
        "plan_types",
        "plan_readiness",
        "plan_night",
    ),
    (
        "verdicts",
        "statement",
        "script",
        "query",
        "evidence",
        "intervals",
        "judge",
        "plan",
        "clockwork",
        "occasions",
        "stage",
        "due",
        "spans",
        "compare",
        "power",
        "series",
        "grid",
        "show",
        "inks",
        "charts",
    ),
    (
        "clock",
        "answers",
        "waiting",
        "db",
        "manifest",
        "archive",
        "archive_figures",
        "engines",
        "known_answers",
        "duckdb_sql",
        "duck",
        "spark_sql",
        "spark_archive",
        "spark",
        "acting",
    ),
    ("checks", "proof"),
    (
        "launch",
        "spanning",
        "events",
        "telemetry",
        "kpis",
        "due_events",
        "canary",
        "forecasts",
        "watch",
        "replay",
        "kpi_charts",
        "time_indexes",
        "doctor",
        "connections",
        "credentials",
        "flags",
        "pg_tools",
        "dump",
        "rehearsal",
        "backup",
        "storage_manifest",
        "storage",
        "archive_sources",
        "archiving",
        "owners",
        "rls_catalog",
        "rls_rules",
        "rls_policies",
        "rls_views",
        "rls_lints",
        "rls",
        "probe_verdict",
        "rls_probe",
        "contract_lines",
        "contract_answers",
        "contract_requests",
        "contracts",
        "guards",
        "marks",
        "hardening",
        "trials",
        "ledger",
        "levers",
        "revert",
        "rollback",
        "rollback_rehearsal",
        "rollback_proof",
        "rollback_preview",
        "records",
        "outcomes",
        "readiness",
        "day_health",
        "flow",
        "funnel_points",
        "funnel",
        "utilization",
        "recordings",
        "coverage_change",
        "ticket",
        "performance",
        "aftercare",
        "history",
        "checklist_items",
        "checklist_parts",
        "checklist",
        "story",
        "message_facts",
        "message_runs",
        "message_evidence",
        "message_words",
        "message_templates",
        "sending",
        "messages",
        "views",
        "stage_views",
        "proof_views",
        "coverage_views",
        "health_charts",
        "funnel_charts",
        "utilization_charts",
        "aftercare_views",
        "story_charts",
        "checklist_views",
        "results",
        "shells",
    ),
    (
        "bounds",
        "page",
        "paper",
        "export",
        "trends",
        "index",
        "desk",
        "notebooks",
        "forms",
        "warm_kernels",
        "deadline",
        "kernels",
        "engine",
        "reports",
        "turns",
        "attempts",
        "pruning",
        "kernel_server",
    ),
    (
        "console",
        "cli_canary",
        "cli_archive",
        "cli_backup",
        "cli_harden",
        "cli_rollback",
        "cli_readiness",
        "cli_messages",
        "cli_checklist",
        "cli_lab",
        "cli_ledger",
        "cli_schedule",
        "cli",
    ),
    ("__main__", "__init__"),
)
ORDER = [module for layer in LAYERS for module in layer]
MODULES = sorted(path.stem for path in (ROOT / "golive_lib").glob("*.py"))
NOTEBOOKS = [*sorted((ROOT / "notebooks").glob("*.ipynb")), ROOT / "golive_lib" / "templates" / "notebook.ipynb"]
LONGEST = 300


def imports(path: Path) -> set[str]:
    """Name the kit's modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("golive_lib"):
            _, _, module = node.module.partition(".")
            found |= {module.split(".")[0]} if module else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("golive_lib.")}
    return found


def test_every_module_has_a_layer() -> None:
    """A new module says where it stands."""
    assert sorted(ORDER) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    """A module imports those before it; ``demo`` stands aside and may be asked for lazily where a server is needed."""
    demo = {"demo"} if module in ("launch", "rehearsal", "console", "cli") else set()
    allowed = set(ORDER[: ORDER.index(module)]) | demo
    assert imports(ROOT / "golive_lib" / f"{module}.py") - allowed == set()


def test_demo_knows_errors_alone() -> None:
    """The demo is a database to judge, and knows nothing of judging."""
    found = {name for path in (ROOT / "golive_lib" / "demo").glob("*.py") for name in imports(path)}
    assert found <= {"demo", "errors"}


@pytest.mark.parametrize("path", sorted((ROOT / "golive_lib").rglob("*.py")), ids=lambda path: path.stem)
def test_no_module_is_long(path: Path) -> None:
    """A module past 300 lines is a design question."""
    assert len(path.read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_thin(path: Path) -> None:
    """One tagged parameters cell, typed and explained; one import cell; calls of at most 5 lines; nothing stored."""
    cells = json.loads(path.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    source = ["".join(cell["source"]) for cell in code]
    assert [i for i, cell in enumerate(code) if "parameters" in cell["metadata"].get("tags", [])] == [0]
    how, *parameters = source[0].splitlines()
    assert how.startswith("# Change a value and run all cells; or from outside: golive run ")
    assert all(": " in line and "  # " in line for line in parameters)
    assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.parse(source[1]).body)
    assert all("import " not in text and len(text.splitlines()) <= 5 for text in source[2:])
    assert not any(
        isinstance(node, ast.FunctionDef | ast.Lambda) for text in source for node in ast.walk(ast.parse(text))
    )
    assert not any("select " in text.lower() for text in source)
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert cells[0]["cell_type"] == "markdown"


def test_facade_is_what_is_exported() -> None:
    """``from golive_lib import …`` offers exactly what ``__all__`` names, and all of it is there."""
    assert dir(golive_lib) == list(golive_lib.__all__) == sorted(golive_lib.__all__)
    assert [name for name in golive_lib.__all__ if not hasattr(golive_lib, name)] == []


def test_sql_lives_in_query_files() -> None:
    """Only the connection's guards and the shapes around every query are written in Python."""
    select = [
        path.name
        for path in (ROOT / "golive_lib").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\nselect " in f"\n{node.value.lower()}"
    ]
    assert sorted(set(select)) == [
        "acting.py",
        "archive_figures.py",
        "archive_sources.py",
        "db.py",
        "duck.py",
        "dump.py",
        "engines.py",
        "guards.py",
        "known_answers.py",
        "marks.py",
        "owners.py",
        "query.py",
        "rls_probe.py",
        "series.py",
        "storage_manifest.py",
    ]


def test_kits_queries_all_read() -> None:
    """Every query file of the kit has a sound header, and checks read sources rather than the app's tables."""
    queries = load([ROOT / "queries"])
    apart = (
        "sources/",
        "doctor/",
        "rls/",
        "backup/",
        "hardening/",
        "performance/",
        "rollback/",
    )  # those that read the catalog, or are sources
    assert [name for name, query in queries.items() if not query.sources and not name.startswith(apart)] == []


@pytest.mark.parametrize("deployment", sorted((ROOT / "examples").iterdir()), ids=lambda path: path.name)
def test_example_is_a_plan_and_sources_alone(deployment: Path) -> None:
    """Adapting the kit takes one small SQL file per table, and nothing else."""
    files = sorted(path.relative_to(deployment).as_posix() for path in deployment.rglob("*") if path.is_file())
    assert "launch.toml" in files
    own = ("queries/sources/", "queries/hardening/", "queries/rollback/")  # what is written in the app's own columns
    assert [name for name in files if not name.startswith(own)] == ["launch.toml"]
