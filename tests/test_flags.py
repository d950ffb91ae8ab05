"""Flags on a real PostgreSQL as the read-only role: what must be found, and what only looks wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import pytest
from plant import change, opened

from golive_lib.clock import Clock
from golive_lib.flags import TABLE, prove_flags
from golive_lib.launch import Launch, open_launch
from golive_lib.plan_readiness import FlagRules
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.demo import DemoDatabase, DemoServer
    from golive_lib.proof import Point, Proof

    Clone = Callable[[], DemoDatabase]

ROOT = Path(__file__).parents[1]
PERCENTAGE = "backend.flatTables.canaryPercentage"


def prove(launch: Launch, *, stage: float | None = None, later: timedelta = timedelta()) -> Proof:
    """Prove the flags, at the demo's clock or some time from it."""
    with launch.postgres.snapshot() as snapshot:
        snapshot.clock = Clock(snapshot.clock.now + later, snapshot.clock.fixed)
        return prove_flags(launch, snapshot, stage=stage)


def other(launch: Launch, rules: FlagRules) -> Launch:
    """Return the launch with other rules."""
    return Launch(replace(launch.plan, flags=rules), launch.queries, launch.database)


def of(proof: Proof, what: str) -> Point:
    """Return one point."""
    return next(point for point in proof.points if point.what == what)


def open_points(proof: Proof) -> list[tuple[str, Status]]:
    """Name the points that are not green."""
    return [(point.what, point.status) for point in proof.points if point.status is not Status.GREEN]


def test_healthy_flags_are_green(healthy: DemoDatabase) -> None:
    """Every flag says what the plan expects; the table shows them all with the time of their last change."""
    proof = prove(opened(healthy))
    assert open_points(proof) == []
    assert len(proof.points) == len(proof.tables[TABLE]) == 10
    assert proof.tables[TABLE]["changed_at"].notna().all()
    assert of(proof, PERCENTAGE).detail == "is 100, as expected for the stage of 100 % that runs"


