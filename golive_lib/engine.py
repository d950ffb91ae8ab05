"""Papermill's engine with a kernel of its own sockets and log, and the notebook kept in every case."""

from __future__ import annotations

import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from golive_lib.bounds import EACH, EXTENSION, PRINTED, WHOLE, Allowance
from golive_lib.deadline import deadline
from golive_lib.kernels import provision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jupyter_client.manager import KernelManager
    from nbformat import NotebookNode
    from papermill.engines import NotebookExecutionManager

    from golive_lib.warm_kernels import WarmKernels

NAME = "golive"


def _allowance(left: int = WHOLE) -> Allowance:
    """Return what a cell may send: more than a kernel that keeps to its own does."""
    return Allowance(left, 4 * PRINTED, EACH)


class _Client(PapermillNotebookClient):
    sockets: str
    said: IO[bytes]
    kernels: WarmKernels | None
    allowance: Allowance

    def execute_cell(self, cell: NotebookNode, cell_index: int, **kwargs: Any) -> NotebookNode:
        # The end of what a cell printed is held until it ends, in whatever way; an error stays the last word.
        try:
            done: NotebookNode = super().execute_cell(cell, cell_index, **kwargs)
            return done
        finally:
            if (outputs := cell.get("outputs")) is not None:
                outputs += [new_output("stream", name=name, text=text) for name, text in self.allowance.rest()]
                outputs.sort(key=lambda output: output.output_type == "error")
            self.allowance = _allowance(self.allowance.unspent())

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        # Bounded as it comes: what a cell prints by the hundred megabytes is never held.
        if msg["msg_type"] == "clear_output":
            self.allowance.again()
        if not self.allowance.passes(msg["msg_type"], msg["content"]):
            return None
        output: NotebookNode | None = super().process_message(msg, cell, cell_index)
        return output

    def create_kernel_manager(self) -> KernelManager:
        # Sockets in a private folder: nobody else can connect, and no two kernels race for a port.
        manager: KernelManager = super().create_kernel_manager()
        if sys.platform != "win32":
            manager.transport = "ipc"
            manager.ip = str(Path(self.sockets) / "kernel")
        if self.kernels:
            provision(manager, self.kernels)
        return manager

    def start_new_kernel(self, **kwargs: Any) -> None:
        if self.km.ipykernel:
            self.extra_arguments += [EXTENSION]
        # The kernel's own log would mix with ours; what a dead kernel said last is shown with its report.
        super().start_new_kernel(**kwargs, stdout=self.said, stderr=self.said)


class GoliveEngine(NBClientEngine):
    """Runs a notebook cell by cell; ``keep`` gets the notebook at the start, ``on_cell`` each cell's index.

    ``kernels`` gives a kernel by a fork; without it one is started anew. ``timeout_s`` bounds the whole run.
    """

    @classmethod
    def execute_managed_notebook(cls, nb_man: NotebookExecutionManager, kernel_name: str, **kwargs: Any) -> None:
        """Execute the notebook in place; raises DeadKernelError when its kernel dies, TimeoutError past the limit."""
        keep: Callable[[NotebookNode], None] = kwargs.pop("keep")
        on_cell: Callable[[int], None] = kwargs.pop("on_cell")
        kernels: WarmKernels | None = kwargs.pop("kernels", None)
        timeout: float | None = kwargs.pop("timeout_s", None)
        keep(nb_man.nb)
        with tempfile.TemporaryDirectory(prefix="golive-") as sockets, tempfile.TemporaryFile() as said:
            client = _Client(
                nb_man,
                kernel_name=kernel_name,
                startup_timeout=kwargs["start_timeout"],
                log_output=False,
                on_cell_start=lambda cell, cell_index: on_cell(cell_index),  # noqa: ARG005  nbclient calls by keyword
            )
            client.sockets, client.said, client.kernels, client.allowance = sockets, said, kernels, _allowance()
            try:
                with _loop_of_its_own(), deadline(lambda: client.km, timeout):
                    client.execute()
            except DeadKernelError:
                said.seek(0)
                lines = said.read().decode(errors="replace").strip().splitlines()
                raise DeadKernelError(lines[-1] if lines else "") from None


@contextmanager
def _loop_of_its_own() -> Iterator[None]:
    """Close the event loop that nbclient leaves open in every thread but the main one, where others may use it."""
    try:
        yield
    finally:
        if threading.current_thread() is not threading.main_thread():
            ensure_event_loop().close()


papermill_engines.register(NAME, GoliveEngine)
