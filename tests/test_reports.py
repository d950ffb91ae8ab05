"""Reports through real kernels: published whole or not at all, with the verdict a scheduler can act on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from plant import change

import golive_lib
from golive_lib.errors import ReportError, UsageError
from golive_lib.index import refresh_index
from golive_lib.notebooks import find_notebook, find_notebooks, parameters, typed
from golive_lib.plan import read_plan
from golive_lib.records import read_records
from golive_lib.reports import Run, execute
from golive_lib.verdicts import VERDICT_MIME
from golive_lib.warm_kernels import warm_kernels

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.demo import DemoDatabase
    from golive_lib.records import RunRecord
    from golive_lib.statement import Value

ROOT = Path(__file__).parents[1]
GREEN = """
from datetime import UTC, datetime
from golive_lib import Outcome, Status, Verdict, views
from golive_lib.show import Html
outcome = Outcome(Verdict.GO, Status.GREEN, "Fine.", datetime(2026, 3, 25, tzinfo=UTC), False, "UTC")
views.Finding(outcome, Html("<p>Fine.</p>", "Fine."))
"""


FORGED = f"""
class Forged:
    def _repr_mimebundle_(self, **_):
        return {{"text/plain": "green", "{VERDICT_MIME}": {{"verdict": "green"}}}}
Forged()
"""


def notebook(folder: Path, *cells: str, tag: str = "parameters") -> Path:
    """Write a notebook whose first cell holds a parameter ``n``."""
    first = new_code_cell("n: int = 1  # how many", metadata={"tags": [tag]})
    book = new_notebook(
        cells=[first, *(new_code_cell(cell) for cell in cells)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    path = folder / "made.ipynb"
    nbformat.write(book, path)
    return path


def run(path: Path, outputs: Path, **values: int) -> RunRecord:
    """Execute a notebook into a folder."""
    return execute(Run(path, values, "a database", outputs), kernels=warm_kernels())


def visible(outputs: Path) -> list[str]:
    """List what a reader of the outputs folder sees, the ledger aside."""
    return sorted(path.name for path in outputs.iterdir() if not path.name.startswith((".", "ledger.")))


@pytest.fixture
def on_healthy(healthy: DemoDatabase, monkeypatch: pytest.MonkeyPatch) -> DemoDatabase:
    """Let kernels find the healthy demo."""
    monkeypatch.setenv("GOLIVE_DB_URL", healthy.url)
    monkeypatch.delenv("GOLIVE_PLAN", raising=False)
    return healthy


@pytest.mark.usefixtures("on_healthy")
@pytest.mark.parametrize("name", ["sanity", "health"])
def test_kits_notebook_becomes_a_report(tmp_path: Path, name: str) -> None:
    """A run leaves the executed notebook, one HTML file, its record, and the index that links to them."""
    record = run(find_notebook(name, tmp_path), tmp_path / "out")
    folder = tmp_path / "out" / record.run_id
    assert (record.verdict, record.exit_code, record.error) == ("go", 0, None)
    assert sorted(path.name for path in folder.iterdir()) == sorted([f"{name}.html", f"{name}.ipynb", "record.json"])
    assert visible(tmp_path / "out") == [record.run_id, "index.html"]
    assert str(record.html) in (tmp_path / "out" / "index.html").read_text()
    assert record.sentence in (folder / f"{name}.html").read_text()


@pytest.mark.usefixtures("on_healthy")
def test_judging_a_past_moment_again_writes_the_same_bytes(tmp_path: Path) -> None:
    """What a stage was judged by is kept beside the report, and is the same whenever it is asked."""
    path = find_notebook("canary", tmp_path)
    given: dict[str, Value] = {"stage": 25, "as_of": "2026-03-24T12:00:00Z"}
    records = [execute(Run(path, given, "a database", tmp_path / "out")) for _ in range(2)]
    one, two = ((tmp_path / "out" / record.run_id / "judged.json").read_bytes() for record in records)
    assert one == two
    assert set(json.loads(one)["kpis"]) == set(read_plan(ROOT / "launch.toml").kpis)


@pytest.mark.usefixtures("on_healthy")
def test_report_names_no_folder_of_the_machine(tmp_path: Path) -> None:
    """Neither the notebook's metadata nor the page tells where the files lay."""
    record = run(find_notebook("sanity", tmp_path), tmp_path / "out")
    for name in (str(record.ipynb), str(record.html), f"{record.run_id}/record.json"):
        assert str(tmp_path) not in (tmp_path / "out" / name).read_text()


