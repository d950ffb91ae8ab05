"""How papermill's client gets its kernel: a fork of the warmed server, or a plain process where that cannot be."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

if TYPE_CHECKING:
    from jupyter_client.connect import KernelConnectionInfo
    from jupyter_client.manager import KernelManager

    from golive_lib.warm_kernels import WarmKernels

_PLAIN = [sys.executable, "-m", "ipykernel_launcher"]
_SOCKETS = 5  # shell, iopub, stdin, heartbeat, control
_LOOK_EVERY_S = 0.005
_ENDS_WITHIN_S = 1.0  # usually; then it is waited for as ever


class ForkProvisioner(LocalProvisioner):
    """jupyter_client's way to a kernel, by a fork when the kernel is this interpreter's own."""

    warm: WarmKernels

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel, or start a plain one when it is another's or the server is gone."""
        said, env = kwargs.get("stdout"), kwargs.get("env")
        if cmd[: len(_PLAIN)] != _PLAIN or said is None or env is None:
            return await super().launch_kernel(cmd, **kwargs)
        cwd = str(kwargs.get("cwd") or Path.cwd())
        try:
            kernel = self.warm.fork(cmd[len(_PLAIN) :], env, cwd, said)
        except OSError:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = kernel  # type: ignore[assignment]  # it has what is used of a Popen
        self.pid = self.pgid = kernel.pid
        self.cwd = Path(cwd)
        # A client that connects too early tries again only a tenth of a second later.
        sockets = Path(self.connection_info["ip"])
        while kernel.poll() is None and len(list(sockets.parent.glob(f"{sockets.name}-*"))) < _SOCKETS:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_EVERY_S)
        return self.connection_info

    async def shutdown_requested(self, restart: bool = False) -> None:  # noqa: ARG002  jupyter_client's
        """Wait for the end that was asked for: jupyter_client itself would look only every tenth of a second."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _ENDS_WITHIN_S
        while self.process and self.process.poll() is None and loop.time() < end:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_EVERY_S)


class ForkClient(AsyncKernelClient):
    """A client of a kernel whose sockets are there: nothing is waited for but its first answer."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  jupyter_client's
        """Wait as jupyter_client does, without its pause for messages that were sent before."""
        loop = asyncio.get_running_loop()
        end = loop.time() + (timeout or float("inf"))
        while loop.time() < end:
            self.kernel_info()
            try:
                reply = await self.shell_channel.get_msg(timeout=1)
                await self.iopub_channel.get_msg(timeout=0.2)  # proves that this channel is connected
            except Empty:
                if not await self._async_is_alive():
                    raise RuntimeError("the kernel died before it answered") from None
                continue
            self._handle_kernel_info_reply(reply)
            return
        raise RuntimeError(f"the kernel did not answer in {timeout} seconds")


def provision(manager: KernelManager, warm: WarmKernels) -> None:
    """Let a kernel manager fork its kernel."""
    manager.provisioner = ForkProvisioner(kernel_id="golive", kernel_spec=manager.kernel_spec, parent=manager)
    manager.provisioner.warm = warm
    manager.client_factory = ForkClient
