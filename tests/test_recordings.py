"""Recordings on a real PostgreSQL as the read-only role: what fails, what only looks so, what a sample shows."""

from __future__ import annotations

from dataclasses import replace
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

import numpy as np
import pandas as pd
import pytest
from plant import change

from golive_lib.launch import Launch, open_launch
from golive_lib.plan_night import AftercareRules
from golive_lib.query import parse
from golive_lib.recordings import RULES, SHOWN, Estimate, Recordings, estimate, examine
from golive_lib.spans import spans
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.demo import DemoDatabase

    Clone = Callable[[], DemoDatabase]

ROOT = Path(__file__).parents[1]
CONSENT, PROOF, FILE, TIMES, CALL = (rule.what for rule in RULES)
SAMPLE = "the sample to listen to"

# Two calls of the window, neither of a test account; the day before the window; and a call of a test account in it.
MARK = """
create table mark as
select r.id as recording, r.call_id as call, c.client_id as client, c.reader_id as reader, r.started_at, r.storage_path,
  row_number() over (order by r.started_at, r.id) as n
from call_recordings r join call_sessions c on c.id = r.call_id
where r.started_at > '2026-03-25 10:00Z'
  and not exists (select from profiles p where p.is_test and p.user_id in (c.client_id, c.reader_id))
order by r.started_at, r.id limit 2
"""
ONE = "call_id = (select call from mark where n = 1)"
OF_CLIENT = ONE + " and user_id = (select client from mark where n = 1)"
OF_READER = ONE + " and user_id = (select reader from mark where n = 1)"
THIS = "id = (select recording from mark where n = 1)"
BEGAN = "(select started_at from mark where n = 1)"
UNDATED = "alter table call_consent_logs alter column consented_at drop not null"
ENDLESS = "alter table call_recordings alter column ended_at drop not null"
STARTLESS = "alter table call_recordings alter column started_at drop not null"

FAULTS: dict[str, tuple[list[LiteralString], str, str]] = {
    "the client never consented": (
        [f"delete from call_consent_logs where {OF_CLIENT}"],
        CONSENT,
        "the client gave no consent",
    ),
    "the reader never consented": (
        [f"delete from call_consent_logs where {OF_READER}"],
        CONSENT,
        "the reader gave no consent",
    ),
    "nobody did": (
        [f"delete from call_consent_logs where {ONE}"],
        CONSENT,
        "the client gave no consent; the reader gave no consent",
    ),
    "a consent of somebody else": (
        [f"update call_consent_logs set user_id = gen_random_uuid() where {OF_READER}"],
        CONSENT,
        "the reader gave no consent",
    ),
    "a consent to another call": (
        [f"update call_consent_logs set call_id = (select call from mark where n = 2) where {OF_CLIENT}"],
        CONSENT,
        "the client gave no consent",
    ),
    "consent came after the start": (
        [f"update call_consent_logs set consented_at = {BEGAN} + interval '1 ms' where {OF_READER}"],
        CONSENT,
        "the reader consented after it began",
    ),
    "consent came at the very start": (
        [f"update call_consent_logs set consented_at = {BEGAN} where {OF_CLIENT}"],
        CONSENT,
        "the client consented after it began",
    ),
    "the call has no reader": (
        [
            "alter table call_sessions alter column reader_id drop not null",
            "update call_sessions set reader_id = null where id = (select call from mark where n = 1)",
        ],
        CONSENT,
        "the reader gave no consent",
    ),
    "no address": (
        [f"update call_consent_logs set client_ip = null where {OF_CLIENT}"],
        PROOF,
        "the consent of the client has no IP address",
    ),
    "an empty address": (
        [f"update call_consent_logs set client_ip = '' where {OF_READER}"],
        PROOF,
        "the consent of the reader has no IP address",
    ),
    "the address of nobody": (
        [f"update call_consent_logs set client_ip = '0.0.0.0' where {OF_CLIENT}"],
        PROOF,
        "the consent of the client has no IP address",
    ),
    "a word for an address": (
        [f"update call_consent_logs set client_ip = 'unknown' where {OF_CLIENT}"],
        PROOF,
        "the consent of the client has no IP address",
    ),
    "no time": (
        [UNDATED, f"update call_consent_logs set consented_at = null where {OF_READER}"],
        PROOF,
        "the consent of the reader has no time",
    ),
    "the file is gone": (
        ["delete from storage.objects where name = (select storage_path from mark where n = 1)"],
        FILE,
        "its file is not in storage",
    ),
    "the file is in another bucket": (
        ["update storage.objects set bucket_id = 'zodiac' where name = (select storage_path from mark where n = 1)"],
        FILE,
        "its file is not in storage",
    ),
    "it ends before its start": (
        [f"update call_recordings set ended_at = started_at - interval '1 s' where {THIS}"],
        TIMES,
        "it does not end after its start",
    ),
    "it lasts no time": (
        [f"update call_recordings set ended_at = started_at where {THIS}"],
        TIMES,
        "it does not end after its start",
    ),
    "it has no end, though its call has": (
        [ENDLESS, f"update call_recordings set ended_at = null where {THIS}"],
        TIMES,
        "it has no end",
    ),
    "its call is not known": (
        [f"update call_recordings set call_id = gen_random_uuid() where {THIS}"],
        CALL,
        "its call is not known, so nobody can say who consented",
    ),
}

