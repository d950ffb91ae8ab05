"""A process that has imported everything a notebook needs, and forks a kernel for whoever asks; Linux alone.

Run as ``python -m golive_lib.kernel_server FD``, where FD is a socket of whole messages. A request is a JSON object
with the kernel's ``argv``, ``env`` and ``cwd``, and the descriptor that takes what the kernel says; the answer is the
kernel's process id. The process has one thread and no connection to any database, so that a fork is whole. When the
socket closes, or this process ends in whatever way, its kernels are killed.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import Any, NoReturn

PRELOADED = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.debugger",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "plotly.graph_objs.bar",
    "plotly.graph_objs.scatter",
    "plotly.io._json",
    "golive_lib.charts",
    "golive_lib.views",
)
OPTIONS = (
    "--IPKernelApp.extra_extensions=golive_lib.shells",  # the kit was imported before there was a shell
    "--HistoryManager.enabled=False",  # a run is nothing that somebody typed
)
# What some notebooks need too: loaded when nobody waits for a kernel.
LATER = (
    "golive_lib.launch",
    "golive_lib.kpi_charts",
    "golive_lib.stage_views",
    "golive_lib.proof_views",
    "golive_lib.aftercare_views",
    "golive_lib.forecasts",
    "scipy.special",
)
LARGEST = 1 << 20  # bytes of a request: an environment may be long
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


def serve(channel: socket.socket) -> None:
    """Fork a kernel for each request until the other end is closed, then kill those that are left."""
    kernels: set[int] = set()
    later = list(LATER)
    while True:
        if later and not select.select([channel], [], [], 0)[0]:
            importlib.import_module(later.pop(0))
            gc.freeze()
            continue
        message, files, _, _ = socket.recv_fds(channel, LARGEST, 1)
        if not message:
            break
        kernels = {kernel for kernel in kernels if not _ended(kernel)}
        kernel = os.fork()
        if kernel == 0:
            _become_kernel(channel, json.loads(message), files[0])
        kernels.add(kernel)
        os.close(files[0])
        channel.send(str(kernel).encode())
    for kernel in kernels:
        with suppress(ProcessLookupError):
            os.killpg(kernel, signal.SIGKILL)


def _ended(kernel: int) -> bool:
    try:
        return os.waitpid(kernel, os.WNOHANG)[0] == kernel
    except ChildProcessError:
        return True


def _become_kernel(channel: socket.socket, asked: dict[str, Any], said: int) -> NoReturn:
    """Turn this fork into a kernel as ``python -m ipykernel_launcher`` would start it."""
    status = 1
    try:
        channel.close()
        os.setsid()  # so that the kernel and what it starts can be stopped as one
        server = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        for each in INTERRUPTS:
            signal.signal(each, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.environ.clear()
        # The kernel ends with its parent, which is this server and not whoever asked for it.
        os.environ.update(asked["env"] | {"JPY_PARENT_PID": str(server)})
        os.chdir(asked["cwd"])
        sys.argv[1:] = asked["argv"]
        if sys.path[0] in {"", asked["cwd"]}:  # as the launcher does: a file beside the notebook hides no library
            del sys.path[0]
        gc.unfreeze()
        gc.enable()
        _launch(asked["argv"])
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _launch(argv: list[str]) -> None:
    import numpy as np  # noqa: PLC0415  loaded before the fork
    from ipykernel.kernelapp import IPKernelApp  # noqa: PLC0415  likewise

    np.random.seed()  # noqa: NPY002  of forks, each needs its own beginning; a notebook may use this one
    IPKernelApp.launch_instance(argv=[*argv, *OPTIONS])


def _draw() -> None:
    """Draw one chart: plotly loads most of itself only then."""
    from golive_lib.charts import figure, limit_line  # noqa: PLC0415  what is preloaded is listed in one place

    chart = figure(title="", x_title="", y_title="", height=100)
    chart.add_scatter(x=[0, 1], y=[0, 1], name="", mode="lines")
    limit_line(chart, 1, "")
    chart.to_plotly_json()


def main() -> None:
    """Import what notebooks need, then serve; an interruption is for whoever asked to handle."""
    for each in INTERRUPTS:
        signal.signal(each, signal.SIG_IGN)
    gc.disable()  # nearly nothing of what is imported is garbage
    sys.modules["debugpy"] = None  # type: ignore[assignment]  # nobody debugs a run, and it takes a fifth of a second
    for module in PRELOADED:
        importlib.import_module(module)
    del sys.modules["debugpy"]
    _draw()
    gc.freeze()  # what is there now stays in memory shared by all kernels
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        serve(channel)
    os._exit(0)  # there is nothing to tidy up, and to take all those modules apart takes a tenth of a second


if __name__ == "__main__":
    main()
