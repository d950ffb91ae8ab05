"""A real Spark of several processes: a Spark Connect server whose workers are processes of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from plant import free_port
from servers import absent

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = "GOLIVE_SPARK_HOME"  # a full PySpark's folder, which is in no virtual environment of the kit's
CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"
EXECUTOR = b"CoarseGrainedExecutorBackend"
ATTEMPTS = 900
EVENTS = "events"  # a folder, in which the server writes what it begins as it begins it
JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # processes that live for minutes compile little


@dataclass(frozen=True)
class SparkServer:
    """A running Spark Connect server: its port, its process, and the folder of its log and scratch files."""

    port: int
    pid: int
    folder: Path

    @property
    def address(self) -> str:
        """Where a client connects."""
        return f"sc://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """Kill it with its workers, as a cluster that goes away does."""
        os.killpg(self.pid, signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it without a word, as a machine that hangs does."""
        os.killpg(self.pid, signal.SIGSTOP)

    def began(self, about: str) -> bool:
        """Tell whether it has begun a question whose plan says this."""
        return any(about in path.read_text() for path in (self.folder / EVENTS).rglob("*") if path.is_file())

    def executors(self) -> list[int]:
        """Return the processes that do the work, as they run now."""
        return sorted(int(path.name) for path in Path("/proc").glob("[0-9]*") if _is_executor(path, self.pid))

    def kill_executor(self) -> int:
        """Kill one with SIGKILL, as a machine that goes away does, and return which it was."""
        pid = self.executors()[0]
        os.kill(pid, signal.SIGKILL)
        return pid


def _is_executor(process: Path, group: int) -> bool:
    with suppress(OSError):  # it may end while it is looked at
        return EXECUTOR in (process / "cmdline").read_bytes() and os.getpgid(int(process.name)) == group
    return False


@contextmanager
def spark_connect(folder: Path, workers: int = 2) -> Iterator[SparkServer]:
    """Run Spark Connect over workers of one core each."""
    home = os.environ.get(HOME)
    if not home:
        absent(f"{HOME} names no PySpark with its server; CI installs one")
    port = free_port()
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.connect.progress.reportInterval": "100ms",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": JVM,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": str(folder / EVENTS),
        "spark.eventLog.enabled": "true",
        "spark.executor.extraJavaOptions": JVM,
        "spark.local.dir": str(folder / "local"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.ui.enabled": "false",
    }
    (folder / EVENTS).mkdir()
    given = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    master = ["--master", f"local-cluster[{workers},1,1024]", "--class", CLASS]
    die = ["setpriv", "--pdeathsig", "KILL"]  # with the tests, however they end; its workers follow
    command = [*die, f"{home}/bin/spark-submit", *master, *given, "spark-internal"]
    env = {**os.environ, "SPARK_HOME": home, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_WORKER_DIR": str(folder / "work")}
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True) as process,
    ):
        try:
            _wait_for(port, process, folder / "log")
            yield SparkServer(port, process.pid, folder)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # the workers are of its session


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server listens, or has ended; between attempts it is the process that is waited for."""
    for _ in range(ATTEMPTS):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.2)
            break
    pytest.fail(f"Spark Connect does not listen: {log.read_text()[-2000:]}")
