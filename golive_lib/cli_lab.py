"""The commands ``lab`` and ``new``: notebooks to work in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from golive_lib.console import DbUrl, PlanFile, database, out, plan_of, step
from golive_lib.desk import copies, home, new_notebook, new_query, settle
from golive_lib.settings import DB_URL, DEMO_SCHEME, environment, is_demo

# Read by JupyterLab as configuration: it asks nobody for news, and nobody about them.
_CONFIG = Path(__file__).parent / "templates" / "lab"


def lab(
    db_url: DbUrl = None,
    plan: PlanFile = None,
    port: Annotated[int, typer.Option(help="Where JupyterLab listens; 0 takes a free port.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> int:
    """Open the notebooks in JupyterLab, on the database given or on the demo."""
    given = db_url or environment(Path.cwd()).get(DB_URL) or f"{DEMO_SCHEME}healthy"
    folder = home(plan_of(plan))
    if settle(folder):
        step(f"copied the kit's notebooks into {folder / 'notebooks'}, yours to change")
    for each in copies(folder):
        step(str(each))
    with database(given, plan):
        _offline()
        return _serve(_command(folder, port, browser), keep=is_demo(given))


def _command(folder: Path, port: int, browser: bool) -> list[str]:
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder.resolve()}", f"--port={port}"]
    command += ["--ServerApp.port_retries=0"] if port else []
    command += ["--LabApp.default_url=/lab/tree/notebooks", *([] if browser else ["--no-browser"])]
    command += ["--LabApp.extension_manager=readonly", "--ServerApp.answer_yes=True"]
    command += ["--KernelManager.transport=ipc"] if sys.platform != "win32" else []  # nobody else may listen
    return command + (["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else [])


def _offline() -> None:
    """Let JupyterLab find the kit's settings before anybody's own."""
    others = os.environ.get("JUPYTER_CONFIG_PATH")
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join([str(_CONFIG), *([others] if others else [])])


def _serve(command: list[str], *, keep: bool) -> int:
    """Run the server: in this process's place, so that a password typed behind --db-url is not seen in ``ps``.

    A demo has none, and this process must ``keep`` it up meanwhile.
    """
    if not keep and sys.platform != "win32":
        sys.stderr.flush()
        os.execv(command[0], command)  # noqa: S606  our own interpreter and options
    server = subprocess.Popen(command)  # noqa: S603  likewise
    try:
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        server.terminate()
        server.wait()


def new(
    name: Annotated[str, typer.Argument(help="A notebook (my-checks) or a query (sanity/my_check).")],
    plan: PlanFile = None,
) -> int:
    """Begin a notebook or a query of your own; a name of the kit's copies the kit's. Never overwrites."""
    chosen = plan_of(plan)
    if "/" in name:
        path = new_query(chosen, name)
        out.print(f"{path}: yours to write; golive list, golive sql {name}", soft_wrap=True, markup=False)
    else:
        path = new_notebook(home(chosen), name)
        out.print(f"{path}: yours to write; golive run {name}, or golive lab", soft_wrap=True, markup=False)
    return 0
