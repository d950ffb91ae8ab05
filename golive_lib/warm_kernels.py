"""Kernels forked from one warmed process instead of started anew, with plain ones where that cannot be."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from typing import IO

_SERVER = "golive_lib.kernel_server"


class WarmKernels:
    """The process that forks kernels; safe to ask from several threads."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module
                [sys.executable, "-m", _SERVER, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us to handle
            )
        self._channel = ours
        self._lock = threading.Lock()
        self._kernels: list[ForkedKernel] = []
        self.closed = False

    def fork(self, argv: list[str], env: dict[str, str], cwd: str, said: IO[bytes]) -> ForkedKernel:
        """Return a kernel of its own process; raises OSError when the server is gone."""
        request = json.dumps({"argv": argv, "env": env, "cwd": cwd}).encode()
        with self._lock:
            socket.send_fds(self._channel, [request], [said.fileno()])
            answer = self._channel.recv(32)
        if not answer:
            raise OSError("the kernel server has ended")
        kernel = ForkedKernel(int(answer))
        self._kernels.append(kernel)
        return kernel

    def close(self) -> None:
        """End the server, and with it every kernel that is left; once is enough."""
        self.closed = True
        self._channel.close()
        if all(each.poll() is not None for each in self._kernels):  # nothing is left for it to tidy up
            self._process.kill()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@cache
def warm_kernels() -> WarmKernels | None:
    """Return this process's server of kernels, started now and kept to the end; None where there can be none."""
    if sys.platform != "linux":
        return None
    kernels = WarmKernels()
    atexit.register(kernels.close)
    return kernels


class ForkedKernel:
    """A kernel that is another process's child, with what jupyter_client needs of a ``Popen``."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)  # the number cannot be another process's before this is closed
        self._lock = threading.Lock()  # whoever closes the server asks too
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return None while it runs; its exit code is its parent's to know, so any end is 0."""
        with self._lock:
            if self.returncode is None and select.select([self._handle], [], [], 0)[0]:
                self.returncode = 0
                os.close(self._handle)
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        with self._lock:
            handle = os.dup(self._handle) if self.returncode is None else None
        if handle is not None:
            ended = select.select([handle], [], [], timeout)[0]
            os.close(handle)
            if not ended:
                raise subprocess.TimeoutExpired("kernel", timeout or 0)
        return self.poll() or 0

    def send_signal(self, signum: int) -> None:
        """Send a signal; one that has ended needs none."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signum)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)
