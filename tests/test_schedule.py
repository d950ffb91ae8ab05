"""What runs by itself: the moments a plan names, and forms that the schedulers' own parsers accept."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no types
from cronsim import CronSim
from plant import command
from servers import absent

from golive_lib.clockwork import Pattern, parsed, patterns, repeated
from golive_lib.errors import UsageError
from golive_lib.forms import Form, variables, written
from golive_lib.notebooks import parameters
from golive_lib.occasions import following, occasions
from golive_lib.plan import read_plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from golive_lib.demo import DemoDatabase
    from golive_lib.plan import Plan

ROOT = Path(__file__).parents[1]
BEIRUT = ZoneInfo("Asia/Beirut")
KNOWN = ("aftercare", "canary", "health", "readiness", "sanity")
MINUTE = timedelta(minutes=1)
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture
def plan() -> Plan:
    """Read the kit's own plan: four stages that start one after the other."""
    return read_plan(ROOT / "launch.toml")


def plan_of(folder: Path, text: str = "") -> Plan:
    """Write and read a small plan."""
    (folder / "launch.toml").write_text(f'name = "A launch"\ntimezone = "Asia/Beirut"\n{text}\n[kpis]\n')
    return read_plan(folder / "launch.toml")


def elapsed(crons: Iterable[str], zone: ZoneInfo, begin: datetime, end: datetime) -> list[datetime]:
    """Return every moment at which cron would run the lines, as another's implementation reads them."""
    found = set()
    for cron in crons:
        for moment in CronSim(cron, begin.astimezone(zone)):
            if moment.astimezone(UTC) > end:
                break
            found.add(moment.astimezone(UTC))
    return sorted(found)


def test_the_whole_launch_is_derived_from_the_plan(plan: Plan) -> None:
    """Readiness before the first stage, the canary through each, aftercare when the last has lasted its time."""
    found = {each.name: each.instants for each in occasions(plan, KNOWN)}
    assert list(found) == ["readiness", "canary-10", "canary-25", "canary-50", "canary-100", "aftercare"]
    assert [f"{at:%d %H:%M}" for at in found["readiness"]] == ["23 08:00", "24 07:00"]
    assert [f"{at:%H:%M}" for at in found["canary-10"]] == [
        *("08:15", "08:30", "08:45", "09:00", "09:15", "09:30", "09:45"),
        "10:02",  # when the stage is over and its last minutes are judged
    ]
    assert [f"{at:%d %H:%M}" for at in found["aftercare"]] == ["25 22:00"]


def test_a_checklist_is_looked_at_where_there_is_one(plan: Plan) -> None:
    """Its notebook makes it part of the launch."""
    assert occasions(plan, (*KNOWN, "checklist"))[-1].name == "checklist"


def test_a_plan_without_starts_is_proven_every_day(tmp_path: Path) -> None:
    """Nothing says when the launch is, so readiness runs each morning and whatever the plan paces at its pace."""
    found = occasions(plan_of(tmp_path, '[schedule.health]\nevery = "1h"'), KNOWN)
    crons = {each.name: [time.cron() for time in each.times(BEIRUT)] for each in found}
    assert crons == {"readiness": ["0 7 * * *"], "health": ["0 * * * *"]}