LOOK_ALIKES: dict[str, list[LiteralString]] = {
    "a second consent without an address": [
        "insert into call_consent_logs select gen_random_uuid(), call_id, user_id, null, consented_at, created_at "
        f"from call_consent_logs where {OF_CLIENT}"
    ],
    "a second consent after the start": [
        "insert into call_consent_logs select gen_random_uuid(), call_id, user_id, client_ip, "
        f"{BEGAN} + interval '1 h', created_at from call_consent_logs where {OF_READER}"
    ],
    "an IPv6 address": [f"update call_consent_logs set client_ip = '2001:db8::7' where {OF_CLIENT}"],
    "an address with its mask": [f"update call_consent_logs set client_ip = '198.51.100.7/32' where {OF_READER}"],
    "consent just before": [
        f"update call_consent_logs set consented_at = {BEGAN} - interval '1 microsecond' where {ONE}"
    ],
    "a file of that name in two buckets": [
        "insert into storage.objects (bucket_id, name) select 'zodiac', storage_path from mark where n = 1"
    ],
    "faults of the day before": [
        "delete from call_consent_logs where consented_at < '2026-03-24 21:00Z'",
        "delete from storage.objects where bucket_id = 'recordings' and created_at < '2026-03-24 21:00Z'",
    ],
    "a call nobody recorded": [
        f"delete from call_recordings where {THIS}",
        f"delete from call_consent_logs where {ONE}",
    ],
}


def opened(url: str, plan: str = "launch.toml") -> Launch:
    """Open a plan of this clone on a database."""
    return open_launch(url, plan=ROOT / plan)


def look(launch: Launch) -> Recordings:
    """Examine the recordings of the last day."""
    with launch.postgres.snapshot() as snapshot:
        return examine(launch, snapshot, spans(launch.plan, snapshot.clock.now))


def drawing(launch: Launch, recordings: int, seed: int = 1) -> Launch:
    """Return the launch with another sample."""
    rules = AftercareRules(recordings=recordings, seed=seed)
    return Launch(replace(launch.plan, aftercare=rules), launch.queries, launch.database)


def statuses(found: Recordings) -> dict[str, Status]:
    """Return the status of each point."""
    return {point.what: point.status for point in found.points}


def test_healthy_recordings_are_green(healthy: DemoDatabase) -> None:
    """Every recording has what it needs; counts, sample and summary say so."""
    found = look(opened(healthy.url))
    assert set(statuses(found).values()) == {Status.GREEN}
    assert (found.right, len(found.failing)) == (1.0, 0)
    assert found.proof.reason.startswith("both parties' consent, its proof and the file are there for all")


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_found(clone: Clone, fault: str) -> None:
    """Exactly the planted recording fails, its reason is said, and only the rule it breaks is red."""
    planted, rule, said = FAULTS[fault]
    demo = clone()
    change(demo, MARK, *planted)
    found = look(drawing(opened(demo.url), 1))
    assert found.failing["finding"].tolist() == [said]
    assert [what for what, status in statuses(found).items() if status is Status.RED and what != SAMPLE] == [rule]
    assert found.proof.tables["Recordings that fail"]["finding"].tolist() == [said]


@pytest.mark.parametrize("case", LOOK_ALIKES)
def test_look_alike_passes(clone: Clone, case: str) -> None:
    """What only looks like a fault leaves everything green."""
    demo = clone()
    change(demo, MARK, *LOOK_ALIKES[case])
    assert set(statuses(look(opened(demo.url))).values()) == {Status.GREEN}


