"""What is shipped: a wheel that works outside a clone, a lock that pip follows, and docs that say what CI does."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from plant import change

from golive_lib import Status, open_launch

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from golive_lib.demo import DemoDatabase

ROOT = Path(__file__).parents[1]


def test_wheel_works_outside_a_clone(tmp_path: Path, healthy: DemoDatabase) -> None:
    """Built, unpacked elsewhere and run from an empty folder, it finds its own plan, queries and notebooks."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    ZipFile(wheel).extractall(tmp_path / "lib")
    packed = tmp_path / "lib" / "golive_lib" / "_kit"
    for folder in ("queries", "queries_of_archives"):
        assert len([*(packed / folder).rglob("*.sql")]) == len([*(ROOT / folder).rglob("*.sql")]) > 0
    empty = tmp_path / "empty"
    empty.mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")}
    env = clean | {"GOLIVE_DB_URL": healthy.url, "PYTHONPATH": str(tmp_path / "lib")}

    def python(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=empty, env=env, check=True, capture_output=True, text=True).stdout

    assert python("-c", "import golive_lib; print(golive_lib.__file__)").startswith(str(tmp_path / "lib"))
    assert "All 4 checks are green" in python("-m", "golive_lib", "run", "sanity")
    assert (empty / "outputs" / "index.html").is_file()


def test_constraints_are_the_lock() -> None:
    """Each pinned version in constraints.txt is one that uv.lock holds."""
    locked = {
        (p["name"], p["version"]) for p in tomllib.loads((ROOT / "uv.lock").read_text())["package"] if "version" in p
    }
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {tuple(re.split(r"==", line.split(" ;")[0].strip())) for line in lines}
    assert pinned - locked == set()
    assert {name for name, _ in locked} - {"golive"} == {name for name, _ in pinned}


def test_readme_gives_the_command_ci_runs() -> None:
    """The two commands of the README are the ones that are tried: CI's last line is the test command."""
    readme = (ROOT / "README.md").read_text()
    last = (ROOT / ".ci" / "run").read_text().splitlines()[-1]
    assert last.replace("install -q ", "install ") in readme


def test_readme_begins_with_what_counts() -> None:
    """One sentence, the command, the picture and the Python an analyst types stand in the first screen."""
    first = "\n".join((ROOT / "README.md").read_text().splitlines()[:20])
    assert all(part in first for part in ("golive demo", "](docs/report.png)", "open_launch(", "launch.check("))
    assert (ROOT / "docs" / "report.png").is_file()


def test_readme_python_runs(healthy: DemoDatabase) -> None:
    """The lines of the README work as they stand, on a small demo in place of the one they name."""
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert code
    lines = code[1].replace('"demo:dirty"', repr(healthy.url))
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_contributing_adds_a_query_that_works(
    clone: Callable[[], DemoDatabase], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example of CONTRIBUTING, as it stands: green on a healthy demo, red on the fault it plants."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    name, query = re.search(r"Write `queries/(\S+)\.sql`.*?```sql\n(.*?)```", text, re.DOTALL).groups()  # type: ignore[union-attr]  # there
    fault = ast.literal_eval("{" + re.search(r"```python\n(.*?)```", text, re.DOTALL)[1] + "}")  # type: ignore[index]  # there
    path = tmp_path / "queries" / f"{name}.sql"
    path.parent.mkdir(parents=True)
    path.write_text(textwrap.dedent(query))
    (tmp_path / "launch.toml").write_text((ROOT / "launch.toml").read_text())
    monkeypatch.chdir(tmp_path)
    demo = clone()
    assert open_launch(demo.url).check(name).status is Status.GREEN
    ((checked, statement, rows),) = fault.values()
    change(demo, statement)
    result = open_launch(demo.url).check(checked)
    assert (checked, result.status, result.broken) == (name, Status.RED, rows)