def test_a_later_stage_ends_the_one_before(tmp_path: Path) -> None:
    """A stage that is cut short is not looked at beyond the next one's start."""
    stages = "".join(
        f'[[stages]]\npercent = {share}\nsoak = "2h"\nstarts = 2026-03-24T{hour}:00:00Z\n'
        for share, hour in ((10, "08"), (25, "09"))
    )
    first = next(each for each in occasions(plan_of(tmp_path, stages), KNOWN) if each.name == "canary-10")
    assert first.instants[-1] == datetime(2026, 3, 24, 9, 2, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Asia/Beirut", "UTC", "America/New_York", "Asia/Kathmandu"])
def test_cron_runs_at_exactly_these_moments(plan: Plan, zone: str) -> None:
    """In any zone, from a month before the launch to a month after it."""
    for each in occasions(plan, KNOWN):
        crons = [time.cron() for time in each.times(ZoneInfo(zone))]
        begin, end = each.instants[0] - timedelta(days=30), each.instants[-1] + timedelta(days=30)
        assert elapsed(crons, ZoneInfo(zone), begin, end) == sorted(each.instants)


def test_a_night_without_midnight_is_no_gap() -> None:
    """On 2026-03-29 Beirut's clocks go from 23:59 to 01:00: minute by minute the lines name the plan's moments.

    Walked by hand with cronsim's reading of the fields, for its own walk leaves out the hour after the gap.
    """
    for each in occasions(read_plan(ROOT / "examples" / "staging" / "launch.toml"), KNOWN):
        lines = [CronSim(time.cron(), datetime(2026, 1, 1, tzinfo=UTC)) for time in each.times(BEIRUT)]
        begin, end = each.instants[0] - DAY, each.instants[-1] + DAY
        minutes = (begin + n * MINUTE for n in range(int((end - begin) / MINUTE)))
        ran = [m for m in minutes if any(_names(line, m.astimezone(BEIRUT)) for line in lines)]
        assert ran == sorted(each.instants)


def _names(line: CronSim, there: datetime) -> bool:
    fields = (line.minutes, line.hours, line.months)
    here = (there.minute, there.hour, there.month)
    return all(one in several for one, several in zip(here, fields, strict=True)) and line.match_day(there.date())


def test_when_clocks_go_back_no_moment_is_left_out(tmp_path: Path) -> None:
    """An hour that comes twice may run twice; none is skipped."""
    stage = '[[stages]]\npercent = 10\nsoak = "12h"\nstarts = 2026-10-24T15:00:00Z'
    canary = occasions(plan_of(tmp_path, stage), KNOWN)[1]
    times = {instant.astimezone(BEIRUT).strftime("%d %H:%M") for instant in canary.instants}
    begin = canary.instants[0] - timedelta(days=1)
    ran = elapsed([t.cron() for t in canary.times(BEIRUT)], BEIRUT, begin, begin + timedelta(days=3))
    assert {instant.astimezone(BEIRUT).strftime("%d %H:%M") for instant in ran} == times


@pytest.mark.parametrize(
    "expression",
    ["*/15 * * * *", "0 7 * * 1-5", "5,35 8-18/2 * 3 *", "0 0 1 * 0", "0 12 13 * fri", "59 23 31 dec *", "10 4 * * 7"],
)
def test_a_line_of_cron_is_read_as_cron_reads_it(expression: str) -> None:
    """What is written back, in one line or two, runs at the same moments."""
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    back = [pattern.cron() for pattern in parsed(expression)]
    assert elapsed(back, BEIRUT, begin, end) == elapsed([expression], BEIRUT, begin, end)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("* * * *", "five fields are needed"),
        ("61 * * * *", "'61' is no minute (0 to 59)"),
        ("* 5-1 * * *", "'5-1' is no hour (0 to 23)"),
        ("* * 0 * *", "'0' is no day (1 to 31)"),
        ("*/0 * * * *", "'*/0' is no minute"),
        ("* * * * sometimes", "'sometimes' is no weekday (0 to 7)"),
        ("0 7 * * *\n* * * * *", "five fields are needed"),
        ("1;2 * * * *", "'1;2' is no minute"),
    ],
)
def test_a_wrong_line_of_cron_is_refused(expression: str, said: str) -> None:
    """The field that is wrong is named."""
    with pytest.raises(UsageError) as caught:
        parsed(expression)
    assert said in str(caught.value)


@pytest.mark.parametrize("minutes", [7, 25, 90, 60 * 36])
def test_a_pace_that_cron_cannot_say_is_refused(minutes: int) -> None:
    """What divides no hour or day would run unevenly."""
    with pytest.raises(UsageError, match="schedulers cannot say it"):
        repeated(timedelta(minutes=minutes))


