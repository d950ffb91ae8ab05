"""The demo app's own repository: a release that can be reverted, and a commit after it. The same hashes everywhere."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from golive_lib.demo.server import file_lock

if TYPE_CHECKING:
    from pathlib import Path

RELEASE = "flat-tables"
_TABLES = ("profiles", "bookings", "readings", "payments")
_FLAT = {"readings": "tarot_v2_readings", "payments": "payment_transactions"}
_SERVER = "// SAMIA TAROT's API: which tables it reads.\nexport const tables = {{\n{0}\n}};\n"


def _server(flat: bool) -> str:
    named = (f"public.{_FLAT.get(name, name)}" if flat else f"samia.{name}" for name in _TABLES)
    return _SERVER.format("\n".join(f"  {name}: '{table}'," for name, table in zip(_TABLES, named, strict=True)))


# Each commit: when, what it says, the files it writes, and the tag it gets.
_COMMITS = (
    ("2026-03-20T09:00:00Z", "The API on the schema samia", {"tables.js": _server(flat=False)}, ""),
    ("2026-03-24T07:30:00Z", "Release: the API reads the flat tables", {"tables.js": _server(flat=True)}, RELEASE),
    ("2026-03-24T12:10:00Z", "How to reach support", {"README.md": "# SAMIA TAROT\n\nSupport: in the app.\n"}, ""),
)


def app_repository(folder: Path) -> Path | None:
    """Return the app's checkout in a data folder, made now if it is not there; None where git cannot make one."""
    git = shutil.which("git")
    if git is None:
        return None
    place = folder.resolve() / f"app-{hashlib.sha256(repr(_COMMITS).encode()).hexdigest()[:8]}"
    try:
        with file_lock(folder / "app.lock"):
            if not place.exists():
                _make(git, place)
    except (OSError, subprocess.SubprocessError):
        return None
    return place


def _make(git: str, place: Path) -> None:
    # Under another name until it is complete, as the demo's databases are.
    new = place.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()

    def run(*arguments: str, at: str = "") -> None:
        dates = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at} if at else {}
        subprocess.run(  # noqa: S603  git, found on PATH, on a folder made just now
            [
                git,
                "-c",
                "commit.gpgsign=false",
                "-c",
                f"core.hooksPath={os.devnull}",
                "-c",
                "core.autocrlf=false",
                *arguments,
            ],
            cwd=new,
            env=_neutral() | dates,
            check=True,
            capture_output=True,
        )

    run("init", "--quiet", "--initial-branch=main")
    for at, message, files, tag in _COMMITS:
        for name, text in files.items():
            (new / name).write_text(text, encoding="utf-8")
        run("add", "--all")
        run("commit", "--quiet", f"--message={message}", at=at)
        if tag:
            run("tag", tag)
    new.rename(place)


def _neutral() -> dict[str, str]:
    """Return an environment in which git knows one person and nobody's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    person = {f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER") for what, text in _PERSON.items()}
    return kept | person | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}


_PERSON = {"NAME": "SAMIA TAROT", "EMAIL": "release@golive.invalid"}