def test_every_reason_is_said(clone: Clone) -> None:
    """A recording with several faults is listed once, with all of them."""
    demo = clone()
    change(
        demo,
        MARK,
        f"update call_consent_logs set client_ip = '', consented_at = {BEGAN} + interval '1 s' where {OF_CLIENT}",
        f"delete from call_consent_logs where {OF_READER}",
        "delete from storage.objects where name = (select storage_path from mark where n = 1)",
        f"update call_recordings set ended_at = started_at where {THIS}",
    )
    assert look(opened(demo.url)).failing["finding"].tolist() == [
        "the client consented after it began; the consent of the client has no IP address; the reader gave no consent; "
        "its file is not in storage; it does not end after its start"
    ]


def test_recording_without_a_start(clone: Clone) -> None:
    """It belongs to its call's day; no consent can be shown to come before it."""
    demo = clone()
    change(demo, MARK, STARTLESS, f"update call_recordings set started_at = null where {THIS}")
    found = look(opened(demo.url))
    assert found.failing["finding"].tolist() == ["it has no start"]
    assert statuses(found)[TIMES] is Status.RED


def test_recording_nobody_can_date_counts_in_every_window(clone: Clone) -> None:
    """Without a call and a start it may be of any day, so it is not passed over."""
    demo = clone()
    change(demo, STARTLESS, "update call_recordings set started_at = null, call_id = gen_random_uuid()")
    assert statuses(look(opened(demo.url)))[CALL] is Status.RED


def test_running_recording_needs_no_end_yet(clone: Clone) -> None:
    """While call and recording go on there is neither end nor file, and that is said; consent is needed already."""
    demo = clone()
    change(
        demo,
        MARK,
        ENDLESS,
        f"update call_recordings set ended_at = null where {THIS}",
        "update call_sessions set ended_at = null where id = (select call from mark where n = 1)",
        "delete from storage.objects where name = (select storage_path from mark where n = 1)",
    )
    found = look(opened(demo.url))
    assert set(statuses(found).values()) == {Status.GREEN}
    assert next(point.detail for point in found.points if point.what == FILE).endswith("(1 still run)")
    change(demo, f"delete from call_consent_logs where {OF_READER}")
    assert statuses(look(opened(demo.url)))[CONSENT] is Status.RED


def test_test_accounts_stand_apart(clone: Clone) -> None:
    """Recordings of test accounts are counted in rows of their own, never drawn, and turn nothing red."""
    demo = clone()
    change(
        demo,
        MARK,
        "update profiles set is_test = true where user_id = (select client from mark where n = 1)",
        f"delete from call_consent_logs where {ONE}",
    )
    found = look(drawing(opened(demo.url), 10_000))
    assert set(statuses(found).values()) == {Status.GREEN}
    assert int(found.kinds.loc[found.kinds["by_test"], "failing"].sum()) == 1
    assert not found.sample["by_test"].any()
    assert "voice (test accounts)" in found.proof.tables["Recordings by call type"]["call_type"].tolist()


def test_no_recording_is_unknown(clone: Clone) -> None:
    """Nothing recorded proves nothing; recordings of test accounts alone are no more."""
    demo = clone()
    change(demo, "update profiles set is_test = true")
    found = look(opened(demo.url)).proof
    assert (found.status, "of test accounts" in found.reason) == (Status.UNKNOWN, True)
    change(demo, "delete from call_recordings")
    found = look(opened(demo.url)).proof
    assert (found.status, found.reason) == (Status.UNKNOWN, "recordings: there is none of the last 24 h")


def test_missing_table_is_unknown(clone: Clone) -> None:
    """What cannot be asked is unknown, with the table and the file to adapt."""
    demo = clone()
    change(demo, "drop table call_recordings cascade")
    proof = look(opened(demo.url)).proof
    assert proof.status is Status.UNKNOWN
    assert "table missing" in proof.reason
    assert "queries/sources/recordings.sql" in proof.reason


# A deployment that keeps the answer: null is about something else than recording.
ANSWERED = """-- title: One row per answer.
-- columns: consent text, at timestamptz, client_ip text, call text, person uuid, given_at timestamptz, given boolean
select id::text as consent, created_at as at, client_ip, call_id::text as call, user_id as person,
  consented_at as given_at, given
from public.call_consent_logs
"""


