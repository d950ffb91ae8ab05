"""A TCP proxy in front of a server's Unix socket that cuts the connection as COMMIT goes by."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from golive_lib.demo.server import PORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from golive_lib.demo import DemoServer

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
TERMINATE = b"X\x00\x00\x00\x04"


def _end(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Proxy:
    """Passes bytes on in both directions; cuts the first connection that commits, before or after the server knows."""

    def __init__(self, server: DemoServer, *, forwarding: bool, then_down: bool) -> None:
        self._target = str(server.socket / f".s.PGSQL.{PORT}")
        self._forwarding, self._then_down = forwarding, then_down
        self.cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.cut and self._then_down:
                client.close()
                continue
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect(self._target)
            lost = threading.Event()
            for work in (self._ask, self._answer):
                thread = threading.Thread(target=work, args=(client, upstream, lost))
                thread.start()
                self._threads.append(thread)

    def _ask(self, client: socket.socket, upstream: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if COMMIT in data and not self.cut:
                    self.cut = True
                    lost.set()
                    if self._forwarding:  # the server commits and ends; nobody hears of it
                        upstream.sendall(data + TERMINATE)
                        return
                    break
                upstream.sendall(data)
        _end(upstream)

    def _answer(self, client: socket.socket, upstream: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while data := upstream.recv(65536):
                if not lost.is_set():
                    client.sendall(data)
        _end(client, upstream)
        client.close()
        upstream.close()

    def close(self) -> None:
        """Stop listening and wait for every thread."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()


@contextmanager
def cutting(server: DemoServer, *, forwarding: bool, then_down: bool = False) -> Iterator[Proxy]:
    """Run a proxy as long as the context lasts."""
    proxy = Proxy(server, forwarding=forwarding, then_down=then_down)
    try:
        yield proxy
    finally:
        proxy.close()
