"""A real kernel, as JupyterLab starts it: what completes, what shows itself, and what an interruption leaves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from jupyter_client.manager import start_new_kernel
from plant import change

from golive_lib import open_launch
from golive_lib.launch import Launch
from golive_lib.results import shown
from golive_lib.shells import names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from golive_lib.demo import DemoDatabase

ROOT = Path(__file__).parents[1]
PATIENCE_S = 60
NAP = """-- title: Nap?
-- params: seconds float = 60.0
select pg_sleep(:seconds)::text as slept, pg_backend_pid() as pid
"""
Message = tuple[str, dict[str, Any]]


class Kernel:
    """A kernel with the kit loaded; ``stdin`` says that a person sits at it."""

    def __init__(self, folder: Path, url: str) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")}
        path = os.pathsep.join([str(ROOT), env.get("PYTHONPATH", "")])
        self.manager, self.client = start_new_kernel(
            cwd=str(folder), env=env | {"GOLIVE_DB_URL": url, "PYTHONPATH": path}, stderr=subprocess.DEVNULL
        )

    def run(self, code: str, *, stdin: bool = True, on_display: Callable[[], None] | None = None) -> list[Message]:
        """Run a cell; ``on_display`` is called at the first thing it shows."""
        asked = self.client.execute(code, allow_stdin=stdin)
        messages: list[Message] = []
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE_S)
            kind, content = message["msg_type"], message["content"]
            if message["parent_header"].get("msg_id") != asked or kind == "execute_input":
                continue
            if kind == "status":
                if content["execution_state"] == "idle":
                    return messages
                continue
            messages.append((kind, content))
            if kind == "display_data" and on_display:
                on_display()
                on_display = None

    def show(self, code: str) -> dict[str, str]:
        """Return what the last line of a cell shows."""
        ((kind, content),) = self.run(code)
        assert kind == "execute_result", content
        data: dict[str, str] = content["data"]
        return data

    def complete(self, code: str) -> list[str]:
        """Return what TAB offers at the end of the code."""
        reply: dict[str, Any] = self.client.complete(code, reply=True, timeout=PATIENCE_S)
        return list(reply["content"]["matches"])


@pytest.fixture(scope="module")
def kernel(healthy: DemoDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """Start one in a folder with a query that sleeps, and open the launch."""
    folder = tmp_path_factory.mktemp("shell")
    shutil.copy(ROOT / "launch.toml", folder)
    (folder / "queries" / "slow").mkdir(parents=True)
    (folder / "queries" / "slow" / "nap.sql").write_text(NAP)
    started = Kernel(folder, healthy.url)
    assert started.run("from golive_lib import *\nfrom golive_lib import readiness\nlaunch = open_launch()") == []
    yield started
    started.client.stop_channels()
    started.manager.shutdown_kernel(now=True)


def napping(url: str) -> int:
    """Count the statements that sleep on the server."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        asked = (
            "select count(*) from pg_stat_activity where state = 'active' and query like '%%pg_sleep(%%' and pid <> %s"
        )
        row = connection.execute(asked, [connection.info.backend_pid]).fetchone()
    return int(row[0]) if row else -1


def test_launch_offers_what_an_analyst_asks(kernel: Kernel) -> None:
    """TAB behind ``launch.`` shows the questions, and neither the secrets nor the kit's own workings."""
    offered = kernel.complete("launch.")
    assert offered == ["check", "checks", "database", "frame", "plan", "queries", "query", "sql", "table", "zone"]


COMPLETED = {
    'launch.check("san': ["sanity/ai_drafts", "sanity/consent", "sanity/deck_parity", "sanity/reveal_order"],
    'launch.check("sanity/con': ["sanity/consent"],
    "x = launch.frame( 'health/api_h": ["health/api_hours"],
    'launch.queries["sanity/deck_t': ["sanity/deck_totals"],
    'launch.plan.kpis["api_p': ["api_p95"],
    'checks["sanity/con': ["sanity/consent"],
    'ready["fla': ["flags"],
}