def answering(demo: DemoDatabase) -> Launch:
    """Open a launch whose consents may be refused or withdrawn."""
    launch = opened(demo.url)
    source = parse(ANSWERED, name="sources/consents", path=Path("consents.sql"))
    return Launch(launch.plan, {**launch.queries, source.name: source}, launch.database)


@pytest.mark.parametrize(
    ("answers", "finding"),
    [
        (f"update call_consent_logs set given = false where {OF_CLIENT}", "the client refused or withdrew"),
        (f"update call_consent_logs set given = null where {OF_CLIENT}", "the client gave no consent"),
        (
            "insert into call_consent_logs select gen_random_uuid(), call_id, user_id, client_ip, "
            f"consented_at + interval '1 microsecond', created_at, false from call_consent_logs where {OF_READER}",
            "the reader refused or withdrew",
        ),
        (
            "insert into call_consent_logs select gen_random_uuid(), call_id, user_id, client_ip, "
            f"null, created_at, false from call_consent_logs where {OF_READER}",
            "the reader refused or withdrew",
        ),
        (
            "insert into call_consent_logs select gen_random_uuid(), call_id, user_id, client_ip, "
            f"consented_at - interval '1 minute', created_at, false from call_consent_logs where {OF_READER}",
            None,
        ),
        (
            "insert into call_consent_logs select gen_random_uuid(), call_id, user_id, client_ip, "
            f"{BEGAN} + interval '1 minute', created_at, false from call_consent_logs where {OF_READER}",
            None,
        ),
    ],
    ids=["refused", "to something else", "withdrawn", "refused at no known time", "refused first", "withdrawn later"],
)
def test_the_last_answer_before_the_start_counts(clone: Clone, answers: LiteralString, finding: str | None) -> None:
    """A consent holds until it is withdrawn; what came before it, or after the recording began, does not matter."""
    demo = clone()
    change(demo, MARK, UNDATED, "alter table call_consent_logs add given boolean default true", answers)
    assert look(answering(demo)).failing["finding"].tolist() == ([finding] if finding else [])


def hashed(text: str) -> str:
    """Return what md5() of the database does."""
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def test_sample_is_reproducible(healthy: DemoDatabase) -> None:
    """The seed decides: the same one draws the same in the order of its hash, another one others."""
    launch = opened(healthy.url)
    drawn = [look(drawing(launch, 20, seed)).sample["recording"].tolist() for seed in (1, 1, 2)]
    everything = look(drawing(launch, 10_000)).sample["recording"].tolist()
    assert drawn[0] == drawn[1] == sorted(everything, key=lambda one: hashed(f"1{one}"))[:20]
    assert set(drawn[0]) != set(drawn[2])


def test_sample_holds_every_call_type(clone: Clone) -> None:
    """A type of one recording is drawn too; the others in proportion to their number."""
    demo = clone()
    change(
        demo,
        MARK,
        "alter table call_sessions drop constraint call_sessions_call_type_check",
        "update call_sessions set call_type = 'siren' where id = (select call from mark where n = 1)",
        "update call_sessions set call_type = 'video' where get_byte(uuid_send(id), 0) < 64",
        "update call_sessions set call_type = 'siren' where id = (select call from mark where n = 1)",
    )
    found = look(drawing(opened(demo.url), 20))
    sizes = dict(zip(found.real["kind"], found.real["recordings"], strict=True))
    drawn = dict(zip(found.real["kind"], found.real["drawn"], strict=True))
    assert (sizes["siren"], drawn["siren"], sum(drawn.values()), len(found.sample)) == (1, 1, 20, 20)
    quota = {kind: 17 * (size - 1) / (found.population - 3) for kind, size in sizes.items()}
    assert all(1 + int(quota[kind]) <= drawn[kind] <= 2 + int(quota[kind]) for kind in ("voice", "video"))
    rounded_up = max(quota, key=lambda kind: quota[kind] % 1)
    assert drawn[rounded_up] == 2 + int(quota[rounded_up])


def test_few_recordings_are_all_drawn(healthy: DemoDatabase) -> None:
    """A sample as large as the population is a census: its share is exact."""
    found = look(drawing(opened(healthy.url), 10_000))
    assert len(found.sample) == found.population
    assert found.estimate == Estimate(1, 1, 1)
    assert next(
        p.detail for p in found.points if p.what == SAMPLE
    ) == f"all {found.population}; 100 % are right".replace("100 %", "100\N{NO-BREAK SPACE}%")


