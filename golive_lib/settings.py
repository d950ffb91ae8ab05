"""What the environment says: the database's address and the output folder, with secrets masked."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from dotenv import dotenv_values

from golive_lib.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

DB_URL = "GOLIVE_DB_URL"
PLAN = "GOLIVE_PLAN"
OUTPUTS = "GOLIVE_OUTPUTS"
BACKUPS = "GOLIVE_BACKUPS"
ARCHIVE = "GOLIVE_ARCHIVE"
ADMIN_URL = "GOLIVE_ADMIN_DB_URL"
BACKUP_URL = "GOLIVE_BACKUP_DB_URL"
SCRATCH_URL = "GOLIVE_SCRATCH_DB_URL"
PG_BIN = "GOLIVE_PG_BIN"
SPARK_TOKEN = "GOLIVE_SPARK_TOKEN"  # noqa: S105  the variable's name
DEMO_SCHEME = "demo:"
_SHAPE = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"
_SCHEME = re.compile(r"(?i:postgres|postgresql)(?:\+psycopg)?://(?P<rest>.*)", re.DOTALL)
_HOST = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[^:/\[\]]*)(?::(?P<port>\d*))?(?:/(?P<database>.*))?", re.DOTALL)
_SUPABASE = re.compile(
    r".*@db\.(?P<direct>[a-z0-9]+)\.supabase\.co|[^@]+\.(?P<pooled>[a-z0-9]+)@[a-z0-9.-]+\.pooler\.supabase\.com"
)
_SPARK_PLAIN = {"archive", "use_ssl", "user_id", "user_agent", "session_id"}
_MAX_PORT = 65535
_SHORTEST_SCRUBBED = 4


class Secret:
    """A text that never shows itself: its repr and str are dots."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text; hand it to a driver, never to a screen."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('•••')"

    __str__ = __repr__


