"""The kit's canary on a table of millions of requests, beside the floor and the analyst's way, in one run.

    python benchmarks/scale.py [--rows 10M] [--rounds 5] [--folder ~/.cache/golive/scale]

The table lies in the embedded PostgreSQL and stays in the folder for the next run; more rows than 10 million are more
days of the same density, measured beside the table of 10 million. The floor is the bare scan of the window's columns
from a covering index, EXPLAIN (ANALYZE, TIMING OFF), so that no row is sent. The ways take turns and the best round of
each counts; a statement is run twice on each new connection ("again"). Ratios in the database are of the server's
processor time, which a busy machine changes little; seconds are the clock's. Bytes are what a relay passed on from the
server; memory is the most that a process has held. Linux alone counts processor time as finely as this needs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import psycopg
from request_table import COVERING, PLAIN, built, days, only
from scale_relay import relay
from scale_ways import COLUMNS, KPIS, window

from golive_lib import Launch, open_launch
from golive_lib.demo.build import CLOCK
from golive_lib.demo.server import DemoServer
from golive_lib.events import MINUTE, minute_statement
from golive_lib.plan import kit_folder
from golive_lib.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BASE = 10_000_000
STAGE = "50"
AGES = {"10 minutes": 10, "24 hours": 24 * 60}
AGAIN = ", again"
INDEXES = {"covering": COVERING, "plain": PLAIN, "none": None}
WAYS = {"kit 2 h": ("kit", 2), "kit 24 h": ("kit", 24), "analyst 24 h": (COLUMNS, 24), "analyst 24 h, *": ("*", 24)}


@dataclass(frozen=True)
class Cost:
    """What something took at least: the server's processor and the clock in ms, bytes and MB where they were asked."""

    cpu: float
    wall: float
    received: int = 0
    memory: float = 0.0

    def or_less(self, other: Cost | None) -> Cost:
        """Return the best of two rounds."""
        if other is None:
            return self
        received = max(self.received, other.received)
        return Cost(min(self.cpu, other.cpu), min(self.wall, other.wall), received, max(self.memory, other.memory))


@dataclass(frozen=True)
class Place:
    """A database with a table to measure on."""

    server: DemoServer
    name: str
    plan: Path

    @property
    def launch(self) -> Launch:
        """Open the launch as the read-only role."""
        return open_launch(self.server.url(self.name), plan=self.plan)


