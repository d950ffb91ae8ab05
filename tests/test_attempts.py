"""Runs as schedulers start them: in turn, within a time, tried again after a crash, and never half-done."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_reports import GREEN, notebook, visible

from golive_lib.attempts import execute
from golive_lib.deadline import Limits
from golive_lib.errors import GoliveError, ReportError
from golive_lib.ledger import Ledger
from golive_lib.records import RUN, read_records
from golive_lib.reports import Run
from golive_lib.turns import turn
from golive_lib.verdicts import VERDICT_MIME
from golive_lib.warm_kernels import WarmKernels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from golive_lib.records import RunRecord

DATABASE = "postgres on db as somebody"
SHORT = Limits(wait=0, timeout=3.0)
TOO_LONG = "TimeoutError: the run was stopped: it took longer than 3\N{NO-BREAK SPACE}s"
RED = GREEN.replace("Verdict.GO, Status.GREEN", "Verdict.NO_GO, Status.RED")
DEAF = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(1)"
STUBBORN = "import time\nwhile True:\n    try: time.sleep(60)\n    except KeyboardInterrupt: pass"
LATE = f"import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: pass\n{GREEN}"
HOLDS = """
import sys, time
from pathlib import Path
from golive_lib.reports import Run
from golive_lib.turns import turn
run = Run(Path(sys.argv[1]), {}, "postgres on db as somebody else", Path(sys.argv[2]), launch="A")
with turn(run, 0, say=print):
    print("held", flush=True)
    sys.stdin.read()