def test_the_next_canary_is_due_only_while_a_stage_lasts(plan: Plan) -> None:
    """Before the launch and after it none is missed."""
    began = datetime(2026, 3, 24, 8, tzinfo=UTC)
    asked = (-DAY, timedelta(), timedelta(hours=37), timedelta(hours=38))
    assert [following(plan, "canary", began + after) for after in asked] == [None, 900.0, 900.0, None]
    assert following(plan, "health", began) is None


DAY = timedelta(days=1)


# ---- the forms, each by its scheduler's own parser


@pytest.mark.parametrize("form", Form)
def test_no_form_holds_a_secret_or_a_path_of_this_machine(
    plan: Plan, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables are named, their values are not; folders are the user's own."""
    for name in variables(plan):
        monkeypatch.setenv(name, "hush-hush-42")
    text = "\n".join(written(plan, occasions(plan, KNOWN), form, zone=BEIRUT).values())
    assert "hush-hush-42" not in text
    assert str(ROOT) not in text
    assert str(Path.home()) not in text
    assert "GOLIVE_DB_URL" in text or ".env" in text


@pytest.mark.parametrize("form", Form)
def test_a_name_cannot_become_a_line_of_its_own(tmp_path: Path, form: Form) -> None:
    """A launch's name is a comment and stays one."""
    (tmp_path / "launch.toml").write_text('name = "A\\n* * * * * rm"\ntimezone = "UTC"\n[kpis]\n')
    plan = read_plan(tmp_path / "launch.toml")
    for text in written(plan, occasions(plan, KNOWN), form, zone=BEIRUT).values():
        assert not any(line.startswith("* * * * * rm") for line in text.splitlines())


def cron_lines(text: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return a crontab's variables and its lines, as cron reads them: five fields, then the command."""
    said = [line for line in text.splitlines() if line and not line.startswith("#")]
    names = [line for line in said if line.partition("=")[0].isidentifier()]
    lines = [line.split(maxsplit=5) for line in said if line not in names]
    env = {line.partition("=")[0]: line.partition("=")[2] for line in names}
    return env, [(" ".join(parts[:5]), parts[5]) for parts in lines]


def test_crontab_runs_golive_at_the_plans_moments(plan: Plan) -> None:
    """Its lines, read by cron's rules, run each occasion's command at its moments and no other."""
    found = occasions(plan, KNOWN)
    env, lines = cron_lines(written(plan, found, Form.CRON, zone=BEIRUT)["golive.crontab"])
    begin, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 30, tzinfo=UTC)
    assert env["CRON_TZ"] == "Asia/Beirut"
    assert elapsed([cron for cron, _ in lines], BEIRUT, begin, end) == sorted(
        {instant for each in found for instant in each.instants}
    )
    assert all("%" not in command.replace(r"\%", "") for _, command in lines)


@pytest.mark.parametrize(("code", "silent"), [(0, True), (3, False), (4, False), (1, False)])
def test_crontab_is_silent_on_green_alone(plan: Plan, tmp_path: Path, code: int, silent: bool) -> None:
    """The command as cron runs it: what golive said is printed, and so mailed, unless all is green."""
    fake = tmp_path / "golive" / ".venv" / "bin" / "golive"
    fake.parent.mkdir(parents=True)
    fake.write_text(f'#!/bin/sh\necho "ran $*, 100 % in $(pwd)"\nexit {code}\n')
    fake.chmod(0o755)
    env, lines = cron_lines(written(plan, occasions(plan, KNOWN), Form.CRON, zone=BEIRUT)["golive.crontab"])
    command = next(command for _, command in lines if "stage=10" in command)
    done = subprocess.run(
        [env["SHELL"], "-c", command],
        env=env | {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = f"ran run canary -p stage=10 --timeout 10m --retries 1, 100 % in {tmp_path}/golive\n"
    said += f"(golive ended with {code})\n"
    assert (done.returncode, done.stdout, done.stderr) == (code, "" if silent else said, "")


def systemd(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze."""
    if not shutil.which("systemd-analyze"):
        absent("systemd-analyze is not installed; CI installs Debian's systemd")
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


def test_units_pass_systemds_own_check(plan: Plan, tmp_path: Path) -> None:
    """``systemd-analyze verify`` has nothing to say, not even of an unknown key."""
    golive_ = tmp_path / "kit" / ".venv" / "bin" / "golive"
    golive_.parent.mkdir(parents=True)
    golive_.write_text("#!/bin/sh\n")
    golive_.chmod(0o755)
    files = written(plan, occasions(plan, KNOWN), Form.SYSTEMD, zone=BEIRUT, folder=str(tmp_path / "kit"))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = systemd("verify", *(str(tmp_path / name) for name in files))
    assert (done.returncode, done.stderr, len(files)) == (0, "", 12)
    assert all("SuccessExitStatus=3 4" in text for name, text in files.items() if name.endswith(".service"))


def test_timers_elapse_at_the_plans_moments(plan: Plan) -> None:
    """Read by systemd itself, each calendar names the plan's instants, in its year and zone."""
    canary = occasions(plan, KNOWN)[4]
    found = []
    for pattern in canary.times(BEIRUT):
        said = systemd("calendar", "--base-time=2026-01-01", "--iterations=200", pattern.calendar("Asia/Beirut")).stdout
        lines = [line.partition(":")[2].strip() for line in said.splitlines() if "UTC" in line]
        found += [line for line in lines if line]
    assert sorted(found) == sorted(f"{instant:%a %Y-%m-%d %H:%M:%S} UTC" for instant in canary.instants)


@pytest.mark.parametrize("expression", ["*/15 * * * *", "0 7 * * 1-5", "5,35 8-18/2 * 3 *", "0 12 13 * 5"])
def test_systemd_reads_a_line_of_cron_as_cron_does(expression: str) -> None:
    """The next ten moments are the same."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    found: set[str] = set()
    for pattern in parsed(expression):
        done = systemd("calendar", "--base-time=2026-01-01 00:00:00 UTC", "--iterations=10", pattern.calendar("UTC"))
        assert done.returncode == 0, done.stderr
        found |= {line.partition(": ")[2].strip() for line in done.stdout.splitlines() if line.endswith(" UTC")}
    dated = [text for text in found if text[4:8].isdigit()]
    moments = sorted(datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC) for text in dated)[:10]
    crons = CronSim(expression, begin)
    assert moments == [next(crons) for _ in range(10)]


def workflow(plan: Plan, tmp_path: Path) -> Path:
    """Write the GitHub workflow."""
    (text,) = written(plan, occasions(plan, KNOWN), Form.GITHUB, zone=BEIRUT).values()
    path = tmp_path / "golive.yml"
    path.write_text(text)
    return path


def test_workflow_is_valid_by_githubs_schema(plan: Plan, tmp_path: Path) -> None:
    """The schema of the store, as check-jsonschema brings it; nothing is fetched."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*command, str(workflow(plan, tmp_path))], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_workflows_steps_run_for_their_own_lines(plan: Plan, tmp_path: Path) -> None:
    """Each line of cron, in the launch's zone, belongs to exactly one step; secrets are references."""
    read = yaml.safe_load(workflow(plan, tmp_path).read_text())
    lines = [(line["cron"], line["timezone"]) for line in read[True]["schedule"]]  # YAML 1.1 reads `on` as true
    steps = [step for step in read["jobs"]["golive"]["steps"] if "github.event.schedule" in step.get("if", "")]
    assert all(sum(f'"{cron}"' in step["if"] for step in steps) == 1 for cron, _ in lines)
    assert {zone for _, zone in lines} == {"Asia/Beirut"}
    assert {name: value for name, value in read["env"].items() if value != f"${{{{ secrets.{name} }}}}"} == {}


@pytest.mark.parametrize(
    ("code", "ended", "said"), [(0, 0, ""), (3, 0, "::warning"), (4, 4, "::error"), (1, 1, "::error")]
)
def test_workflows_step_treats_results_as_results(plan: Plan, tmp_path: Path, code: int, ended: int, said: str) -> None:
    """Hold warns, roll back and a crash fail the job, each in its own words."""
    (tmp_path / "golive").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / "golive").chmod(0o755)
    steps = yaml.safe_load(workflow(plan, tmp_path).read_text())["jobs"]["golive"]["steps"]
    script = next(step["run"] for step in steps if step.get("name") == "canary-10")
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split(" ")[0].strip()) == (ended, said)


def test_github_refuses_what_it_would_not_run(plan: Plan) -> None:
    """Every minute is more often than GitHub starts anything."""
    found = occasions(plan, KNOWN, ["health"], every=MINUTE)
    with pytest.raises(UsageError, match="every 5 minutes at most"):
        written(plan, found, Form.GITHUB, zone=BEIRUT)


OPERATOR = ("input_nb", "output_nb", "parameters", "kernel_name")
OF_ANY = ("task_id", "pre_execute", "retries", "execution_timeout")


def test_dags_call_the_operator_as_it_is_declared(plan: Plan) -> None:
    """The file compiles, and every operator gets the keywords that provider 3.13 and Airflow 3.3 declare.

    Airflow takes 810 MB and is not installed here: where GOLIVE_AIRFLOW_PYTHON names it, the next test asks itself.
    """
    tree = ast.parse(written(plan, occasions(plan, KNOWN), Form.AIRFLOW, zone=BEIRUT)["golive_dags.py"])
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    runs = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "PapermillOperator"]
    assert len(runs) == 6
    assert {keyword.arg for call in runs for keyword in call.keywords} == {*OPERATOR, *OF_ANY}


AIRFLOW = """
import gc, json, pendulum, runpy, sys
from airflow.sdk import DAG
from airflow.timetables.base import TimeRestriction
found = {}
runpy.run_path(sys.argv[1])
for dag in [each for each in gc.get_objects() if isinstance(each, DAG)]:
    end = pendulum.instance(dag.end_date)
    limits = TimeRestriction(pendulum.instance(dag.start_date), end, catchup=True)
    moments, last = [], None
    while (info := dag.timetable.next_dagrun_info(last_automated_data_interval=last, restriction=limits)):
        moments.append(info.run_after.isoformat())
        last = info.data_interval
    found[dag.dag_id] = {"tasks": [task.task_id for task in dag.tasks], "moments": moments}
print(json.dumps(found))
"""


def test_airflow_itself_reads_the_dags(plan: Plan, tmp_path: Path) -> None:
    """Where there is an Airflow with the provider: its own operator and timetable, at the plan's instants."""
    python = os.environ.get("GOLIVE_AIRFLOW_PYTHON")
    if not python:
        pytest.skip("GOLIVE_AIRFLOW_PYTHON names no Python that has Airflow")
    found = occasions(plan, KNOWN)
    path = tmp_path / "golive_dags.py"
    path.write_text(written(plan, found, Form.AIRFLOW, zone=BEIRUT)["golive_dags.py"])
    done = subprocess.run(
        [python, "-W", "ignore", "-c", AIRFLOW, str(path)],
        env=os.environ | {"AIRFLOW_HOME": str(tmp_path / "airflow")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    dags = json.loads(done.stdout.splitlines()[-1])
    assert {name: dag["tasks"] for name, dag in dags.items()} == {f"golive-{e.name}": ["run", "verdict"] for e in found}
    moments = {name: [datetime.fromisoformat(text) for text in dag["moments"]] for name, dag in dags.items()}
    assert moments == {f"golive-{each.name}": sorted(each.instants) for each in found}


# ---- the command


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["moon"], 2, "there is no notebook 'moon'; there are aftercare"),
        (["health"], 2, "health: how often? Give --every 1h"),
        (["--every", "1h"], 2, "are for the notebooks that are named"),
        (["health", "--every", "often"], 2, "'often' is no duration"),
        (["health", "--every", "7m"], 2, "schedulers cannot say it"),
        (["health", "--cron", "* * *"], 2, "five fields are needed"),
        (["health", "--every", "1h", "--cron", "* * * * *"], 2, "give one of them"),
        (["health", "--every", "1h", "--zone", "Moon/Base"], 2, "is no time zone"),
        (["--as", "at"], 2, "Invalid value for '--as'"),
        (["--to", "launch.toml/x"], 1, "cannot be written"),
    ],
)
def test_wrong_use_is_a_clear_message(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    """What is wrong, and what to write instead; nothing is printed that could be installed."""
    shutil.copy(ROOT / "launch.toml", tmp_path)
    done = command(tmp_path, "schedule", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_canary_without_starts_cannot_be_scheduled(tmp_path: Path) -> None:
    """Nobody knows when its stages are."""
    with pytest.raises(UsageError, match="no stage has 'starts'"):
        occasions(plan_of(tmp_path), KNOWN, ["canary"])


def test_a_launch_that_is_over_is_said(tmp_path: Path) -> None:
    """The demo's stages are long past: the lines are printed, and the error stream says so."""
    shutil.copy(ROOT / "launch.toml", tmp_path)
    done = command(tmp_path, "schedule")
    assert (done.returncode, "this launch was over on 2026-03-25" in " ".join(done.stderr.split())) == (0, True)


def test_units_are_written_where_they_are_wanted(tmp_path: Path) -> None:
    """``--to`` gives files that systemd finds."""
    shutil.copy(ROOT / "launch.toml", tmp_path)
    command(tmp_path, "schedule", "health", "--every", "1h", "--as", "systemd", "--to", "units")
    assert sorted(path.name for path in (tmp_path / "units").iterdir()) == [
        "golive-health.service",
        "golive-health.timer",
    ]


# ---- plain papermill


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_plain_papermill_runs_every_notebook(
    path: Path, healthy: DemoDatabase, env: dict[str, str], tmp_path: Path
) -> None:
    """Each notebook runs to its end by papermill's own command."""
    own = {"GOLIVE_OUTPUTS": str(tmp_path / "out"), "GOLIVE_BACKUPS": str(tmp_path), "GOLIVE_DB_URL": healthy.url}
    done = subprocess.run(
        [sys.executable, "-m", "papermill", str(path), str(tmp_path / "out.ipynb")],
        capture_output=True,
        text=True,
        env=os.environ | env | own,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    verdict = command(tmp_path, "verdict", "out.ipynb")
    assert verdict.returncode in {0, 3, 4}, verdict.stderr


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_papermill_explains_every_parameter(path: Path) -> None:
    """``--help-notebook`` lists each with its type, its default and its help."""
    command = [sys.executable, "-m", "papermill", "--help-notebook", str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for each in parameters(path):
        assert f"  {each.name}: {each.type} (default {each.default})" in shown
        assert len(each.help) > 10
        assert each.help in shown


def test_patterns_are_as_few_as_they_can_be() -> None:
    """Days alike share a line, and a year of its own keeps systemd from coming again."""
    instants = [datetime(2026, 3, day, hour, 30, tzinfo=UTC) for day in (1, 2, 3) for hour in (8, 9)]
    assert patterns(instants, ZoneInfo("UTC")) == [Pattern((30,), (8, 9), (1, 2, 3), (3,), year=2026)]
    assert [each.cron() for each in patterns(instants, ZoneInfo("UTC"))] == ["30 8,9 1-3 3 *"]
