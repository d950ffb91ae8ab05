"""An analyst's own folder: what is begun there, what is copied there, and what is never overwritten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from plant import command

from golive_lib.desk import copies, home, new_notebook, new_query, settle
from golive_lib.errors import ReportError, UsageError
from golive_lib.launch import load_queries
from golive_lib.plan import kit_folder, read_plan
from golive_lib.query import load

if TYPE_CHECKING:
    from golive_lib.demo import DemoDatabase

ROOT = Path(__file__).parents[1]


def test_new_notebook_runs_at_once(tmp_path: Path, healthy: DemoDatabase) -> None:
    """Also in a folder without a plan, where own notebooks lie in the current one."""
    made = command(tmp_path, "new", "my-checks")
    run = command(tmp_path, "run", "my-checks", "-p", "hours=6", "--db-url", healthy.url)
    assert (made.returncode, "golive run my-checks" in made.stdout) == (0, True)
    assert (run.returncode, "● my-checks: go" in run.stdout) == (0, True), run.stderr
    assert "# My checks" in (tmp_path / "notebooks" / "my-checks.ipynb").read_text()


def test_own_notebook_and_query_are_listed(here: Path) -> None:
    """Both are found beside the plan, from a folder below it too."""
    command(here, "new", "my-checks")
    command(here, "new", "mine/requests")
    listed = command(here / "notebooks", "list").stdout
    assert [line.split()[0] for line in listed.splitlines() if line.startswith((" my-checks", " mine/"))] == [
        "my-checks",
        "mine/requests",
    ]


def test_new_query_is_a_check_at_once(here: Path, healthy: DemoDatabase) -> None:
    """What the template asks can be judged as it stands."""
    made = command(here, "new", "mine/requests")
    judged = command(here, "check", "mine", "--db-url", healthy.url)
    assert (made.returncode, judged.returncode) == (0, 0), judged.stderr


def test_nothing_is_overwritten(here: Path) -> None:
    """A second notebook or query of the name is refused, and the first keeps its bytes."""
    for path in (new_notebook(here, "mine"), new_query(read_plan(here / "launch.toml"), "mine/one")):
        path.write_text("written by hand")
    with pytest.raises(UsageError, match=r"mine\.ipynb: there is one already"):
        new_notebook(here, "mine")
    with pytest.raises(UsageError, match=r"one\.sql: there is one already"):
        new_query(read_plan(here / "launch.toml"), "mine/one")
    assert (here / "notebooks" / "mine.ipynb").read_text() == "written by hand"
    assert (here / "queries" / "mine" / "one.sql").read_text() == "written by hand"


@pytest.mark.parametrize("name", ["", "My", "a b", "../up", "x.ipynb", "-p", "ü", "a" * 61, "a\n"])
def test_bad_notebook_name_is_refused(tmp_path: Path, name: str) -> None:
    """A name that a shell, a URL or another system could take for something else makes no file."""
    with pytest.raises(UsageError, match="is no notebook's name"):
        new_notebook(tmp_path, name)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("name", ["/etc/x", "../up/x", "Mine/x", "mine/", "mine/x.sql", "mine//x"])
def test_bad_query_name_is_refused(here: Path, name: str) -> None:
    """A query's name is its path, in the form that the loader takes."""
    with pytest.raises(UsageError, match="is no query's name"):
        new_query(read_plan(here / "launch.toml"), name)
    assert list((here / "queries").iterdir()) == []


def test_query_needs_a_plan_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written among the kit's own queries; the message says what to copy."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"a query lies beside a plan of your own; copy .*launch\.toml here first"):
        new_query(read_plan(kit_folder() / "launch.toml"), "mine/one")


def test_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A file in the folder's place is an error with the path, not a traceback."""
    (tmp_path / "notebooks").write_text("")
    with pytest.raises(ReportError, match=r"mine\.ipynb: cannot be written"):
        new_notebook(tmp_path, "mine")


