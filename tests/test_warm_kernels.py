"""Kernels forked from a warmed process: real ones, like plain ones in all but their start, and never orphans."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from golive_lib.reports import Run, execute
from golive_lib.warm_kernels import WarmKernels, warm_kernels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from golive_lib.records import RunRecord

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux alone")
DEADLINE_S = 60
GREEN = """
from datetime import UTC, datetime
from golive_lib import Outcome, Status, Verdict, views
from golive_lib.show import Html
outcome = Outcome(Verdict.GO, Status.GREEN, "Fine.", datetime(2026, 3, 25, tzinfo=UTC), False, "UTC")
views.Finding(outcome, Html("<p>Fine.</p>", "Fine."), told)
"""
TOLD = """
import os, sys, threading
import numpy as np
told = {
    "cwd": os.getcwd(), "path": sys.path[:2], "argv": len(sys.argv), "name": __name__, "mark": os.environ.get("MARK"),
    "file": "__file__" in globals(), "stdin": sys.stdin.read(), "session": os.getsid(0) == os.getpid(),
    "draw": float(np.random.random()), "pid": os.getpid(),
}
"""


def made(folder: Path, *cells: str, kernel: str = "python3") -> Path:
    """Write a notebook of these cells."""
    first = new_code_cell("n: int = 1  # how many", metadata={"tags": ["parameters"]})
    spec = {"name": kernel, "display_name": kernel, "language": "python"}
    path = folder / "made.ipynb"
    nbformat.write(new_notebook(cells=[first, *map(new_code_cell, cells)], metadata={"kernelspec": spec}), path)
    return path


def told(outputs: Path, record: RunRecord) -> dict[str, object]:
    """Return what a kernel told of itself."""
    assert record.error is None
    found: dict[str, object] = json.loads((outputs / record.run_id / "judged.json").read_text())
    return found


def gone(pid: int) -> bool:
    """Wait until a process has ended; say whether it did."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        os.sched_yield()
    return False


@pytest.fixture
def server() -> Iterator[WarmKernels]:
    """Run a server of its own."""
    kernels = WarmKernels()
    yield kernels
    kernels.close()


def test_a_forked_kernel_is_like_a_plain_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folder, path, environment and session are those of a kernel started anew."""
    monkeypatch.setenv("MARK", "this one")
    path = made(tmp_path, TOLD, GREEN)
    plain = told(tmp_path, execute(Run(path, {}, "", tmp_path)))
    forked = told(tmp_path, execute(Run(path, {}, "", tmp_path), kernels=warm_kernels()))
    apart = ("draw", "pid")
    assert {k: v for k, v in forked.items() if k not in apart} == {k: v for k, v in plain.items() if k not in apart}


def test_forks_do_not_draw_the_same_numbers(tmp_path: Path, server: WarmKernels) -> None:
    """Each kernel has its own random numbers, though all come from one process."""
    path = made(tmp_path, TOLD, GREEN)
    draws = [told(tmp_path, execute(Run(path, {}, "", tmp_path), kernels=server))["draw"] for _ in range(2)]
    assert draws[0] != draws[1]


def test_many_at_once_stay_apart(tmp_path: Path, server: WarmKernels) -> None:
    """Reports made at the same time each have a kernel of their own and its own values."""
    path = made(tmp_path, "import os\ntold = {'n': n, 'pid': os.getpid()}", GREEN)
    with ThreadPoolExecutor(6) as threads:
        records = list(threads.map(lambda n: execute(Run(path, {"n": n}, "", tmp_path), kernels=server), range(6)))
    found = [told(tmp_path, record) for record in records]
    assert [each["n"] for each in found] == list(range(6))
    assert len({each["pid"] for each in found}) == 6


def test_the_server_has_one_thread_of_python_and_no_connection(tmp_path: Path, server: WarmKernels) -> None:
    """Nothing stands in the way of a fork: no thread that holds a lock, and no socket but the one it serves."""
    execute(Run(made(tmp_path, "told = {}", GREEN), {}, "", tmp_path), kernels=server)
    process = psutil.Process(server._process.pid)
    names = {
        (Path("/proc") / str(server._process.pid) / "task" / str(thread.id) / "comm").read_text()
        for thread in process.threads()
    }
    # Arrow's allocator, where that is installed, has a thread that steps aside for a fork.
    assert {name.strip().rstrip("3") for name in names} - {"jemalloc_bg_thd"} == {"python"}
    assert process.net_connections() == []


def test_a_killed_server_is_replaced_by_plain_kernels(tmp_path: Path, server: WarmKernels) -> None:
    """The fall-back is the usual way, not a failed run."""
    os.kill(server._process.pid, signal.SIGKILL)
    assert gone(server._process.pid)
    record = execute(Run(made(tmp_path, "told = {}", GREEN), {}, "", tmp_path), kernels=server)
    assert (record.verdict, record.error) == ("go", None)


def test_closing_the_server_ends_its_kernels_and_publishes_nothing(tmp_path: Path) -> None:
    """A run that is stopped leaves neither a kernel nor a report."""
    kernels = WarmKernels()
    path = made(
        tmp_path, f"import os, time\nopen({str(tmp_path / 'up')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    )
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(execute, Run(path, {}, "", tmp_path / "out"), kernels=kernels)
        pid = _written(tmp_path / "up")
        kernels.close()
        assert "stopped; nothing was written" in str(running.exception(DEADLINE_S))
    assert gone(pid)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_kernel_outlives_the_command(tmp_path: Path, number: signal.Signals) -> None:
    """However the command ends, even killed, its kernels and their server end too."""
    (tmp_path / "notebooks").mkdir()
    made(tmp_path / "notebooks", "import os, time\nopen('up', 'w').write(f'{os.getpid()}')\ntime.sleep(600)")
    (tmp_path / "launch.toml").write_text('name = "x"\ntimezone = "UTC"\n[kpis]\n')
    command = [sys.executable, "-m", "golive_lib", "run", "made", "--db-url", "postgresql://u@h/d"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        kernel = _written(tmp_path / "up")
        server = psutil.Process(kernel).ppid()
        process.send_signal(number)
        process.wait(DEADLINE_S)
    assert gone(kernel)
    assert gone(server)


def _written(path: Path) -> int:
    """Wait for a number in a file."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        if path.exists() and (text := path.read_text()):
            return int(text)
        os.sched_yield()
    pytest.fail(f"{path} was not written")