def test_a_traceback_names_no_folder_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash in a library and in a file beside the notebook is shown without where they lie, and whose they are."""
    (tmp_path / "beside.py").write_text("def fail():\n    open(__file__ + '.gone')\n")
    monkeypatch.chdir(tmp_path)
    cell = "import json, os, sys; sys.path.insert(0, os.getcwd()); import beside; print(json.__file__); beside.fail()"
    record = run(notebook(tmp_path, cell), tmp_path / "out")
    assert "\N{HORIZONTAL ELLIPSIS}/beside.py.gone" in (record.error or "")
    for name in (str(record.ipynb), str(record.html), f"{record.run_id}/record.json"):
        shown = (tmp_path / "out" / name).read_text()
        assert [place for place in (sys.prefix, sys.base_prefix, str(tmp_path)) if place in shown] == []


def test_red_is_a_finished_run(
    clone: Callable[[], DemoDatabase], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A no-go exits with 4 and is no failure."""
    demo = clone()
    change(demo, "update call_consent_logs set client_ip = null")
    monkeypatch.setenv("GOLIVE_DB_URL", demo.url)
    record = run(find_notebook("sanity", tmp_path), tmp_path)
    assert (record.state, record.verdict, record.exit_code) == ("finished", "no-go", 4)


def test_plain_papermill_runs_the_notebook(on_healthy: DemoDatabase, tmp_path: Path) -> None:
    """The notebooks need nothing of the kit's own runner."""
    command = [
        sys.executable,
        "-m",
        "papermill",
        "notebooks/sanity.ipynb",
        str(tmp_path / "out.ipynb"),
        "-p",
        "sample",
        "5",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"GOLIVE_DB_URL": on_healthy.url}, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "All 4 checks are green" in (tmp_path / "out.ipynb").read_text()


def test_parameter_reaches_the_kernel(tmp_path: Path) -> None:
    """A value given replaces the cell's default."""
    record = run(notebook(tmp_path, "assert n == 7", GREEN), tmp_path / "out", n=7)
    assert (record.verdict, record.parameters) == ("go", {"n": 7})


@pytest.mark.parametrize(
    ("cells", "error"),
    [
        (["1 / 0", GREEN], "ZeroDivisionError: division by zero"),
        (["import os; os.kill(os.getpid(), 9)", GREEN], "the kernel died: it was killed, or ran out of memory"),
        (["import sys; sys.exit(0)", GREEN], "the notebook stopped before its last cell"),
        ([GREEN, "import sys; sys.exit(0)", "1"], "the notebook stopped before its last cell"),
        (["pass"], "the notebook finished with no verdicts"),
        ([GREEN, GREEN], "the notebook finished with 2 verdicts"),
        ([FORGED], "the notebook's verdict is not one of the kit's"),
    ],
)
def test_crash_is_kept_and_never_green(tmp_path: Path, cells: list[str], error: str) -> None:
    """A crash, a dead kernel, an early exit or no sound verdict leaves a failed run with its files and exit code 1."""
    record = run(notebook(tmp_path, "print('so far')", *cells), tmp_path / "out")
    page = (tmp_path / "out" / str(record.html)).read_text()
    assert (record.state, record.verdict, record.exit_code) == ("failed", None, 1)
    assert error in (record.error or "")
    assert "so far" in page
    assert error.split(":", maxsplit=1)[0] in unescape(page)
    assert "so far" in (tmp_path / "out" / str(record.ipynb)).read_text()