def test_kits_query_is_copied_by_its_name(here: Path) -> None:
    """A source of the kit's is the beginning of one's own, and takes its place."""
    plan = read_plan(here / "launch.toml")
    made = new_query(plan, "sources/people")
    assert made.read_text() == (ROOT / "queries" / "sources" / "people.sql").read_text()
    assert load_queries(plan)["sources/people"].path.name == "people.sql"
    assert list(load([here / "queries"])) == ["sources/people"]


def test_home_is_the_plans_folder_or_the_current_one(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Own notebooks lie beside an own plan; with the kit's plan they lie where the analyst is."""
    monkeypatch.chdir(here / "queries")
    assert home(read_plan(here / "launch.toml")) == here
    assert home(read_plan(kit_folder() / "launch.toml")) == here / "queries"


def test_kits_notebooks_are_copied_once(tmp_path: Path) -> None:
    """A folder with none of them gets all, beside what the analyst made; one with some is left alone."""
    new_notebook(tmp_path, "mine")
    assert (settle(tmp_path), settle(tmp_path)) == (True, False)
    (tmp_path / "notebooks" / "rls.ipynb").unlink()
    assert settle(tmp_path) is False
    assert not (tmp_path / "notebooks" / "rls.ipynb").exists()
    assert copies(tmp_path) == ()


def edited(folder: Path, name: str, stamp: str | None) -> None:
    """Change a copy's text, and what it says of its origin."""
    path = folder / "notebooks" / f"{name}.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"][0]["source"] = ["# Mine"]
    notebook["metadata"]["golive"] = {"copied": stamp} if stamp else {}
    path.write_text(json.dumps(notebook))


def test_copy_of_an_older_notebook_is_told_from_one_that_was_edited(tmp_path: Path) -> None:
    """One's own changes are nobody's business; what the kit has changed since is said, and how to have it."""
    settle(tmp_path)
    current = json.loads((tmp_path / "notebooks" / "sanity.ipynb").read_text())["metadata"]["golive"]["copied"]
    edited(tmp_path, "sanity", current)
    edited(tmp_path, "canary", "0123456789abcdef")
    edited(tmp_path, "health", None)
    (tmp_path / "notebooks" / "rls.ipynb").write_text("no notebook")
    assert [(each.name, each.said) for each in copies(tmp_path)][:2] == [
        ("canary", "was copied from an older kit's"),
        ("health", "is not the kit's, and does not say from which it was copied"),
    ]
    assert str(copies(tmp_path)[0]).endswith("; for the kit's, rename yours and type: golive new canary")


def test_run_says_that_its_notebook_is_an_old_copy(here: Path, healthy: DemoDatabase) -> None:
    """A scheduler's log names it too; the analyst's notebook runs all the same."""
    settle(here)
    path = here / "notebooks" / "sanity.ipynb"
    path.write_text(path.read_text().replace('"copied": "', '"copied": "of an older one '))
    done = command(here, "run", "sanity", "--db-url", healthy.url)
    assert (done.returncode, "notebooks/sanity.ipynb was copied from an older kit's" in done.stderr) == (0, True)


def test_results_show_themselves_in_a_report_too(tmp_path: Path, healthy: DemoDatabase) -> None:
    """A kernel forked for a run shows a launch as JupyterLab's does, and the report still has its one verdict."""
    path = new_notebook(tmp_path, "mine")
    notebook = json.loads(path.read_text())
    for i, text in enumerate(("checks", "launch")):
        cell = {"cell_type": "code", "id": f"own{i}", "metadata": {}, "outputs": [], "source": [text]}
        notebook["cells"].append(cell | {"execution_count": None})
    path.write_text(json.dumps(notebook))
    done = command(tmp_path, "run", "mine", "--db-url", healthy.url)
    (executed,) = (tmp_path / "outputs").glob("*/mine.ipynb")
    last = json.loads(executed.read_text())["cells"][-1]["outputs"][0]["data"]
    assert (done.returncode, sorted(last)) == (0, ["text/html", "text/plain"]), done.stderr
    assert "gl-table" in "".join(last["text/html"])