def cpu(pid: int) -> float:
    """Return the milliseconds of processor time that a process has had, as Linux counts them."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e6


def in_database(place: Place) -> Iterator[tuple[str, Cost]]:
    """Run the floor and the kit's statements under each index; their clock is PostgreSQL's own."""
    for kind, index in INDEXES.items():
        only(place.server, place.name, index)
        for hours in (2, 24) if index else (24,):
            span, launch = window(hours), place.launch
            with launch.database.snapshot() as snapshot:
                asked = minute_statement(snapshot, launch, span, "canary/api", KPIS, lean=index is not None)
            if index == COVERING:
                inside = f"created_at >= '{span.since}' and created_at < '{span.until}'"
                floor = f"select {COLUMNS} from public.api_logs where {inside}"
                yield from explained(place, f"floor {hours} h", floor)
            yield from explained(place, f"kit {hours} h, {kind}", asked[0].client_sql(asked[1]))
    only(place.server, place.name, COVERING)


def explained(place: Place, name: str, statement: str) -> Iterator[tuple[str, Cost]]:
    """Run a statement twice on a connection of the read-only role, without sending its rows.

    The first time the server's new process also maps the pages it reads, as for a command; the second time it does not.
    """
    with psycopg.connect(place.server.url(place.name).replace("+psycopg", "")) as connection:
        connection.execute("set jit = off")
        connection.execute("set max_parallel_workers_per_gather = 0")  # a worker's time would not be seen
        connection.execute(f"explain {statement}".encode())  # reads the catalogue
        for time_of in (name, f"{name}{AGAIN}"):
            began = cpu(connection.info.backend_pid)
            lines = connection.execute(f"explain (analyze, timing off) {statement}".encode()).fetchall()
            took = cpu(connection.info.backend_pid) - began
            found = re.search(r"Execution Time: ([\d.]+)", lines[-1][0])
            yield time_of, Cost(took, float(found[1]) if found else 0.0)


def polls(place: Place, back: int) -> Iterator[tuple[str, Cost]]:
    """Look at stages of two ages, and again each minute, which are the polls, up to ``back`` minutes before the end.

    The first of them also asks for the earlier days of the hour to come.
    """
    everything, now = place.launch, CLOCK - back * MINUTE
    requests = {key: kpi for key, kpi in everything.plan.kpis.items() if kpi.query == "canary/api"}
    alone = Launch(replace(everything.plan, kpis=requests, due={}), everything.queries, everything.database)
    pid = everything.postgres.links()[1].backend_pid  # the connection that stays open
    for name, age in AGES.items():
        for launch, asked in ((alone, "requests"), (everything, "six tables")):
            watch = Watch(launch, float(STAGE), started_at=now - age * MINUTE)
            watch.look(now - 4 * MINUTE)
            for minute in (3, 2, 1, 0):
                used, began = cpu(pid), time.perf_counter()
                watch.look(now - minute * MINUTE)
                kind = "poll" if minute < 3 else "hourly poll"
                yield f"{kind} after {name}, {asked}", Cost(cpu(pid) - used, (time.perf_counter() - began) * 1e3)


def by_driver(place: Place, *, count: bool) -> Iterator[tuple[str, Cost]]:
    """Run each way in a process of its own, and ``golive canary``; through a relay when bytes are counted."""
    with tempfile.TemporaryDirectory() as folder:
        for i, (name, (way, hours)) in enumerate(WAYS.items()):
            script = [str(Path(__file__).with_name("scale_ways.py")), way, str(place.plan), str(hours)]
            with relay(place.server, Path(folder) / str(i)) as through:
                url = (through if count else place.server).url(place.name)
                took = json.loads(run([*script, url]))
            # A relay slows its way down: its round says bytes alone.
            yield name, Cost(0, float("inf") if count else took["ms"], through.received, took["peak"])
    if not count:
        yield "golive canary", whole_canary(place)


def whole_canary(place: Place) -> Cost:
    """Run the command on the last 24 hours."""
    with tempfile.TemporaryDirectory() as outputs:
        start = (CLOCK - timedelta(hours=24)).isoformat()
        options = ["--stage", STAGE, "--started-at", start, "--plan", str(place.plan), "--outputs", outputs]
        began = time.perf_counter()
        run(["-m", "golive_lib", "canary", *options, "--db-url", place.server.url(place.name)])
        return Cost(0, (time.perf_counter() - began) * 1e3)


def run(arguments: Sequence[str]) -> str:
    """Run Python and return what it printed; a verdict that is not green is no error."""
    env = os.environ | {"PYTHONPATH": str(kit_folder())}
    done = subprocess.run(  # noqa: S603  the ways compared
        [sys.executable, *arguments], env=env, check=False, capture_output=True, text=True
    )
    if done.returncode not in (0, 3, 4):
        raise SystemExit(done.stderr)
    return done.stdout


def measured(place: Place, rounds: int) -> dict[str, Cost]:
    """Return the best of each way's rounds; the ways take turns."""
    best: dict[str, Cost] = {}
    for turn in range(rounds):
        for steps in (in_database(place), polls(place, turn), by_driver(place, count=False)):
            best |= {name: cost.or_less(best.get(name)) for name, cost in steps}
    best |= {name: cost.or_less(best.get(name)) for name, cost in by_driver(place, count=True)}
    return best