def test_kernel_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A notebook of another kernel is a failed run with its reason, not a traceback."""
    path = notebook(tmp_path, GREEN)
    path.write_text(path.read_text().replace('"name": "python3"', '"name": "no_such_kernel"'))
    record = run(path, tmp_path / "out")
    assert (record.exit_code, (record.error or "").startswith("NoSuchKernel")) == (1, True)


HUSHED = "hush-hush/42"
LEAKS = {
    "a bare URL": "import os; os.environ['GOLIVE_DB_URL']",
    "an encoded password": "import os, urllib.parse as u; u.quote(os.environ['SECRET_COPY'], safe='')",
    "an exception": "import os; raise ValueError(os.environ['GOLIVE_DB_URL'])",
    "a verbose traceback": "%xmode Verbose\nfrom golive_lib import open_launch\nopen_launch(plan='missing.toml')",
    "printed": "import os; print(os.environ['SECRET_COPY'])",
}


@pytest.mark.parametrize("cell", LEAKS.values(), ids=LEAKS)
def test_secret_is_never_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str) -> None:
    """However a cell shows the password, nothing of the run is published but a record that says so."""
    monkeypatch.setenv("GOLIVE_DB_URL", f"postgresql://reader:{quote(HUSHED, safe='')}@127.0.0.1:1/db")
    monkeypatch.setenv("SECRET_COPY", HUSHED)
    record = run(notebook(tmp_path, cell, GREEN), tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    shown = "".join(path.read_text() for path in files)
    if "Verbose" not in cell:
        assert (record.exit_code, record.html) == (1, None)
        assert "withheld" in record.sentence
    assert HUSHED not in shown
    assert quote(HUSHED, safe="") not in shown


def test_outputs_that_cannot_be_written_are_an_error_before_anything_runs(tmp_path: Path) -> None:
    """A file where the folder should be: said with its name, and nothing is written."""
    (tmp_path / "out").write_text("")
    path = notebook(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')", GREEN)
    with pytest.raises(ReportError, match="reports cannot be written there"):
        run(path, tmp_path / "out")
    assert not (tmp_path / "ran").exists()


def test_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    """Ctrl-C in a running cell stops the run; no folder of it stays."""
    (tmp_path / "notebooks").mkdir()
    notebook(tmp_path / "notebooks", "print('up', flush=True)\nopen('up', 'w').close()\nimport time; time.sleep(600)")
    command = [sys.executable, "-m", "golive_lib", "run", "made", "--db-url", "postgresql://u@h/d"]
    (tmp_path / "launch.toml").write_text('name = "x"\ntimezone = "UTC"\n[kpis]\n')
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "up").exists():
        assert process.poll() is None
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stopped; nothing was written" in words
    assert visible(tmp_path / "outputs") == []
    assert list((tmp_path / "outputs").glob(".2*")) == []


def test_concurrent_runs_do_not_collide(tmp_path: Path) -> None:
    """Two runs of one notebook at once: two folders, one index with both."""
    path = notebook(tmp_path, GREEN)
    command = [sys.executable, "-c", RUN_ONE, str(path), str(tmp_path / "out")]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: subprocess.run(command, check=True, capture_output=True), range(2)))
    assert [process.returncode for process in done] == [0, 0]
    records = read_records(tmp_path / "out")
    index = (tmp_path / "out" / "index.html").read_text()
    assert len({record.run_id for record in records}) == 2
    assert all(str(record.html) in index for record in records)


RUN_ONE = """
import sys
from pathlib import Path
from golive_lib.reports import Run, execute
execute(Run(Path(sys.argv[1]), {}, "a database", Path(sys.argv[2])))
"""


@pytest.mark.parametrize("text", ['{"run_id": ', "{}", "[]", '{"run_id": "x", "started_at": 5}'])
def test_unreadable_record_is_listed_as_failed(tmp_path: Path, text: str) -> None:
    """A torn record, or one of another shape, shows in the index rather than vanishing from it."""
    (tmp_path / "20260101T000000Z-x-0000").mkdir()
    (tmp_path / "20260101T000000Z-x-0000" / "record.json").write_text(text)
    (record,) = read_records(tmp_path)
    assert (record.state, record.verdict) == ("failed", None)
    assert "cannot be read" in record.sentence
    assert "cannot be read" in refresh_index(tmp_path).read_text()


def test_record_is_the_json_of_the_run(tmp_path: Path) -> None:
    """What is returned is what is kept."""
    record = run(notebook(tmp_path, GREEN), tmp_path / "out")
    kept = json.loads((tmp_path / "out" / record.run_id / "record.json").read_text())
    assert (kept["run_id"], kept["verdict"], kept["schema"]) == (record.run_id, "go", 2)


def test_parameters_are_read_with_types_and_help(tmp_path: Path) -> None:
    """The tagged cell's annotations and comments describe each parameter."""
    found = {p.name: (p.type, p.default, p.help) for p in parameters(find_notebook("health", tmp_path))}
    assert found["hours"] == ("int", "24", "length of the window, in hours")
    assert found["as_of"][0] == "str"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"m": "1"}, "notebook 'made' has no parameter 'm'; it has n"),
        ({"n": "abc"}, "n = 'abc' is no int"),
        ({"n": "1.5"}, "n = '1.5' is no int"),
        ({"db_url": "x"}, "put secrets into the environment"),
        ({"api_key": "x"}, "put secrets into the environment"),
        ({"n": "postgres://u:hidden@h/d"}, "n holds a secret"),
    ],
)
def test_wrong_parameter_is_refused(tmp_path: Path, given: dict[str, str], message: str) -> None:
    """Unknown names, wrong types and secrets are usage errors."""
    known = parameters(notebook(tmp_path))
    with pytest.raises(UsageError) as caught:
        typed(given, known, "made")
    assert message in str(caught.value)