@pytest.mark.parametrize("code", COMPLETED)
def test_names_complete_inside_quotes(kernel: Kernel, code: str) -> None:
    """Queries, checks, items and KPIs by their names, and no file beside them."""
    kernel.run("checks = launch.checks('sanity'); ready = readiness.prove(launch)")
    assert kernel.complete(code) == COMPLETED[code]


def test_folders_complete_for_checks_alone(healthy: DemoDatabase) -> None:
    """Only ``checks`` takes a folder, and only checks are judged."""
    launch = open_launch(healthy.url)
    assert names(launch, "checks", "sanity")[:2] == ["sanity", "sanity/ai_drafts"]
    assert "sanity/deck_totals" not in names(launch, "check", "sanity")
    assert "sanity/deck_totals" in names(launch, "frame", "sanity")
    assert names("no launch", "frame", "") == ()


SHOWN = {
    "launch": "SAMIA TAROT: backend.flatTables",
    "launch.plan": "KPIs: launch.plan.kpis[key] has the rest",
    "launch.queries": "sanity/consent",
    'launch.queries["sanity/consent"]': "Does every consent to a call carry",
    'launch.check("sanity/consent")': "rows keep the rule",
    'launch.checks("sanity")': "● Go: All 4 checks are green.",
    'launch.checks("sanity").outcome': "● Go: All 4 checks are green.",
    "Status.RED": "◆ red",
    "Verdict.ROLLBACK": "◆ Roll back",
    "readiness.prove(launch)": "The list, item by item",
    'readiness.prove(launch)["flags"]': "Flags: what was looked at",
    "canary.judge_now(launch, 10)": "Observed is the runbook's letter",
    "aftercare.examine(launch)": "The list, item by item",
    "aftercare.examine(launch).health": "Health: what was looked at",
    "rls.examine(launch, snapshot)": "Judged at",
}


@pytest.mark.parametrize("code", SHOWN)
def test_result_shows_itself(kernel: Kernel, code: str) -> None:
    """As the last line of a cell it is markup for a page and text for a terminal, and no second verdict of a report."""
    modules = "from golive_lib import aftercare, canary, rls"
    within = f"{modules}\nwith launch.database.snapshot() as snapshot:\n    it = {code}\nit"
    data = kernel.show(within)
    assert sorted(data) == ["text/html", "text/plain"]
    assert SHOWN[code] in data["text/plain"]
    assert "<style>" in data["text/html"]


def test_what_has_no_view_is_said() -> None:
    """A view is not made up."""
    with pytest.raises(TypeError, match="int has no view"):
        shown(7)


def test_environment_shows_no_value(healthy: DemoDatabase) -> None:
    """A launch holds secrets and never shows them."""
    opened = open_launch(healthy.url)
    launch = Launch(opened.plan, opened.queries, opened.database, {"SERVICE_ROLE_KEY": "planted" * 3})
    assert repr(launch.env) == "<Environment 1 variables, values not shown>"
    assert "planted" not in repr(launch) + shown(launch).text + shown(launch).markup


def test_repr_is_a_line_without_peoples_data(clone: Callable[[], DemoDatabase]) -> None:
    """What holds offending rows prints neither them nor an address in a log or a traceback."""
    demo = clone()
    change(
        demo,
        "update call_consent_logs set client_ip = '0.0.0.0' where ctid = (select min(ctid) from call_consent_logs)",
    )
    checks = open_launch(demo.url).checks("sanity")
    assert len(checks["sanity/consent"].rows) == 1
    assert repr(checks) == f"<Checks no-go: {checks.outcome.sentence}>"
    assert repr(checks["sanity/consent"]).startswith("<CheckResult sanity/consent: red, 1 of ")
    assert "0.0.0.0" not in repr(checks) + repr(list(checks)) + shown(checks["sanity/consent"]).markup  # noqa: S104  planted
    assert "\n" not in repr(list(checks))


