"""Reports by golive beside the command lines of papermill and nbconvert, in one run on this machine.

    python benchmarks/reports.py [--reports 5] [--rounds 3] [--stock FOLDER]

Five notebooks of six charts each are executed and turned into HTML: one after the other by ``papermill`` and
``jupyter nbconvert --to html``, and by one ``golive run`` of all. Then one notebook by both. The ways take turns and
the fastest round of each counts. Memory is what a kernel has of its own (USS) and its fair part of what it shares
(PSS), read inside the kernel when its charts are drawn.

The kit pins jsonschema under 4.25, which makes papermill's and nbconvert's own commands twice as fast. ``--stock``
names a folder with an environment as pip installs it without that pin (made there when it is missing), whose commands
are then measured too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PLAN = 'name = "Benchmark"\ntimezone = "Asia/Beirut"\n[kpis]\n'
IMPORTS = """\
from datetime import UTC, datetime
import numpy as np
import pandas as pd
import psutil
from golive_lib import Outcome, Status, Verdict, charts, views
from golive_lib.show import Html
"""
CHART = """\
rng = np.random.default_rng({i})
at = pd.date_range("2026-03-24", periods=288, freq="5min", tz="UTC")
quantiles = {{name: rng.gamma(2 + k, 100, 288) for k, name in enumerate(("p50_ms", "p95_ms", "p99_ms"))}}
frame = pd.DataFrame({{"at": at, "requests": 100, **quantiles}})
charts.latency(frame, limit_ms=2000, tz=UTC)
"""
VERDICT = """\
memory = psutil.Process().memory_full_info()
outcome = Outcome(Verdict.GO, Status.GREEN, "Fine.", datetime(2026, 3, 25, tzinfo=UTC), False, "UTC")
views.Finding(outcome, Html("<p>Fine.</p>", "Fine."), {"uss": memory.uss, "pss": memory.pss})
"""


def notebook(path: Path, charts: int = 6) -> Path:
    """Write a notebook of this many charts."""
    cells = [
        new_markdown_cell("# Six charts"),
        new_code_cell("n: int = 1  # nothing", metadata={"tags": ["parameters"]}),
    ]
    cells += [
        new_code_cell(IMPORTS),
        *(new_code_cell(CHART.format(i=i)) for i in range(charts)),
        new_code_cell(VERDICT),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def stock(folder: Path) -> str:
    """Return the interpreter of an environment with the newest jsonschema, made if it is not there."""
    python = str(folder / "bin" / "python")
    if not folder.exists():
        root = Path(__file__).parents[1]
        venv.create(folder, with_pip=True)
        for what in (("-c", str(root / "constraints.txt"), "-e", str(root)), ("-U", "jsonschema[format-nongpl]")):
            subprocess.run([python, "-m", "pip", "install", "-q", *what], check=True, capture_output=True)  # noqa: S603
    return python


def by_commands(folder: Path, names: Sequence[str], python: str = sys.executable) -> list[dict[str, int]]:
    """Run papermill and nbconvert for each notebook in turn; return what each kernel used."""
    found = []
    for name in names:
        executed = folder / f"{name}.out.ipynb"
        options = ("--log-level", "ERROR", "--no-progress-bar", "-k", "python3")
        quiet(folder, python, "papermill", f"notebooks/{name}.ipynb", str(executed), *options)
        quiet(folder, python, "nbconvert", "--to", "html", str(executed))
        outputs = [output for cell in nbformat.read(executed, 4).cells for output in cell.get("outputs", [])]
        found += [
            data["judged"] for o in outputs if (data := o.get("data", {}).get("application/vnd.golive.verdict+json"))
        ]
    return found


def by_golive(folder: Path, names: Sequence[str]) -> list[dict[str, int]]:
    """Run one command for all of them; return what each kernel used."""
    with tempfile.TemporaryDirectory() as outputs:
        quiet(folder, sys.executable, "golive_lib", "run", *names, "--outputs", outputs)
        return [json.loads(path.read_text()) for path in Path(outputs).glob("*/judged.json")]


def quiet(folder: Path, python: str, module: str, *arguments: str) -> None:
    """Run a module's command line in a folder; stop at its first error."""
    env = os.environ | {"GOLIVE_DB_URL": "postgresql://nobody@localhost/none", "GOLIVE_PLAN": ""}
    subprocess.run(  # noqa: S603  the commands compared
        [python, "-m", module, *arguments], cwd=folder, env=env, check=True, capture_output=True
    )


def fastest(
    rounds: int, ways: Sequence[Callable[[], list[dict[str, int]]]]
) -> list[tuple[float, list[dict[str, int]]]]:
    """Return the fewest seconds each way took, and what its kernels used; the ways take turns."""
    best: list[tuple[float, list[dict[str, int]]]] = [(float("inf"), [])] * len(ways)
    for _ in range(rounds):
        for i, way in enumerate(ways):
            began = time.perf_counter()
            used = way()
            best[i] = min(best[i], (time.perf_counter() - began, used), key=lambda each: each[0])
    return best


def main() -> None:
    """Measure, and print the ratios."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--reports", type=int, default=5)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--stock", type=Path, metavar="FOLDER")
    given = options.parse_args()
    pythons = {"papermill + nbconvert here": sys.executable}
    if given.stock:
        pythons["papermill + nbconvert as pip installs them"] = stock(given.stock)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "notebooks").mkdir()
        (folder / "launch.toml").write_text(PLAN)
        names = [notebook(folder / "notebooks" / f"report{i}.ipynb").stem for i in range(given.reports)]
        print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, the fastest of {given.rounds} rounds")
        for count in (len(names), 1):
            some = names[:count]
            ways = [
                partial(by_golive, folder, some),
                *(partial(by_commands, folder, some, p) for p in pythons.values()),
            ]
            (fast, forked), *others = fastest(given.rounds, ways)
            print(f"{count} reports by golive: {fast:.2f} s")
            for name, (slow, _) in zip(pythons, others, strict=True):
                print(f"{count} reports by {name}: {slow:.2f} s, {slow / fast:.1f} × as long")
            plain = others[0][1]
        for kind in ("uss", "pss"):
            one, two = (sum(each[kind] for each in used) / len(used) / 1e6 for used in (plain, forked))
            print(f"a kernel's {kind.upper()}: plain {one:.0f} MB, forked {two:.0f} MB: {two / one:.2f} of it")


if __name__ == "__main__":
    main()