def show(best: Mapping[str, Cost]) -> None:
    """Print what each way took, as a Markdown table."""
    print("| what | server's processor | × floor | clock | from the server | memory |\n|---|--:|--:|--:|--:|--:|")
    for name, cost in best.items():
        timed = re.match(r"(?:kit|floor) (\d+ h)", name) if cost.cpu else None
        least = best[f"floor {timed[1]}{AGAIN if name.endswith(AGAIN) else ''}"].cpu if timed else None
        cells = (
            f"{cost.cpu:.1f} ms" if cost.cpu else "",
            f"{cost.cpu / least:.2f}" if least else "",
            f"{cost.wall:,.1f} ms",
            f"{cost.received / 1e3:,.0f} kB" if cost.received else "",
            f"{cost.memory:.0f} MB" if cost.memory else "",
        )
        print(f"| {name} | {' | '.join(cells)} |")


def targets(best: Mapping[str, Cost]) -> None:
    """Print each target, and whether it was reached."""
    young, old = (best[f"poll after {age}, requests"].cpu for age in AGES)
    kit, careful, whole = best["kit 24 h"], best["analyst 24 h"], best["analyst 24 h, *"]
    for when in ("", AGAIN):
        for kind, limit in (("covering", 2.5), ("plain", 4)):
            ratio = best[f"kit 24 h, {kind}{when}"].cpu / best[f"floor 24 h{when}"].cpu
            judge(f"24 h, {kind} index{when}, at most {limit} × the floor", ratio, limit)
    judge("a poll of the requests, ms in the database, at most 5", max(young, old), 5)
    judge("a poll of all six tables, likewise", best["poll after 24 hours, six tables"].cpu, 5)
    judge("a poll after 24 hours by one after 10 minutes, at most 1.25", old / young, 1.25)
    judge("24 h: the analyst takes at least 20 × as long", whole.wall / kit.wall, 20, least=True)
    judge("24 h: the analyst moves at least 100 × the bytes", whole.received / kit.received, 100, least=True)
    by_name = careful.wall / kit.wall, careful.received / kit.received
    print(f"        the analyst who names the four columns: {by_name[0]:.1f} × as long, {by_name[1]:.0f} × the bytes")
    judge("memory for 24 h by that for 2 h, at most 1.1", kit.memory / best["kit 2 h"].memory, 1.1)


def judge(what: str, figure: float, limit: float, *, least: bool = False) -> None:
    """Print one target's line."""
    reached = figure >= limit if least else figure <= limit
    print(f"{'reached' if reached else 'MISSED '} {what}: {figure:.2f}")


def rows(text: str) -> int:
    """Read a number of rows such as 500k or 50M."""
    factor = {"k": 1_000, "M": 1_000_000}.get(text[-1:], 1)
    number = int(text.rstrip("kM")) * factor
    if number < 100_000:
        raise argparse.ArgumentTypeError(f"{number} rows: at least 100k")
    return number


def main() -> None:
    """Build what is missing, measure, and print the table and the targets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=rows, default=BASE, help="such as 10M or 50M (default: 10M)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=platformdirs.user_cache_path("golive") / "scale")
    given = parser.parse_args()
    sizes = sorted({min(given.rows, BASE), given.rows})
    found = []
    with DemoServer.start(given.folder) as server, tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "launch.toml"
        text = (kit_folder() / "launch.toml").read_text(encoding="utf-8").replace('queries = ["queries"]', "")
        plan.write_text(re.sub(r"(?m)^starts = .*\n", "", text), encoding="utf-8")
        for size in sizes:
            place = Place(server, built(server, given.folder, size), plan)
            before = os.getloadavg()[0]
            best = measured(place, given.rounds)
            machine = f"{os.cpu_count()} cores, load {before:.1f} to {os.getloadavg()[0]:.1f}"
            print(f"{size:,} rows over {days(size):.0f} days; {machine}; best of {given.rounds}\n")
            show(best)
            print()
            targets(best)
            found.append(best)
    for small, large in pairwise(found):
        for key in ("kit 24 h, covering", "kit 24 h, plain"):
            judge(f"{key}: {sizes[1]:,} rows by {sizes[0]:,}, at most 1.3", large[key].cpu / small[key].cpu, 1.3)
        judge("memory, likewise, at most 1.1", large["kit 24 h"].memory / small["kit 24 h"].memory, 1.1)


if __name__ == "__main__":
    main()