def test_sample_covers_what_was_counted(clone: Clone) -> None:
    """With a tenth of all files gone the interval of most samples holds the share counted one by one."""
    demo = clone()
    change(demo, "delete from storage.objects where bucket_id = 'recordings' and get_byte(uuid_send(id), 1) < 26")
    launch, covered = opened(demo.url), 0
    for seed in range(20):
        found = look(drawing(launch, 30, seed))
        assert found.estimate is not None
        assert found.right is not None
        covered += found.estimate.low <= found.right <= found.estimate.high
    assert covered >= 19


def strata(*rows: tuple[int, int, int]) -> pd.DataFrame:
    """Make kinds of (recordings, drawn, drawn that fail)."""
    return pd.DataFrame(rows, columns=["recordings", "drawn", "drawn_failing"])


def test_estimate_is_clopper_and_pearsons() -> None:
    """By hand: none of 60 fails: the low end p has p ** 60 = 0.025; 1 of 10 of a hundred, from their tables."""
    found = estimate(strata((100_000, 60, 0)))
    assert (found.share, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 60))
    found = estimate(strata((100_000, 10, 1)))
    assert [found.low, found.high] == pytest.approx([0.5550, 0.9975], abs=5e-5)


def test_estimate_keeps_to_what_is_possible() -> None:
    """Of 20 with 19 drawn and all right at most one can be wrong; a type drawn whole adds no doubt."""
    assert estimate(strata((20, 19, 0))).low == 19 / 20
    assert estimate(strata((20, 19, 19))).high == 1 / 20
    assert estimate(strata((5, 5, 1), (3, 3, 0))) == Estimate(7 / 8, 7 / 8, 7 / 8)


@pytest.mark.parametrize("failing", [(1, 1, 2, 5, 40), (0, 2, 0, 30, 10), (1, 0, 5, 0, 300), (0, 0, 0, 1, 1)])
def test_interval_is_on_the_safe_side(failing: tuple[int, ...]) -> None:
    """Drawn a thousand times from uneven types, the interval holds the true share at least 95 times of 100."""
    sizes, drawn = (1, 2, 5, 60, 900), (1, 1, 1, 4, 53)
    truth, random, held = 1 - sum(failing) / sum(sizes), np.random.default_rng(7), 0
    right = [size - wrong for size, wrong in zip(sizes, failing, strict=True)]
    for hits in random.hypergeometric(failing, right, drawn, (1000, 5)):
        found = estimate(strata(*zip(sizes, drawn, hits, strict=True)))
        held += found.low <= truth <= found.high
    assert held >= 950


def raw(launch: Launch, table: str) -> pd.DataFrame:
    """Pull a whole table."""
    with launch.postgres.snapshot() as snapshot:
        rows = snapshot._connection.exec_driver_sql(f"select * from {table}")
        return pd.DataFrame(rows.all(), columns=list(rows.keys()), dtype=object)


DEMO = {
    "people": ("user_id",),
    "calls": ("id", "client_id", "reader_id", "connected_at", "requested_at", "call_type"),
    "consents": ("call_id", "user_id", "consented_at", "client_ip", None),
    "recordings": ("id", "call_id", "started_at", "ended_at", "storage_path"),
}
STAGED = {
    "people": ("id",),
    "calls": ("id", "client_id", "reader_id", "actual_start_time", "created_at", "call_type"),
    "consents": ("call_session_id", "user_id", "consent_timestamp", "ip_address", "consent_status"),
    "recordings": ("id", "call_session_id", "recording_started_at", "recording_ended_at", "primary_file_path"),
}