"""


def run(path: Path, outputs: Path, limits: Limits, said: list[str] | None = None) -> RunRecord:
    """Execute a notebook within limits, without rests between its attempts."""
    told = said if said is not None else []
    return execute(Run(path, {}, DATABASE, outputs, launch="A"), limits=limits, say=told.append, pause=0)


@contextmanager
def another(path: Path, outputs: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the turn of a notebook."""
    command = [sys.executable, "-c", HOLDS, str(path), str(outputs)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.parametrize("cell", [DEAF, STUBBORN, LATE], ids=["ignores SIGINT", "goes on", "green, but late"])
def test_a_run_past_its_time_is_stopped_and_kept(tmp_path: Path, cell: str) -> None:
    """Whatever a cell does with the interruption, the run ends as failed with its pages and the reason on top."""
    record = run(notebook(tmp_path, "print('so far')", cell), tmp_path / "out", SHORT)
    page = (tmp_path / "out" / str(record.html)).read_text()
    assert (record.state, record.verdict, record.exit_code) == ("failed", None, 1)
    assert record.error == TOO_LONG
    assert record.error in page
    assert "so far" in page
    assert "so far" in (tmp_path / "out" / str(record.ipynb)).read_text()


def test_where_a_run_hung_is_in_its_report(tmp_path: Path) -> None:
    """A cell that obeys the interruption shows the line at which it stood."""
    record = run(notebook(tmp_path, "import time\nwhile True: time.sleep(60)", GREEN), tmp_path / "out", SHORT)
    assert record.error == TOO_LONG
    assert "KeyboardInterrupt" in (tmp_path / "out" / str(record.ipynb)).read_text()


def test_a_forked_kernel_past_its_time_ends_with_what_it_started(tmp_path: Path) -> None:
    """The limit holds for kernels from the server too, and a process of the cell does not outlive it."""
    cell = f"import subprocess\nchild = subprocess.Popen(['sleep', '600'])\nprint('child', child.pid)\n{DEAF}"
    kernels = WarmKernels()
    try:
        made = Run(notebook(tmp_path, cell), {}, DATABASE, tmp_path / "out")
        record = execute(made, limits=SHORT, kernels=kernels)
    finally:
        kernels.close()
    words = (tmp_path / "out" / str(record.ipynb)).read_text()
    child = int(words.partition("child ")[2].split("\\n")[0])
    assert record.error == TOO_LONG
    state = Path(f"/proc/{child}/stat")  # a zombie has ended; only nobody has asked for its code yet
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_crash_is_tried_again_and_each_attempt_recorded(tmp_path: Path) -> None:
    """A second attempt that succeeds gives the verdict; the first stays on record as failed."""
    seen = tmp_path / "seen"
    flaky = f"import pathlib\nseen = pathlib.Path({str(seen)!r})\nfirst = not seen.exists()\nseen.touch()\n"
    flaky += "assert not first"
    said: list[str] = []
    record = run(notebook(tmp_path, flaky, GREEN), tmp_path / "out", Limits(retries=2), said)
    found = [(each.state, each.attempt) for each in read_records(tmp_path / "out")]
    assert (record.verdict, found) == ("go", [("failed", 1), ("finished", 2)])
    assert said[0].startswith("made: attempt 1 of 3 failed (AssertionError")


def test_attempts_end(tmp_path: Path) -> None:
    """What always crashes has crashed after as many tries as were allowed."""
    record = run(notebook(tmp_path, "1 / 0"), tmp_path / "out", Limits(retries=1))
    assert (record.exit_code, record.attempt, len(read_records(tmp_path / "out"))) == (1, 2, 2)


def test_a_verdict_is_never_tried_again(tmp_path: Path) -> None:
    """A no-go is a result, however many retries are allowed."""
    record = run(notebook(tmp_path, RED), tmp_path / "out", Limits(retries=5))
    assert (record.verdict, record.exit_code, len(read_records(tmp_path / "out"))) == ("no-go", 4, 1)


def test_what_is_withheld_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that shows a secret would show it the next time too."""
    monkeypatch.setenv("GOLIVE_DB_URL", "postgresql://u:hush-hush-42@h/d")
    leaky = notebook(tmp_path, "import os; os.environ['GOLIVE_DB_URL']", GREEN)
    record = run(leaky, tmp_path / "out", Limits(retries=5))
    assert ("withheld" in record.sentence, len(read_records(tmp_path / "out"))) == (True, 1)


def test_a_second_run_refuses_and_names_the_first(tmp_path: Path) -> None:
    """Without waiting it says which process holds the turn since when, and runs nothing."""
    path = notebook(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')", GREEN)
    with another(path, tmp_path / "out") as first, pytest.raises(ReportError) as caught:
        run(path, tmp_path / "out", Limits(wait=0))
    assert f"made already runs for this launch on {DATABASE}: process {first.pid} since 2" in str(caught.value)
    assert (tmp_path / "ran").exists() is False
    assert visible(tmp_path / "out") == []


def test_a_second_run_waits_for_the_first(tmp_path: Path) -> None:
    """By default it says for whom it waits, and runs when the turn is free."""
    path = notebook(tmp_path, GREEN)
    with another(path, tmp_path / "out") as first:

        def let_go(_: str) -> None:
            assert first.stdin is not None
            first.stdin.close()

        made = Run(path, {}, DATABASE, tmp_path / "out", launch="A")
        record = execute(made, limits=Limits(wait=60), say=let_go)
    assert record.verdict == "go"


def test_the_turn_of_a_dead_process_is_free(tmp_path: Path) -> None:
    """A killed run blocks nobody, though it left its files."""
    path = notebook(tmp_path, GREEN)
    with another(path, tmp_path / "out") as first:
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert run(path, tmp_path / "out", Limits(wait=0)).verdict == "go"


@pytest.mark.parametrize(
    "other", [Run(Path("x.ipynb"), {}, DATABASE, Path()), Run(Path("made.ipynb"), {}, "other as me", Path())]
)
def test_other_notebooks_and_databases_do_not_wait(tmp_path: Path, other: Run) -> None:
    """Turns are of one notebook for one launch on one database, whoever is connected."""
    one, two = (Run(each.notebook, {}, each.database, tmp_path, launch="A") for each in (RUN_OF_MADE, other))
    with turn(one, 0, say=print), turn(two, 0, say=print):
        pass


RUN_OF_MADE = Run(Path("made.ipynb"), {}, DATABASE, Path())


def test_two_schedulers_at_once_run_one_after_the_other(tmp_path: Path) -> None:
    """Two command lines at the same moment: two runs that do not overlap, one ledger and one index with both."""
    (tmp_path / "notebooks").mkdir()
    alone = f"import time; from pathlib import Path\none = Path({str(tmp_path / 'one')!r})\none.touch(exist_ok=False)\n"
    alone += "time.sleep(0.5)\none.unlink()"
    notebook(tmp_path / "notebooks", alone, GREEN)
    (tmp_path / "launch.toml").write_text('name = "x"\ntimezone = "UTC"\n[kpis]\n')
    command = [sys.executable, "-m", "golive_lib", "run", "made", "--db-url", "postgresql://u@h/d", "--wait", "2m"]
    running = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    records = read_records(tmp_path / "outputs")
    index = (tmp_path / "outputs" / "index.html").read_text()
    assert [record.verdict for record in records] == ["go", "go"]
    assert all(str(record.html) in index for record in records)
    assert Ledger(tmp_path / "outputs").audit().faults == ()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of one megabyte."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_said_and_nothing_is_half_done(tmp_path: Path, tiny_disk: Path) -> None:
    """A report that does not fit leaves no folder and no record, and never a green."""
    big = notebook(tmp_path, "from IPython.display import HTML\nHTML('x' * 2_000_000)", GREEN)
    with pytest.raises(GoliveError, match="the report could not be written: No space left on device"):
        run(big, tiny_disk, Limits())
    assert visible(tiny_disk) == []
    assert Ledger(tiny_disk).entries(RUN) == ()
    small = run(notebook(tmp_path, GREEN), tiny_disk, Limits())
    assert (small.verdict, Ledger(tiny_disk).audit().faults) == ("go", ())


def test_a_file_size_limit_is_said_too(tmp_path: Path) -> None:
    """Where the system lets no large file be written, the run is an error with its reason."""
    path = notebook(tmp_path, "print('x' * 200_000)", GREEN)
    code = (
        "import resource, signal, sys; from pathlib import Path; from golive_lib.reports import Run, execute\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "execute(Run(Path(sys.argv[1]), {}, 'a database', Path(sys.argv[2])))"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert "the report could not be written: File too large" in done.stderr
    assert visible(tmp_path / "out") == []


def test_outputs_that_are_read_only_are_said_before_anything_runs(tmp_path: Path) -> None:
    """As a user who may not write there: the folder is named, and no cell runs."""
    path = notebook(tmp_path, GREEN)
    if os.geteuid():
        (tmp_path / "out").mkdir(mode=0o555)
    else:
        mount_read_only(tmp_path / "out")
    try:
        with pytest.raises(ReportError, match="reports cannot be written there"):
            run(path, tmp_path / "out", Limits())
    finally:
        if not os.geteuid():
            subprocess.run(["umount", str(tmp_path / "out")], check=False)


def mount_read_only(folder: Path) -> None:
    """Make a folder that even root cannot write in."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], check=False).returncode:
        pytest.skip("this machine lets nobody mount a read-only disk")


@pytest.mark.parametrize(
    ("cells", "code", "said"),
    [
        ([GREEN], 0, "go: Fine."),
        ([RED], 4, "no-go: Fine."),
        (["1 / 0", GREEN], 1, "ZeroDivisionError: division by zero"),
        (["import sys; sys.exit(0)", GREEN], 1, "SystemExit: 0"),
        (["1"], 1, "finished with no verdicts"),
    ],
)
def test_papermills_result_gets_its_exit_code(tmp_path: Path, cells: list[str], code: int, said: str) -> None:
    """``golive verdict`` reads what plain papermill left, a crash and an early exit included."""
    executed = tmp_path / "executed.ipynb"
    subprocess.run(
        [sys.executable, "-m", "papermill", str(notebook(tmp_path, *cells)), str(executed)],
        capture_output=True,
        check=False,
    )
    done = subprocess.run(
        [sys.executable, "-m", "golive_lib", "verdict", str(executed)],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "200"},
        check=False,
    )
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True)
    assert VERDICT_MIME not in done.stdout
