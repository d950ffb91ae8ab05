"""Planted secrets in every output of a full run: pages, notebooks, records, logs, and what a forced crash leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import jwt
import nbformat
import pytest

from golive_lib.demo import open_app
from golive_lib.notebooks import find_notebook
from golive_lib.plan import kit_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from golive_lib.demo import DemoDatabase

PASSWORD = "planted/pass word%41"  # noqa: S105  planted, to be looked for
FOREIGN_SIGNATURE = "planted-signature-of-another-project"


@pytest.fixture(scope="module")
def env(healthy: DemoDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Give an analyst's environment whose every secret is known, some of them wrong on purpose."""
    folder = tmp_path_factory.mktemp("planted")
    password = quote(PASSWORD, safe="")
    with open_app(healthy) as variables:
        yield os.environ | dict(variables) | {
            "GOLIVE_DB_URL": healthy.url.replace("golive_ro@", f"golive_ro:{password}@"),
            "SUPABASE_DB_URL": variables["SUPABASE_DB_URL"].replace("@/", f":{password}@/"),
            "SUPABASE_ANON_KEY": jwt.encode({"iss": "elsewhere", "role": 7}, FOREIGN_SIGNATURE, algorithm="HS256"),
            "SERVICE_ROLE_KEY": "sb_secret_" + "planted" * 4,
            "GOLIVE_READER_TOKEN": "planted-and-not-a-token-at-all",
            "GOLIVE_OUTPUTS": str(folder / "outputs"),
            "GOLIVE_BACKUPS": str(folder / "backups"),
        }  # fmt: skip


def secrets(env: Mapping[str, str]) -> list[str]:
    """Name every text that must not be seen, tokens also by their parts."""
    names = ("SUPABASE_ANON_KEY", "SERVICE_ROLE_KEY", "GOLIVE_CLIENT_TOKEN", "GOLIVE_READER_TOKEN")
    parts = [part for name in names for part in env[name].split(".") if len(part) > 8]
    return [*parts, PASSWORD, quote(PASSWORD, safe=""), FOREIGN_SIGNATURE]


def everything(run: subprocess.CompletedProcess[str], folder: Path) -> dict[str, str]:
    """Return what a run printed and every file it left, by name."""
    files = {str(path): path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()}
    return files | {"stdout": run.stdout, "stderr": run.stderr}


def found(texts: Mapping[str, str], env: Mapping[str, str]) -> list[tuple[str, int]]:
    """Return where which secret was seen."""
    return [(name, i) for name, text in texts.items() for i, secret in enumerate(secrets(env)) if secret in text]


def golive(env: Mapping[str, str], cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    command = [sys.executable, "-m", "golive_lib", *arguments]
    return subprocess.run(command, env=dict(env), cwd=cwd, capture_output=True, text=True, check=False)


def test_full_run_shows_no_secret(env: dict[str, str], tmp_path: Path) -> None:
    """Readiness with everything taken first writes pages, notebooks, records, dumps and manifests."""
    run = golive(env, tmp_path, "readiness", "--prepare")
    texts = everything(run, Path(env["GOLIVE_OUTPUTS"]).parent)
    assert run.returncode == 4, run.stderr
    assert {path.rsplit(".", 1)[-1] for path in texts} >= {"html", "ipynb", "json", "csv", "dump", "parquet"}
    assert found(texts, env) == []


@pytest.mark.parametrize(
    "cell",
    [
        "dict(launch.env)",
        "dict(launch.env)['SERVICE_ROLE_KEY']",
        "%xmode Verbose\nvalue = launch.env['SERVICE_ROLE_KEY']\n1 / 0",
    ],
)
def test_forced_crash_and_bare_value_are_withheld(env: dict[str, str], tmp_path: Path, cell: str) -> None:
    """A notebook that shows a secret, on purpose or in a traceback, leaves a record and nothing else."""
    notebook = nbformat.read(find_notebook("readiness", kit_folder()), as_version=4)
    notebook.cells.insert(4, nbformat.v4.new_code_cell(cell))
    nbformat.write(notebook, tmp_path / "crash.ipynb")
    run = golive({**env, "GOLIVE_OUTPUTS": str(tmp_path / "out")}, tmp_path, "run", str(tmp_path / "crash.ipynb"))
    assert run.returncode == 1
    assert found(everything(run, tmp_path / "out"), env) == []
    assert list((tmp_path / "out").glob("*/record.json")) != []