def by_hand(launch: Launch, names: dict[str, Any], since: str, until: str) -> tuple[dict[str, int], set[str]]:
    """Judge each recording of the window in plain Python: how many there are by type, and which fail."""
    profiles, files = raw(launch, "profiles"), raw(launch, "storage.objects")
    tests = set(profiles.loc[profiles["is_test"].eq(True), names["people"][0]])
    stored = set(files.loc[files["bucket_id"] == "recordings", "name"])
    call, client, reader, connected, asked, kind = names["calls"]
    calls = raw(launch, "call_sessions").set_index(call)
    of_call, person, given_at, ip, status = names["consents"]
    consents = raw(launch, "call_consent_logs").groupby(of_call)
    own, its_call, start, end, path = names["recordings"]
    counted: dict[str, int] = {}
    failing = set()
    for row in raw(launch, "call_recordings").to_dict("records"):
        known = row[its_call] in calls.index
        talk = calls.loc[row[its_call]] if known else None
        began = row[start] if talk is None else talk[asked] if pd.isna(talk[connected]) else talk[connected]
        if not pd.Timestamp(since) <= began < pd.Timestamp(until):
            continue
        if talk is None:
            counted["no type"] = counted.get("no type", 0) + 1
            failing.add(str(row[own]))
            continue
        if {talk[client], talk[reader]} & tests:
            continue
        counted[talk[kind]] = counted.get(talk[kind], 0) + 1
        given = (
            consents.get_group(row[its_call]) if row[its_call] in consents.groups else pd.DataFrame(columns=[person])
        )
        good = {
            each[person]
            for each in given.to_dict("records")
            if each[given_at] is not None
            and each[given_at] < row[start]
            and str(each[ip] or "") not in {"", "0.0.0.0", "unknown"}  # noqa: S104  an address that proves nothing
            and (status is None or each[status] == "given")
        }
        if not {talk[client], talk[reader]} <= good or row[path] not in stored or row[end] <= row[start]:
            failing.add(str(row[own]))
    return counted, failing


def agrees(launch: Launch, names: dict[str, Any]) -> Recordings:
    """Assert that the section's figures are those made by hand, for the last day of the launch's clock."""
    found = look(launch)
    with launch.postgres.snapshot() as snapshot:
        now = spans(launch.plan, snapshot.clock.now).now
    counted, failing = by_hand(launch, names, now.since.isoformat(), now.until.isoformat())
    assert dict(zip(found.real["kind"], found.real["recordings"], strict=True)) == counted
    assert set(found.failing.loc[~found.failing["by_test"], "recording"]) == failing
    assert int(found.real["failing"].sum()) == len(failing)
    assert found.right == 1 - len(failing) / sum(counted.values())
    return found


def test_healthy_agrees_with_pandas(healthy: DemoDatabase) -> None:
    """The database's figures are those of a loop over the raw rows."""
    agrees(opened(healthy.url), DEMO)


def test_staging_agrees_with_pandas(staging: str) -> None:
    """So they are on a deployment with other names and types, where one file is missing."""
    found = agrees(opened(staging, "examples/staging/launch.toml"), STAGED)
    assert found.failing.loc[~found.failing["by_test"], "finding"].tolist() == ["its file is not in storage"]
    assert set(found.sample["kind"]) == {"scheduled", "emergency"}


def test_many_faults_agree_with_pandas(clone: Clone) -> None:
    """With faults of every kind strewn about, the same recordings fail, and only the first are shown, all masked."""
    demo = clone()
    change(
        demo,
        UNDATED,
        "update call_consent_logs set client_ip = '' where get_byte(uuid_send(id), 0) < 12",
        "update call_consent_logs set client_ip = '0.0.0.0' where get_byte(uuid_send(id), 1) < 12",
        "update call_consent_logs set consented_at = null where get_byte(uuid_send(id), 2) < 12",
        "update call_consent_logs set consented_at = consented_at + interval '1 minute' "
        "where get_byte(uuid_send(id), 3) < 12",
        "delete from call_consent_logs where get_byte(uuid_send(id), 4) < 12",
        "insert into call_consent_logs select gen_random_uuid(), call_id, user_id, client_ip, consented_at, created_at "
        "from call_consent_logs where get_byte(uuid_send(call_id), 5) < 40",
        "delete from storage.objects where get_byte(uuid_send(id), 9) < 12",
        "update call_recordings set ended_at = started_at - interval '1 s' where get_byte(uuid_send(id), 10) < 12",
        "update call_recordings set call_id = gen_random_uuid() where get_byte(uuid_send(id), 11) < 12",
    )
    found = agrees(opened(demo.url), DEMO)
    assert all(status is Status.RED for status in statuses(found).values())
    caption, shown = next((name, table) for name, table in found.proof.tables.items() if "fail" in name)
    assert caption == f"Recordings that fail (the first {SHOWN} of {int(found.real['failing'].sum())})"
    assert shown.shape == (SHOWN, 7)
    assert shown["recording"].str.len().eq(8).all()
    assert not shown["file"].str.contains(r"[0-9a-f]{8}-[0-9a-f]{4}-").any()
