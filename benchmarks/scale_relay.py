"""A relay before the embedded PostgreSQL, which counts the bytes that come from the server."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from golive_lib.demo.server import PORT, DemoServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Relay(socketserver.ThreadingUnixStreamServer):
    """The relay's side towards clients; ``received`` bytes came from the server."""

    def __init__(self, folder: Path, server: DemoServer) -> None:
        super().__init__(str(folder / f".s.PGSQL.{PORT}"), _Connection)
        self.folder, self.behind, self.received = folder, server.socket / f".s.PGSQL.{PORT}", 0

    def url(self, database: str) -> str:
        """Return the read-only role's address through this relay."""
        return DemoServer(self.folder).url(database)


class _Connection(socketserver.BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as behind:
            behind.connect(str(self.server.behind))
            up = threading.Thread(target=_pump, args=(self.request, behind))
            up.start()
            self.server.received += _pump(behind, self.request)
            up.join()


def _pump(source: socket.socket, target: socket.socket) -> int:
    total = 0
    with suppress(ConnectionError):  # a client may hang up
        while data := source.recv(1 << 16):
            target.sendall(data)
            total += len(data)
        target.shutdown(socket.SHUT_WR)
    return total


@contextmanager
def relay(server: DemoServer, folder: Path) -> Iterator[Relay]:
    """Stand before a server, with a socket in a new folder; what is counted is complete when the context ends."""
    folder.mkdir(exist_ok=True)
    with Relay(folder, server) as standing:
        accepting = threading.Thread(target=standing.serve_forever)
        accepting.start()
        try:
            yield standing
        finally:
            standing.shutdown()
            accepting.join()
