"""The command line as a user types it: a clear message and an exit code for everything that can be wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from plant import change, command, free_port
from pypdf import PdfReader
from servers import absent

from golive_lib.cli import COMMANDS
from golive_lib.ledger import Ledger
from golive_lib.records import audit, ledger_history

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.demo import DemoDatabase

ROOT = Path(__file__).parents[1]


def test_check_prints_the_verdict(here: Path, healthy: DemoDatabase) -> None:
    """Green is exit 0, with the sentence."""
    done = command(here, "check", "sanity", "--db-url", healthy.url)
    assert (done.returncode, "● Go: All 4 checks are green" in done.stdout) == (0, True)


def test_red_exits_with_4_and_names_the_rows(here: Path, clone: Callable[[], DemoDatabase]) -> None:
    """A no-go lists what is wrong and how to mend it."""
    demo = clone()
    change(demo, "update call_consent_logs set client_ip = null where client_ip is not null")
    done = command(here, "check", "sanity", GOLIVE_DB_URL=demo.url)
    assert done.returncode == 4
    assert "◆ No-go: 3 of 4 checks are green. Red: consent" in done.stdout
    assert "To mend it: " in done.stdout


def test_unknown_exits_with_3(here: Path, clone: Callable[[], DemoDatabase]) -> None:
    """What could not be judged holds the launch."""
    demo = clone()
    change(demo, "drop table call_consent_logs cascade")
    assert command(here, "check", "sanity", GOLIVE_DB_URL=demo.url).returncode == 3


def test_run_writes_the_report_where_it_says(here: Path, healthy: DemoDatabase) -> None:
    """``golive run`` ends with the path of a page that is there."""
    done = command(here, "run", "sanity", "-p", "sample=5", GOLIVE_DB_URL=healthy.url)
    assert done.returncode == 0, done.stderr
    page = next(line.strip() for line in done.stdout.splitlines() if line.endswith("sanity.html"))
    assert (here / page).is_file()


def test_database_from_a_dotenv_file(here: Path, healthy: DemoDatabase) -> None:
    """A ``.env`` beside the plan is read."""
    (here / ".env").write_text(f"GOLIVE_DB_URL={healthy.url}\n")
    assert command(here, "doctor").returncode == 0


def test_sql_is_printed_for_any_client(here: Path, healthy: DemoDatabase) -> None:
    """What ``golive sql`` prints runs in psql's place."""
    printed = command(here, "sql", "health/api_hours", "--db-url", healthy.url).stdout
    assert printed.startswith("with api_requests as not materialized (")
    assert "cast(" not in printed


def test_one_check_by_its_name(here: Path, healthy: DemoDatabase) -> None:
    """A single check can be asked for, as the help says."""
    done = command(here, "check", "sanity/consent", "--db-url", healthy.url)
    assert (done.returncode, "All 1 checks are green" in done.stdout) == (0, True)


def test_parameter_goes_to_the_notebooks_that_know_it(here: Path, healthy: DemoDatabase) -> None:
    """One parameter for several notebooks; each takes what it knows."""
    done = command(here, "run", "sanity", "health", "-p", "hours=12", GOLIVE_DB_URL=healthy.url)
    assert len(list(here.glob("outputs/*/record.json"))) == 2, done.stderr


def test_nothing_runs_when_one_of_several_is_wrong(here: Path, healthy: DemoDatabase) -> None:
    """An unknown notebook after a known one: usage error, and no report of the first."""
    done = command(here, "run", "sanity", "moon", GOLIVE_DB_URL=healthy.url)
    assert (done.returncode, list(here.glob("outputs/*"))) == (2, [])


def test_list_names_notebooks_and_queries(here: Path) -> None:
    """Everything there is, without a database."""
    done = command(here, "list")
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("health", "hours", "sanity/deck_parity", "sources/cards"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["check", "sanity"], 1, "no database: set GOLIVE_DB_URL"),
        (["check", "sanity", "--db-url", "mysql://u@h/d"], 1, "the database URL begins with 'mysql'"),
        (["check", "sanity", "--db-url", "demo:sunny"], 1, "no demo story 'sunny'; there are healthy"),
        (["check", "sanity", "--db-url", "postgres://u@127.0.0.1:{port}/d"], 1, "is the server running"),
        (["check", "sanity", "--db-url", "{healthy}", "--plan", "no.toml"], 1, "no.toml: there is no such launch plan"),
        (["check", "moon", "--db-url", "{healthy}"], 1, "there is no check 'moon'; there are health/"),
        (["readiness", "--as-of", "yesterday", "--db-url", "{healthy}"], 2, "--as-of = 'yesterday' is no instant"),
        (
            ["run", "moon", "--db-url", "{healthy}"],
            2,
            "there is no notebook 'moon'; there are aftercare, canary, checklist, health, readiness, rls, sanity",
        ),
        (
            ["run", "sanity", "-p", "colour=1", "--db-url", "{healthy}"],
            2,
            "no parameter 'colour' in sanity; there are plan, sample",
        ),
        (["run", "sanity", "-p", "sample=abc", "--db-url", "{healthy}"], 2, "sample = 'abc' is no int"),
        (["run", "sanity", "-p", "sample", "--db-url", "{healthy}"], 2, "'sample' is not NAME=VALUE"),
        (["run", "sanity", "--outputs", "launch.toml", "--db-url", "{healthy}"], 1, "reports cannot be written there"),
        (["moon"], 2, "No such command 'moon'"),
    ],
)
def test_wrong_use_is_a_clear_message(
    here: Path, healthy: DemoDatabase, arguments: list[str], code: int, message: str
) -> None:
    """One message, no traceback, the right exit code, and no report."""
    port = free_port()
    done = command(here, *(a.replace("{healthy}", healthy.url).replace("{port}", str(port)) for a in arguments))
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert not list(here.glob("outputs/*"))