def test_long_question_is_interrupted_and_the_next_one_answered(kernel: Kernel, healthy: DemoDatabase) -> None:
    """It says how long it has been asked; interrupted, it ends on the server too, and the same connection goes on."""
    seen: list[int] = []

    def interrupt() -> None:
        seen.append(napping(healthy.admin_url))
        kernel.manager.interrupt_kernel()

    ask = "print(launch.frame('slow/nap', seconds=0.0)['pid'][0])"
    before = kernel.run(ask)
    messages = kernel.run("launch.frame('slow/nap')", on_display=interrupt)
    said = [content["data"] for kind, content in messages if kind in ("display_data", "update_display_data")]
    (error,) = [content for kind, content in messages if kind == "error"]
    assert said[0]["text/plain"].startswith("asking queries/slow/nap.sql … 2 s")
    assert said[-1] == {"text/html": ""}
    assert error["ename"] == "Stopped"
    assert error["traceback"] == ["Stopped, here and on the server; the next question may be asked."]
    assert (seen, napping(healthy.admin_url)) == ([1], 0)
    assert kernel.run(ask) == before


def test_nothing_is_said_where_nobody_sits(kernel: Kernel) -> None:
    """A run for a report answers no questions, and its notebook keeps no line that was only for the wait."""
    assert kernel.run("_ = launch.frame('slow/nap', seconds=2.5)", stdin=False) == []


def test_question_through_a_pooler_is_interrupted(kernel: Kernel, pooled: str, healthy: DemoDatabase) -> None:
    """PgBouncer passes the cancellation on."""
    kernel.run(f"through = open_launch({pooled!r})")
    messages = kernel.run("through.frame('slow/nap')", on_display=kernel.manager.interrupt_kernel)
    assert [content["ename"] for kind, content in messages if kind == "error"] == ["Stopped"]
    assert napping(healthy.admin_url) == 0
    assert kernel.run("len(through.frame('slow/nap', seconds=0.0))")[0][1]["data"]["text/plain"] == "1"


def test_terminal_is_interrupted_likewise(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Ctrl-C in a plain Python ends the question with one exception, after which the launch answers on."""
    shutil.copy(ROOT / "launch.toml", tmp_path)
    (tmp_path / "queries" / "slow").mkdir(parents=True)
    (tmp_path / "queries" / "slow" / "nap.sql").write_text(NAP)
    code = (
        "from golive_lib import open_launch\nlaunch = open_launch()\n"
        "print(launch.frame('slow/nap', seconds=0.0)['pid'][0], flush=True)\n"
        "try:\n    launch.frame('slow/nap')\nexcept KeyboardInterrupt as stop:\n    print(stop)\n"
        "print(launch.frame('slow/nap', seconds=0.0)['pid'][0])\n"
    )
    env = os.environ | {"GOLIVE_DB_URL": healthy.url, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        until = threading.Event()
        while not napping(healthy.admin_url):
            until.wait(0.05)
        process.send_signal(2)
        rest, errors = process.communicate(timeout=PATIENCE_S)
    assert (errors, rest.splitlines()) == (
        "",
        ["Stopped, here and on the server; the next question may be asked.", first.strip()],
    )


PEOPLE = "pd.DataFrame({'who': ['mona@example.com'], 'address': ['10.9.8.7']})"


@pytest.mark.parametrize("form", ["text/html", "text/plain"])
@pytest.mark.parametrize("code", [PEOPLE, f"show.table({PEOPLE}, caption='')"])
def test_people_are_masked_unless_the_plan_shows_them(kernel: Kernel, code: str, form: str) -> None:
    """A table and a bare DataFrame show nobody; a plan that shows addresses shows these and nothing else."""
    kernel.run("import pandas as pd\nfrom golive_lib import formats, show")
    hidden = kernel.show(code)[form]
    kernel.run("formats.show_people(['ip'])")
    shown_ = kernel.show(code)[form]
    kernel.run("formats.show_people([])")
    assert ("10.9.x.x" in hidden, "10.9.8.7" in hidden, "m…@example.com" in hidden) == (True, False, True)
    assert ("10.9.8.7" in shown_, "m…@example.com" in shown_, "mona@" in shown_) == (True, True, False)