FAULTS: dict[str, tuple[LiteralString, str, str]] = {
    "on instead of off": (
        "update feature_flags set value = 'true' where key = 'calls.video'", "calls.video", "is true, expected false",
    ),
    "missing": ("delete from feature_flags where key = 'ui.rtlRefine'", "ui.rtlRefine", "is missing"),
    "a text": (
        """update feature_flags set value = '"true"' where key = 'ui.rtlRefine'""", "ui.rtlRefine",
        'is a text ("true"), expected a boolean: true',
    ),
    "a number": (
        "update feature_flags set value = '1' where key = 'ui.rtlRefine'", "ui.rtlRefine",
        "is a number (1), expected a boolean: true",
    ),
    "null": (
        "update feature_flags set value = 'null' where key = 'ui.rtlRefine'", "ui.rtlRefine",
        "is empty (null), expected a boolean: true",
    ),
    "an object": (
        """update feature_flags set value = '{"on": true}' where key = 'ui.rtlRefine'""", "ui.rtlRefine",
        'is an object ({"on": true}), expected a boolean: true',
    ),
    "a key in the place of a switch": (
        f"""update feature_flags set value = '"sk_live_{"a1" * 8}"' where key = 'ui.rtlRefine'""", "ui.rtlRefine",
        'is a text ("•••"), expected a boolean: true',
    ),
    "there twice": (
        (
            "alter table feature_flags drop constraint feature_flags_pkey;"
            "insert into feature_flags values ('ui.rtlRefine', 'false')"
        ),
        "ui.rtlRefine",
        "is there 2 times, with true, false: nobody can say which the app takes",
    ),
    "of another case": (
        "update feature_flags set key = 'UI.rtlRefine' where key = 'ui.rtlRefine'", "ui.rtlRefine", "is missing",
    ),
    "a percentage as text": (
        f"""update feature_flags set value = '"100"' where key = '{PERCENTAGE}'""", PERCENTAGE,
        'is a text ("100"), expected a number: 100 for the stage of 100 % that runs',
    ),
    "a percentage that is none": (
        f"update feature_flags set value = '101' where key = '{PERCENTAGE}'", PERCENTAGE,
        "is 101, which is no percentage of 0 to 100",
    ),
    "a percentage of another stage": (
        f"update feature_flags set value = '50' where key = '{PERCENTAGE}'", PERCENTAGE,
        "is 50, expected 100 for the stage of 100 % that runs",
    ),
    "no percentage": (f"delete from feature_flags where key = '{PERCENTAGE}'", PERCENTAGE, "is missing"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_red(clone: Clone, fault: str) -> None:
    """Each fault is red at its flag, with what is there and what should be."""
    statement, flag, detail = FAULTS[fault]
    demo = clone()
    change(demo, *statement.split(";"))
    proof = prove(opened(demo))
    assert (of(proof, flag).status, of(proof, flag).detail) == (Status.RED, detail)
    assert [what for what, status in open_points(proof) if status is Status.RED] == [flag]
    assert proof.tables[TABLE].set_index("flag")["status"][flag] == "red"


def test_looks_wrong_and_is_not(clone: Clone) -> None:
    """A number with a fraction of nothing is the same number, and an old change is no fault."""
    demo = clone()
    change(demo, f"update feature_flags set value = '100.0', updated_at = '2020-01-01' where key = '{PERCENTAGE}'")
    assert open_points(prove(opened(demo))) == []


def test_stranger_is_amber_until_the_plan_names_it(clone: Clone) -> None:
    """A flag that the plan does not name may do anything; listed under others it is agreed."""
    demo = clone()
    change(demo, "insert into feature_flags values ('feature.old', '{}'), ('mail.maya@example.com', '1')")
    launch = opened(demo)
    proof = prove(launch)
    assert open_points(proof) == [("other flags", Status.AMBER)]
    assert of(proof, "other flags").detail.startswith("the plan does not name feature.old, m")
    assert "maya@" not in str(proof)
    agreed = replace(launch.plan.flags, others=("feature.old", "mail.maya@example.com"))
    assert open_points(prove(other(launch, agreed))) == []


def test_what_nobody_judges_is_not_shown(clone: Clone) -> None:
    """Of a flag that the plan does not expect only the kind of its value is told, also where it is there twice."""
    demo = clone()
    change(
        demo,
        "alter table feature_flags drop constraint feature_flags_pkey",
        """insert into feature_flags values ('mail.password', '"correct horse"'), ('mail.password', '["battery"]'),
        ('pin', '4711'), ('mail.on', 'true'), ('hook', '{"to": "https://example.com/hidden"}')""",
    )
    launch = opened(demo)
    proof = prove(other(launch, replace(launch.plan.flags, others=("hook", "pin"))))
    table = proof.tables[TABLE].set_index("flag")["found"]
    assert table["hook"] == "an object of 36 characters"
    assert (table["pin"], table["mail.on"]) == ("a number", "a boolean")
    assert "with a text of 13 characters, a list of 11 characters" in of(proof, "mail.password").detail
    everything = f"{proof!r} {proof.record()} {table.to_csv()}"
    assert [word for word in ("horse", "battery", "4711", "hidden") if word in everything] == []


@pytest.mark.parametrize(
    ("stage", "percentage", "expected"),
    [(10, "10", Status.GREEN), (10, "100", Status.RED), (0, "0", Status.GREEN), (0, "10", Status.RED)],
)
def test_percentage_is_held_against_the_stage_given(
    clone: Clone, stage: float, percentage: LiteralString, expected: Status
) -> None:
    """A stage that is asked for decides, whatever runs by the plan."""
    demo = clone()
    change(demo, f"update feature_flags set value = '{percentage}' where key = '{PERCENTAGE}'")
    assert of(prove(opened(demo), stage=stage), PERCENTAGE).status is expected


@pytest.mark.parametrize(
    ("hours", "percentage", "expected"),
    [
        (-40, "0", Status.GREEN),  # before the launch
        (-40, "10", Status.GREEN),
        (-40, "25", Status.RED),
        (-37, "10", Status.GREEN),
        (-37, "0", Status.RED),
        (-35, "25", Status.GREEN),  # the second stage
        (200, "100", Status.GREEN),  # long after the last stage's soak
    ],
)
def test_percentage_follows_the_plans_starts(
    clone: Clone, hours: int, percentage: LiteralString, expected: Status
) -> None:
    """By the clock the running stage decides; before the first one nothing or its own percentage."""
    demo = clone()
    change(demo, f"update feature_flags set value = '{percentage}' where key = '{PERCENTAGE}'")
    assert of(prove(opened(demo), later=timedelta(hours=hours)), PERCENTAGE).status is expected


def test_percentage_without_starts_is_that_before_the_launch(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A plan that names no start has not begun."""
    lines = (ROOT / "launch.toml").read_text().splitlines()
    plan = tmp_path / "launch.toml"
    plan.write_text("\n".join(line for line in lines if not line.startswith(("starts", "queries"))))
    point = of(prove(open_launch(healthy.url, plan=plan)), PERCENTAGE)
    assert (point.status, point.detail) == (Status.RED, "is 100, expected 0 or 10 before the first stage")


UNKNOWN: dict[str, tuple[LiteralString, str]] = {
    "no table": ("drop table feature_flags", "table missing"),
    "no column": ("alter table feature_flags rename updated_at to changed", "column missing"),
    "no row": ("delete from feature_flags", "answers with no row"),
}


@pytest.mark.parametrize("fault", UNKNOWN)
def test_source_that_says_nothing_is_unknown(clone: Clone, fault: str) -> None:
    """Without a row nobody knows what the app's flags are, and the reason is given."""
    statement, reason = UNKNOWN[fault]
    demo = clone()
    change(demo, statement)
    proof = prove(opened(demo))
    assert proof.status is Status.UNKNOWN
    assert proof.reason.startswith(f"flags source: {reason}")


def test_plan_without_flags_is_unknown(healthy: DemoDatabase) -> None:
    """A plan that expects nothing proves nothing."""
    assert prove(other(opened(healthy), FlagRules())).status is Status.UNKNOWN


def test_text_and_number_flags_are_compared_by_type(clone: Clone) -> None:
    """A plan may expect texts and numbers too; true is not 1."""
    demo = clone()
    change(demo, """insert into feature_flags values ('theme', '"dark"'), ('limit', '12'), ('one', 'true')""")
    launch = opened(demo)
    rules = FlagRules(expected={"theme": "dark", "limit": 12, "one": 1}, others=tuple(launch.plan.flags.expected))
    proof = prove(other(launch, replace(rules, others=(*rules.others, PERCENTAGE))))
    assert open_points(proof) == [("one", Status.RED)]


def test_staging_flags_are_read_from_its_settings_table(staging: str) -> None:
    """Texts with a type become booleans and numbers, by a source of the deployment's own."""
    launch = open_launch(staging, plan=ROOT / "examples" / "staging" / "launch.toml")
    kit = open_launch(staging, plan=ROOT / "launch.toml")
    found = dict(open_points(prove(other(launch, kit.plan.flags))))
    assert found == {
        "feature.readerInstant": Status.RED,
        "feature.dailyZodiac": Status.RED,
        "other flags": Status.AMBER,
    }


def test_staging_text_of_the_wrong_type_stays_a_text(demo_server: DemoServer, staging: str) -> None:
    """What the settings table calls a boolean and is none is said, not guessed."""
    launch = open_launch(staging, plan=ROOT / "examples" / "staging" / "launch.toml")
    kit = open_launch(staging, plan=ROOT / "launch.toml")
    with demo_server.connect("staging") as connection:
        sql = "update system_configurations set config_value_plain = %s where config_key = 'calls.video'"
        connection.execute(sql, ["off"])
        try:
            point = of(prove(other(launch, kit.plan.flags)), "calls.video")
        finally:
            connection.execute(sql, ["false"])
    assert (point.status, point.detail) == (Status.RED, 'is a text ("off"), expected a boolean: false')