@dataclass(frozen=True)
class DatabaseUrl:
    """A database's address in parts; only ``password`` is secret, and its repr shows none of it."""

    user: str
    password: Secret | None
    host: str
    port: int | None
    database: str
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        place = self._place or "this machine"
        return f"{self.database or 'postgres'} on {place} as {self.user or 'the default role'}"

    @property
    def _place(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host

    @property
    def identity(self) -> str:
        """Say which database this is, whoever asks and through whichever pooler: what manifests are filed under.

        Supabase's poolers serve many projects from one host, and one project from several hosts and ports: there the
        project's ref says it. Elsewhere it is the host, or the socket's folder, with the port.
        """
        name = self.database or self.user or "postgres"
        if project := _SUPABASE.fullmatch(f"{self.user}@{self.host}"):
            return f"{name} of Supabase project {project['direct'] or project['pooled']}"
        given = dict(self.options)
        return f"{name} on {self.host or given.get('host') or 'this machine'}:{self.port or given.get('port') or 5432}"

    def scrub(self, text: str) -> str:
        """Return the text without the password in any of its spellings; one of a letter or two would scrub words."""
        plain = self.password.reveal() if self.password else ""
        if len(plain) < _SHORTEST_SCRUBBED:
            return text
        for spelling in sorted({plain, quote(plain, safe=""), quote_plus(plain)}, key=len, reverse=True):
            text = text.replace(spelling, "•••")
        return text

    def environment(self) -> str:
        """Return the address as one URL with everything encoded, for a child process's environment."""
        password = f":{quote(self.password.reveal(), safe='')}" if self.password else ""
        query = "&".join(f"{key}={quote(value, safe='')}" for key, value in self.options)
        authority = f"{quote(self.user, safe='')}{password}@{self._place}"
        return f"postgresql://{authority}/{quote(self.database, safe='')}{'?' + query if query else ''}"


def spark_secrets(address: str) -> list[str]:
    """Return what a Spark Connect address may hold of secrets, as written and decoded: the client sends each option."""
    options = (option.partition("=") for option in address.split(";")[1:]) if address.startswith("sc://") else ()
    values = [value for name, _, value in options if value and name not in _SPARK_PLAIN]
    return [*values, *(decoded for value in values if (decoded := unquote(value)) != value)]


def place_of(database: str) -> str:
    """Return a database's address as records tell it, without who was connected."""
    place, connected, _ = database.rpartition(" as ")
    return place if connected else database  # an archive is asked by nobody in particular


def is_url(text: str) -> bool:
    """Say whether a text begins like a database URL."""
    return bool(_SCHEME.match(text.strip()))


def is_demo(url: str) -> bool:
    """Say whether a database URL names a story of the demo, as ``demo:healthy`` does."""
    return url.startswith(DEMO_SCHEME)


def parse_url(text: str) -> DatabaseUrl:
    """Read a database URL; ``postgres://`` is the same, and a password may hold ``@ / # %`` as they are.

    The last ``@`` before the host ends the password. It is percent-decoded when it reads as encoded (no bare
    ``@ / # ?`` and every ``%`` begins an escape), and taken literally otherwise. Raises SettingsError, which never
    quotes the text: it may hold the password.
    """
    match = _SCHEME.fullmatch(text.strip())
    if not match:
        scheme = text.split("://", 1)[0] if "://" in text else ""
        seen = f"begins with {scheme!r}" if re.fullmatch(r"[a-z][a-z0-9+.-]{0,20}", scheme) else "has no scheme"
        raise SettingsError(f"the database URL {seen}; it should be {_SHAPE}")
    before, at, after = match["rest"].rpartition("@")
    if not at:
        before, after = "", match["rest"]
    if "?" in before and "@" in before.split("?", 1)[0]:
        raise SettingsError(
            "the database URL has an '@' after its '?'; write it as %40, for the last '@' ends the password"
        )
    place, _, query = after.partition("?")
    host = _HOST.fullmatch(place)
    if not host or (host["port"] and int(host["port"]) > _MAX_PORT):
        raise SettingsError(f"the database URL's part after '@' is no HOST:PORT/DATABASE; it should be {_SHAPE}")
    user, _, password = before.partition(":")
    options = dict(parse_qsl(query))
    secret = options.pop("password", "") or _decoded(password)
    if leaking := [key for key in options if "password" in key.lower()]:
        raise SettingsError(f"the database URL's option {leaking[0]!r} is not supported: it would not stay secret")
    return DatabaseUrl(
        user=unquote(user),
        password=Secret(secret) if secret else None,
        host=host["host"].strip("[]"),
        port=int(host["port"]) if host["port"] else None,
        database=unquote(host["database"] or ""),
        options=tuple(options.items()),
    )


def _decoded(password: str) -> str:
    encoded = not re.search(r"[@/#?]", password) and not re.search(r"%(?![0-9a-fA-F]{2})", password)
    return unquote(password) if encoded else password


def environment(folder: Path, process: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the nearest ``.env`` of a folder or one above it, with the process's environment over it."""
    nearest = next((path for parent in (folder, *folder.parents) if (path := parent / ".env").is_file()), None)
    file = (
        {key: value for key, value in dotenv_values(nearest, interpolate=False).items() if value is not None}
        if nearest
        else {}
    )
    return file | dict(os.environ if process is None else process)


def outputs_folder(env: Mapping[str, str]) -> Path:
    """Return where reports go: ``GOLIVE_OUTPUTS``, else ``outputs`` here."""
    return Path(env.get(OUTPUTS) or "outputs")


def backups_folder(env: Mapping[str, str]) -> Path:
    """Return where dumps and storage manifests go: ``GOLIVE_BACKUPS``, else ``backups`` here.

    They hold people's data, so they lie apart from the reports, which are shared.
    """
    return Path(env.get(BACKUPS) or "backups")


def archive_folder(env: Mapping[str, str]) -> Path:
    """Return where closed days are archived: ``GOLIVE_ARCHIVE``, else ``archive`` here; people's data, as a backup.

    Raises SettingsError where that is an address, which may be written to from elsewhere alone.
    """
    folder = (env.get(ARCHIVE) or "archive").removeprefix("duckdb:")
    if "://" in folder:
        raise SettingsError(f"{ARCHIVE} is an address, which is read from alone; name the folder to archive to")
    return Path(folder)