def test_broken_query_file_stops_with_file_and_line(here: Path, healthy: DemoDatabase) -> None:
    """A slip in the user's own query names the file, the line and the text."""
    (here / "queries" / "sanity").mkdir()
    (here / "queries" / "sanity" / "mine.sql").write_text("-- title: Mine\n-- expects: n > 0\nselect 1 as n\n")
    done = command(here, "check", "sanity", "--db-url", healthy.url)
    assert (done.returncode, "queries/sanity/mine.sql:2: unknown header key 'expects'" in done.stderr) == (1, True)


def test_database_without_the_tables_is_unknown(here: Path, healthy: DemoDatabase) -> None:
    """An empty database answers unknown for each check, with the table that is missing."""
    empty = healthy.admin_url.replace(healthy.name, "postgres")
    done = command(here, "check", "sanity", "--db-url", empty)
    assert done.returncode == 3
    assert 'table missing: relation "public.deck_cards" does not exist' in done.stdout


def test_lab_on_a_port_in_use_says_so(here: Path, healthy: DemoDatabase) -> None:
    """JupyterLab does not move to another port behind the user's back."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = command(here, "lab", "--no-browser", "--port", port, "--db-url", healthy.url)
    assert done.returncode == 1
    assert f"port {port} is not available" in done.stderr


def test_lab_opens_the_notebooks_and_ends_when_told(here: Path, healthy: DemoDatabase) -> None:
    """It answers with the user's notebooks on a free port, and SIGTERM leaves nothing running."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")}
    command = [sys.executable, "-m", "golive_lib", "lab", "--no-browser", "--db-url", healthy.url]
    with subprocess.Popen(command, cwd=here, env=clean, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = (re.search(r"(http://127\.0\.0\.1:\d+)/\S*\?token=(\w+)", line) for line in process.stderr)
        base, token = next(match.groups() for match in found if match)
        answer = httpx.get(f"{base}/api/contents/notebooks", params={"token": token}, timeout=30)
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
    assert {"sanity.ipynb", "health.ipynb", "canary.ipynb"} <= {item["name"] for item in answer.json()["content"]}
    with pytest.raises(httpx.ConnectError):
        httpx.get(base)


def test_ledger_is_verified_and_printed(here: Path) -> None:
    """A whole ledger is exit 0, a tampered one 4, with the record that was edited; each record prints as JSON."""
    ledger = Ledger(here / "outputs")
    ledger.append("tick", {"item": "one"})
    ledger.append("tick", {"item": "two"})
    whole = command(here, "ledger", "verify")
    assert (whole.returncode, whole.stdout.startswith("whole: 2 records")) == (0, True)
    shown = command(here, "ledger", "show", "tick").stdout.splitlines()
    assert [json.loads(line)["data"]["item"] for line in shown] == ["one", "two"]
    ledger.path.write_text(ledger.path.read_text().replace("one", "won"))
    slip = command(here, "ledger", "verify", "--outputs", "typo")
    assert (slip.returncode, "there is no such folder" in slip.stderr, (here / "typo").exists()) == (1, True, False)
    edited = command(here, "ledger", "verify")
    assert (edited.returncode, "record 1 was edited" in edited.stdout) == (4, True)


def test_each_module_of_commands_is_listed_with_what_it_adds(here: Path) -> None:
    """A command is found by its module's entry, and the help, which loads them all, names every one."""
    modules = {path.stem for path in (ROOT / "golive_lib").glob("cli_*.py")}
    assert modules == set(COMMANDS)
    shown = command(here, "--help").stdout
    assert [name for names in COMMANDS.values() for name in names if name not in shown] == []


def test_a_report_loads_neither_pandas_nor_a_driver(here: Path) -> None:
    """What only a kernel needs is left to the kernel: a command that runs notebooks starts without it."""
    heavy = {"pandas", "psycopg", "plotly"}
    code = f"import sys; from golive_lib import cli, reports; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_report_is_printed_when_asked(here: Path, healthy: DemoDatabase) -> None:
    """The PDF lies beside the page, says the same, and is among the record's files."""
    if not shutil.which("chromium"):
        absent("chromium is not installed; CI installs Debian's")
    done = command(here, "run", "health", "--pdf", GOLIVE_DB_URL=healthy.url)
    assert done.returncode == 0, done.stderr
    (pdf,) = (here / "outputs").glob("*/health.pdf")
    text = " ".join(page.extract_text() for page in PdfReader(pdf).pages)
    assert "All 4 checks are green" in text
    assert "P95" in text  # a chart's legend: it was drawn
    assert audit(here / "outputs").faults == ()
    (record,) = ledger_history(here / "outputs").records
    assert "health.pdf" in record.files


def test_report_that_cannot_be_printed_stands(here: Path, healthy: DemoDatabase) -> None:
    """Without a browser the run is whole and says what is missing; the exit code tells that no PDF was made."""
    done = command(here, "run", "sanity", "--pdf", GOLIVE_DB_URL=healthy.url, GOLIVE_CHROMIUM="/no/such/browser")
    assert (done.returncode, "no PDF: /no/such/browser could not print" in done.stderr) == (1, True)
    (record,) = ledger_history(here / "outputs").records
    assert (record.verdict, "sanity.pdf" in record.files) == ("go", False)