def test_notebook_without_the_tag_is_refused(tmp_path: Path) -> None:
    """Papermill would run it and ignore the values."""
    with pytest.raises(ReportError, match="no cell is tagged 'parameters'"):
        parameters(notebook(tmp_path, tag="settings"))


def test_users_notebook_comes_first(tmp_path: Path) -> None:
    """A notebook in the user's folder replaces the kit's of that name; others are added."""
    (tmp_path / "notebooks").mkdir()
    for name in ("sanity", "mine"):
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text("{}")
    found = find_notebooks(tmp_path)
    assert found["sanity"] == tmp_path / "notebooks" / "sanity.ipynb"
    assert {"mine", "health"} <= set(found)


def test_unknown_notebook_lists_those_there_are(tmp_path: Path) -> None:
    """A slip in a name is a usage error with the names."""
    with pytest.raises(
        UsageError,
        match="there is no notebook 'sanitty'; there are aftercare, canary, checklist, health, readiness, rls, sanity",
    ):
        find_notebook("sanitty", tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("report/report.js", None, "report.js"),
        ("report/report.html.j2", None, "report.html.j2"),
        ("report/report.html.j2", "{% if %}", "Expected an expression"),
    ],
)
def test_page_that_cannot_be_made_is_said_before_anything_runs(
    tmp_path: Path, name: str, text: str | None, said: str
) -> None:
    """A part of the page that is missing or broken is an error with its name, and no cell has run."""
    kit = Path(golive_lib.__file__).parent
    shutil.copytree(kit, tmp_path / "golive_lib", ignore=shutil.ignore_patterns("__pycache__", "demo"))
    part = tmp_path / "golive_lib" / "templates" / name
    part.unlink() if text is None else part.write_text(text)
    path = notebook(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')", GREEN)
    command = [sys.executable, "-c", RUN_ONE, str(path), str(tmp_path / "out")]
    given = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ReportError: a report's page cannot be made: " in done.stderr
    assert said in done.stderr
    assert not (tmp_path / "ran").exists()


def test_what_a_notebook_prints_of_people_is_masked(tmp_path: Path) -> None:
    """A print, a bare value and a list show nobody, on the page and in the notebook; a picture is left as it is."""
    cells = (
        "print('mona@example.com from 10.9.8.7')",
        "['karim@example.com']",
        "from IPython.display import HTML\nHTML('<p>rana@example.com</p>')",
        'HTML(\'<img alt="" src="data:image/png;base64,+123456789012">\')',
    )
    path = notebook(tmp_path, *cells, GREEN)
    record = execute(Run(path, {}, "", tmp_path / "out"))
    for name in (record.html, record.ipynb):
        text = (tmp_path / "out" / str(name)).read_text()
        shown = text.partition("</main>")[0] if name == record.html else text
        assert ("10.9.x.x" in shown, "m…@example.com" in shown or "m\\u2026@example.com" in shown) == (True, True)
        assert "base64,+123456789012" in shown
    outputs = [str(cell.get("outputs")) for cell in nbformat.read(tmp_path / "out" / str(record.ipynb), 4).cells]
    assert not any(who in outputs_ for outputs_ in outputs for who in ("mona@", "karim@", "rana@", "10.9.8.7"))
