"""The payments funnel on a real PostgreSQL: its figures against plain pandas, and what odd rows do to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import pandas as pd
import pytest
from plant import change

from golive_lib.funnel import STEPS, Funnel, examine
from golive_lib.funnel_charts import NOTHING, funnel_chart, hours_chart
from golive_lib.funnel_points import JUDGED, Cohort, compared
from golive_lib.intervals import newcombe, wilson
from golive_lib.launch import Launch, open_launch
from golive_lib.query import compose
from golive_lib.spans import spans
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.demo import DemoDatabase
    from golive_lib.proof import Point

    Clone = Callable[[], DemoDatabase]

ROOT = Path(__file__).parents[1]
PLANS = {"healthy": ROOT / "launch.toml", "staging": ROOT / "examples" / "staging" / "launch.toml"}
RANKS = {"succeeded": 0, "refunded": 1, "failed": 2, "pending": 3}
# A payment of the window that succeeded, with the booking that a client in earnest made for it.
PAID: LiteralString = """(select p.id from payment_transactions p join bookings b on b.id = p.booking_id
  join profiles u on u.user_id = b.client_id where not u.is_test and p.status = 'succeeded'
  and b.created_at between '2026-03-25 00:00Z' and '2026-03-25 20:00Z' order by p.id limit 1)"""
AGAIN: LiteralString = """insert into payment_transactions
  (user_id, booking_id, amount, currency, status, method, created_at, settled_at)
  select user_id, booking_id, amount, currency, {}, method, created_at + interval '1 minute',
    settled_at + interval '1 minute'
  from payment_transactions where id = """
WINDOW: LiteralString = "created_at >= '2026-03-24 22:00Z' and created_at < '2026-03-25 22:00Z'"
LOOSE: LiteralString = """alter table payment_transactions alter currency drop not null,
  alter metadata drop not null, alter status drop not null, alter amount drop not null,
  drop constraint payment_transactions_amount_check"""


def asked(launch: Launch, *, alone: bool = False) -> Funnel:
    """Examine at the database's clock; ``alone`` without hours before the launch."""
    with launch.database.snapshot() as snapshot:
        looked = spans(launch.plan, snapshot.clock.now)
        return examine(launch, snapshot, replace(looked, prelaunch=None) if alone else looked)


def opened(demo: DemoDatabase) -> Launch:
    """Open the kit's own plan on a demo."""
    return open_launch(demo.url, plan=PLANS["healthy"])


def planted(clone: Clone, *statements: LiteralString) -> Funnel:
    """Examine a copy of the demo with something planted in it."""
    demo = clone()
    change(demo, LOOSE, *statements)
    return asked(opened(demo))


def of(funnel: Funnel, what: str) -> Point:
    """Return the point whose name begins so."""
    return next(point for point in funnel.points if point.what.startswith(what))


def now(funnel: Funnel) -> Cohort:
    """Return the bookings of the last hours, which must have been followed."""
    assert funnel.now is not None
    return funnel.now


def listed(funnel: Funnel, part: str) -> dict[str, int]:
    """Return the bookings of a part by value."""
    rows = now(funnel).part(part)
    return {str(value): int(n) for value, n in zip(rows["value"], rows["bookings"], strict=True)}


def payments(funnel: Funnel, what: str) -> int:
    """Return how many payments were found to be so."""
    rows = now(funnel).attempts
    return int(rows.loc[rows["what"] == what, "payments"].sum())


@pytest.fixture(scope="module")
def usual(healthy: DemoDatabase) -> Funnel:
    """Examine the demo as it is."""
    return asked(opened(healthy))


# The cross-check: the raw rows of the three sources, followed in plain pandas.


def raw(launch: Launch, source: str) -> pd.DataFrame:
    """Pull all rows of a source."""
    with launch.database.snapshot() as snapshot:
        return snapshot.frame(compose(launch.query(f"sources/{source}"), launch.queries), {})


def waits(cohort: pd.DataFrame, tried: pd.DataFrame, talks: pd.DataFrame, until: pd.Timestamp) -> tuple[float, float]:
    """Return P95 of booking to settled, and of appointment to connected, in seconds."""
    real = tried[~(tried["by_test"] | tried["test_mode"])]
    paid = cohort[~cohort["by_test"]].merge(real, on="booking", suffixes=("", "_p"))
    paid = paid[(paid["at_p"] >= paid["at"]) & (paid["settled_at"] >= paid["at_p"]) & (paid["settled_at"] <= until)]
    met = cohort[~cohort["by_test"]].merge(talks, on="booking", suffixes=("", "_t"))
    met = met[(met["connected_at"] >= met["scheduled_at"]) & (met["connected_at"] <= until)]
    settle = (paid["settled_at"] - paid["at"]).dt.total_seconds().quantile(0.95)
    meet = (met["connected_at"] - met["scheduled_at"]).dt.total_seconds().quantile(0.95)
    return float(settle), float(meet)


def followed(launch: Launch, cohorts: list[Cohort]) -> list[pd.DataFrame]:
    """Return every booking of each cohort with the steps it reached, and what sets it apart."""
    bookings, tried, talks = (raw(launch, name) for name in ("bookings", "payment_attempts", "talks"))
    kinds = set(bookings[bookings["booking"].isin(talks["booking"])]["kind"])
    whole = [(bookings[bookings["at"].between(c.span.since, c.span.until, inclusive="left")], c.span) for c in cohorts]
    usual = [waits(rows, tried, talks, pd.Timestamp(span.until)) for rows, span in whole]
    settle, meet = (pd.Timedelta(seconds=max(each)) for each in zip(*usual, strict=True))
    return [follow(rows.copy(), tried, talks, pd.Timestamp(s.until), (settle, meet, kinds)) for rows, s in whole]


def follow(
    rows: pd.DataFrame,
    tried: pd.DataFrame,
    talks: pd.DataFrame,
    until: pd.Timestamp,
    given: tuple[pd.Timedelta, pd.Timedelta, set[str]],
) -> pd.DataFrame:
    """Follow one cohort."""
    settle, meet, kinds = given
    tried = tried[tried["at"] < until].assign(test=tried["by_test"] | tried["test_mode"])
    tried["state"] = tried["status"].mask(tried["settled_at"] >= until, "pending")
    real = tried[~tried["test"]].assign(rank=lambda each: each["state"].map(RANKS).fillna(9))
    best = real.sort_values(["rank", "settled_at", "at"]).drop_duplicates("booking").set_index("booking")
    joined = rows.join(best[["state", "settled_at", "amount", "currency", "method"]], on="booking")
    first = joined["booking"].map(real.groupby("booking")["at"].min())
    joined["started"] = first.notna()
    joined["settled"] = joined["state"].isin(["succeeded", "refunded", "failed"])
    joined["paid"] = joined["state"].isin(["succeeded", "refunded"])
    joined["completed"] = joined["state"] == "succeeded"
    hour = joined[["scheduled_at", "at"]].max(axis=1) + meet
    joined["due"] = joined["completed"] & joined["kind"].isin(kinds) & (hour <= until)
    joined["held"] = joined["due"] & joined["booking"].isin(talks.loc[talks["connected_at"] < until, "booking"])
    joined["start"] = (first - joined["at"]).dt.total_seconds()
    joined["settle"] = (joined["settled_at"] - first).dt.total_seconds()
    joined["apart"] = ""
    joined.loc[joined["at"] > until - settle, "apart"] = "still open"
    joined.loc[~joined["started"] & joined["booking"].isin(tried["booking"]), "apart"] = "with test payments only"
    joined.loc[joined["by_test"], "apart"] = "of test accounts"
    return joined.fillna({"method": "no payment started"}).reset_index(drop=True)


@pytest.fixture(scope="module", params=["healthy", "staging"])
def both(request: pytest.FixtureRequest) -> list[tuple[Cohort, pd.DataFrame]]:
    """Return each cohort as the database counted it, and as pandas follows it, on both deployments."""
    url = request.getfixturevalue(request.param)
    launch = open_launch(url if isinstance(url, str) else url.url, plan=PLANS[request.param])
    funnel = asked(launch)
    cohorts = [cohort for cohort in (funnel.now, funnel.before) if cohort]
    assert len(cohorts) == 2
    return list(zip(cohorts, followed(launch, cohorts), strict=True))


def test_steps_agree_with_pandas(both: list[tuple[Cohort, pd.DataFrame]]) -> None:
    """Bookings and distinct clients at each step, and those set apart, before and after the launch."""
    for cohort, rows in both:
        kept = rows[rows["apart"] == ""]
        assert cohort.count("bookings") == len(kept) > 100
        assert cohort.count("clients") == kept["client"].nunique()
        for step in ("started", "settled", "completed", "due", "held"):
            assert (step, cohort.count(step)) == (step, kept[step].sum())
            assert cohort.count(f"{step}_clients") == kept.loc[kept[step], "client"].nunique()
        assert cohort.count("paid") == kept["paid"].sum()
        apart = cohort.part("apart").set_index("value")["bookings"]
        assert apart.to_dict() == rows.loc[rows["apart"] != "", "apart"].value_counts().to_dict()


def test_parts_agree_with_pandas(both: list[tuple[Cohort, pd.DataFrame]]) -> None:
    """Bookings and completed payments by method, device, role and hour."""
    for cohort, rows in both:
        hours = ((rows["at"] - cohort.span.since) // pd.Timedelta(hours=1)) * pd.Timedelta(hours=1) + cohort.span.since
        kept = rows.assign(device=rows["device"].fillna("not known"), hour=hours)[rows["apart"] == ""]
        for part in ("method", "device", "role", "hour"):
            ours = cohort.part(part).set_index("value")[["bookings", "completed"]]
            ours.index = pd.to_datetime(ours.index, utc=True) if part == "hour" else ours.index
            theirs = kept.groupby(part)["completed"].agg(["size", "sum"])
            assert ours.sort_index().to_numpy().tolist() == theirs.sort_index().to_numpy().tolist()
            assert list(ours.sort_index().index) == list(theirs.sort_index().index)


def test_money_agrees_with_pandas(both: list[tuple[Cohort, pd.DataFrame]]) -> None:
    """Sums per currency at the steps at which money is known."""
    for cohort, rows in both:
        kept = rows[(rows["apart"] == "") & rows["started"]]
        ours = cohort.rows[(cohort.rows["part"] == "all") & cohort.rows["currency"].notna()].set_index("currency")
        for step in ("started", "settled", "completed"):
            theirs = kept[kept[step]].groupby("currency")["amount"].sum().to_dict()
            assert ours[f"{step}_amount"].to_dict() == pytest.approx(theirs)
        lost = kept[~kept["completed"]].groupby("currency")["amount"].sum().to_dict()
        assert ours["lost_amount"].to_dict() == pytest.approx(lost)


def test_times_agree_with_pandas(both: list[tuple[Cohort, pd.DataFrame]]) -> None:
    """Median and P95 from booking to payment, and from there to its settlement."""
    for cohort, rows in both:
        kept = rows[rows["apart"] == ""]
        for column, times in (("start", kept["start"]), ("settle", kept.loc[kept["settled"], "settle"])):
            ours = cohort.part("all")[f"{column}_seconds"].item()
            assert ours == pytest.approx(times.quantile([0.5, 0.95]).tolist(), abs=1e-6)


def test_pending_agrees_with_pandas(healthy: DemoDatabase, usual: Funnel) -> None:
    """Old pending payments: how many and how much over all time, and the oldest twenty of them."""
    tried, until = raw(opened(healthy), "payment_attempts"), pd.Timestamp(now(usual).span.until)
    old = tried[(tried["status"] == "pending") & (tried["at"] < until - timedelta(hours=1)) & ~tried["by_test"]]
    detail = of(usual, "pending").detail
    assert detail.startswith(f"{len(old)} payments since ")
    assert f"(USD {old['amount'].sum():,.2f} in all)" in detail
    assert usual.pending["payment_id"].tolist() == old.sort_values("at")["payment"].head(20).tolist()


# The statistics.


def test_wilson_is_the_published_one() -> None:
    """Newcombe 1998, Statistics in Medicine 17:857, table I, method 3."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)


def test_newcombe_is_the_published_one() -> None:
    """Newcombe 1998, Statistics in Medicine 17:873, table II, method 10."""
    assert newcombe((56, 70), (48, 80)) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert newcombe((10, 10), (0, 10)) == pytest.approx((0.6075, 1.0), abs=5e-5)


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [
        (-9.0, -5.1, Status.RED),
        (-9.0, -4.9, Status.AMBER),
        (-2.0, -0.1, Status.AMBER),
        (-4.9, 0.1, Status.GREEN),
        (-5.1, 0.1, Status.AMBER),
        (1.0, 2.0, Status.GREEN),
    ],
)
def test_drop_is_judged_by_its_interval(low: float, high: float, status: Status) -> None:
    """Red when all of it is below five points, amber when proven or not ruled out, green when that is ruled out."""
    row = (JUDGED, 0.8, 0.8, (low + high) / 2, low, high, "as said")
    names = ["conversion", "prelaunch_share", "now_share", "points", "low_points", "high_points", "said"]
    assert compared(pd.DataFrame([row], columns=names), 0.05).status is status


# What was planted.


def test_broken_payments_are_red(clone: Clone, usual: Funnel) -> None:
    """After the launch every third payment fails: proven lower by more than five points."""
    third: LiteralString = "and get_byte(uuid_send(id), 0) % 3 = 0"
    found = planted(
        clone, f"update payment_transactions set status = 'failed' where status = 'succeeded' and {WINDOW} {third}"
    )
    assert of(found, "bookings that are paid").status is Status.RED
    assert "points lower" in of(found, "bookings that are paid").detail
    assert of(usual, "bookings that are paid").status in {Status.GREEN, Status.AMBER}


def test_same_failures_before_and_after_show_no_difference(clone: Clone) -> None:
    """The look-alike: payments that always failed are no news."""
    fail: LiteralString = "update payment_transactions set status = 'failed' where get_byte(uuid_send(id), 0) % 3 = 0"
    assert "no difference shown" in of(planted(clone, fail), "bookings that are paid").detail


def test_no_payment_in_the_window_is_unknown(clone: Clone) -> None:
    """Bookings without any payment: nobody knows whether people stopped paying or the table stopped filling."""
    found = planted(clone, f"delete from payment_transactions where {WINDOW}")
    assert of(found, "payments of").status is Status.UNKNOWN
    assert of(found, "payments of").detail.startswith("no payment was tried; ")
    assert "nan" not in " ".join(point.said for point in found.points)


def test_nothing_at_all_is_unknown(clone: Clone) -> None:
    """Empty tables prove nothing, and draw nothing."""
    found = planted(clone, "truncate bookings, payment_transactions, call_sessions, call_consent_logs, call_recordings")
    assert {point.status for point in found.points} == {Status.UNKNOWN}
    assert (funnel_chart(found).summary, hours_chart(found, opened(clone()).zone).summary) == (NOTHING, NOTHING)


def test_missing_table_is_unknown(clone: Clone) -> None:
    """A source that cannot be asked makes the section unknown and says why; nothing is raised."""
    found = planted(clone, "alter table call_sessions rename to sessions")
    assert [(point.status, "table missing" in point.detail) for point in found.points] == [(Status.UNKNOWN, True)]
    assert (found.proof.tables, funnel_chart(found).summary) == ({}, NOTHING)


def test_no_hours_before_is_said_and_no_point(healthy: DemoDatabase) -> None:
    """A plan without a beginning is held against nothing, which is said."""
    found = asked(opened(healthy), alone=True)
    assert [point.what for point in found.points if "before" in point.what] == []
    assert of(found, "payments of").status is Status.GREEN
    assert of(found, "payments of").detail.endswith("no hours before the launch to hold them against")


@pytest.mark.parametrize("nothing", ["null", "''", "' '"])
def test_payment_without_a_currency_is_in_no_other_sum(clone: Clone, usual: Funnel, nothing: LiteralString) -> None:
    """One currency missing: amber, listed by itself, and the dollars are fewer by it."""
    found = planted(clone, f"update payment_transactions set currency = {nothing}, amount = 1234 where id = {PAID}")
    assert of(found, "payments' currencies").status is Status.AMBER
    assert of(found, "payments' currencies").detail == "1 without one, no currency 12.34, in no other sum"
    assert "no currency 12.34" in now(found).money("all", "all", "completed")
    assert now(found).count("completed") == now(usual).count("completed")


def test_currencies_are_never_added(clone: Clone) -> None:
    """A million Lebanese pounds stay beside the dollars."""
    found = planted(clone, f"update payment_transactions set currency = 'LBP', amount = 100000000 where id = {PAID}")
    assert of(found, "payments' currencies").status is Status.GREEN
    assert now(found).money("all", "all", "completed").startswith("LBP 1,000,000.00; USD ")


def test_null_metadata_is_a_payment_in_earnest(clone: Clone, usual: Funnel) -> None:
    """Without metadata nobody said that it was a test."""
    found = planted(clone, f"update payment_transactions set metadata = null where {WINDOW}")
    assert (now(found).count("completed"), listed(found, "apart")) == (
        now(usual).count("completed"),
        listed(usual, "apart"),
    )


def test_test_mode_is_set_apart(clone: Clone, usual: Funnel) -> None:
    """A booking with none but a test payment is in no figure; test_mode false is in earnest."""
    mode: LiteralString = 'update payment_transactions set metadata = \'{"test_mode": "%s"}\' where id = ' + PAID
    found, look_alike = (planted(clone, mode.replace("%s", word)) for word in ("true", "false"))
    assert listed(found, "apart")["with test payments only"] == 1
    assert payments(found, "in test mode") == payments(usual, "in test mode") + 1
    assert now(found).count("bookings") == now(usual).count("bookings") - 1
    assert now(look_alike).count("completed") == now(usual).count("completed")


def test_test_accounts_are_set_apart(clone: Clone, usual: Funnel) -> None:
    """All bookings of somebody who becomes a test account leave the figures."""
    payer: LiteralString = f"(select user_id from payment_transactions where id = {PAID})"
    found = planted(clone, f"update profiles set is_test = true where user_id = {payer}")
    more = listed(found, "apart")["of test accounts"] - listed(usual, "apart").get("of test accounts", 0)
    young = listed(found, "apart").get("still open", 0) - listed(usual, "apart").get("still open", 0)
    assert more > 0
    assert now(found).count("bookings") == now(usual).count("bookings") - more - young


def test_second_attempt_saves_the_booking(clone: Clone, usual: Funnel) -> None:
    """A failed payment and then one that went through: the booking counts once, completed, and is no double payment."""
    found = planted(clone, AGAIN.format("'failed'") + PAID)
    assert listed(found, "said")["with several payments, counted once"] == 1
    assert [now(found).count(step) for step in STEPS] == [now(usual).count(step) for step in STEPS]
    assert of(found, "bookings paid more").status is Status.GREEN


def test_paying_twice_is_amber(clone: Clone, usual: Funnel) -> None:
    """Two payments that went through for one booking: once in the figures, and said."""
    found = planted(clone, AGAIN.format("'succeeded'") + PAID)
    assert (of(found, "bookings paid more").status, of(found, "bookings paid more").detail) == (Status.AMBER, "1")
    money = [now(funnel).money("all", "all", "completed") for funnel in (found, usual)]
    assert money[0] == money[1]


def test_payment_without_a_booking_is_said(clone: Clone, usual: Funnel) -> None:
    """It belongs to no booking, so it is listed and its booking counts as unpaid."""
    found = planted(clone, f"update payment_transactions set booking_id = null where id = {PAID}")
    assert payments(found, "without a booking") == payments(usual, "without a booking") + 1
    assert now(found).count("completed") == now(usual).count("completed") - 1


def test_refund_is_not_completed_and_not_a_drop(clone: Clone, usual: Funnel) -> None:
    """A refunded payment was paid, is lost money, and is listed."""
    found = planted(clone, f"update payment_transactions set status = 'refunded' where id = {PAID}")
    assert payments(found, "refunded") == payments(usual, "refunded") + 1
    assert listed(found, "lost")["4: payment refunded"] == listed(usual, "lost").get("4: payment refunded", 0) + 1
    assert now(found).count("completed") == now(usual).count("completed") - 1
    assert now(found).count("paid") == now(usual).count("paid")


@pytest.mark.parametrize(
    ("odd", "what"),
    [
        ("status = null", "of no known status"),
        ("settled_at = created_at - interval '5 minutes'", "settled before they were made"),
        ("settled_at = null", "settled without a time"),
        ("amount = null", "without an amount"),
        ("amount = 0", "of 0 or less"),
        ("amount = -500", "of 0 or less"),
    ],
)
def test_odd_payment_is_amber_and_said(clone: Clone, odd: LiteralString, what: str) -> None:
    """Each row that contradicts itself is counted, and the figures stand."""
    found = planted(clone, f"update payment_transactions set {odd} where id = {PAID}")
    point = of(found, "payments that contradict")
    assert (point.status, point.detail) == (Status.AMBER, f"1 {what}")
    assert found.proof.tables["Time between the steps"]["p50_seconds"].min() >= 0


def test_unknown_status_is_not_settled(clone: Clone, usual: Funnel) -> None:
    """Nobody knows what became of it, so it has started and no more."""
    found = planted(clone, f"update payment_transactions set status = null where id = {PAID}")
    assert now(found).count("started") == now(usual).count("started")
    assert now(found).count("settled") == now(usual).count("settled") - 1


def test_booking_without_a_client_is_counted(clone: Clone, usual: Funnel) -> None:
    """It is a booking, and nobody's."""
    booking: LiteralString = f"(select booking_id from payment_transactions where id = {PAID})"
    loose: LiteralString = "alter table bookings alter client_id drop not null"
    found = planted(clone, loose, f"update bookings set client_id = null where id = {booking}")
    assert listed(found, "said")["without a client"] == 1
    assert now(found).count("bookings") == now(usual).count("bookings")


def test_young_booking_is_still_open(clone: Clone, usual: Funnel) -> None:
    """Made 5 seconds ago it has not failed; made an hour ago it has."""
    at: LiteralString = "update bookings set created_at = timestamptz '2026-03-25 22:00Z' - interval '%s' where id = "
    unpaid: LiteralString = f"""(select b.id from bookings b where {WINDOW}
      and status = 'cancelled' and created_at < '2026-03-25 20:00Z'
      and not exists (select from payment_transactions p where p.booking_id = b.id) order by id limit 1)"""
    young, older = (planted(clone, at.replace("%s", age) + unpaid) for age in ("5 seconds", "1 hour"))
    before = listed(usual, "apart").get("still open", 0)
    assert listed(young, "apart")["still open"] == before + 1
    assert now(young).count("bookings") == now(usual).count("bookings") - 1
    assert now(older).count("bookings") == now(usual).count("bookings")


def test_earlier_bookings_are_followed_no_longer(clone: Clone, usual: Funnel) -> None:
    """What settled after the hours before the launch were over had not settled then: both are followed equally long."""
    late: LiteralString = "update payment_transactions set settled_at = '2026-03-24 01:00Z' where settled_at between "
    found = planted(clone, late + "'2026-03-23 15:00Z' and '2026-03-23 22:00Z'")
    assert found.before is not None
    assert usual.before is not None
    assert found.before.count("started") == usual.before.count("started")
    assert found.before.count("settled") < usual.before.count("settled")


def test_call_ahead_is_not_lost(clone: Clone, usual: Funnel) -> None:
    """A paid booking for tomorrow waits; one whose hour passed without a call is lost, by its status."""
    booking: LiteralString = (
        "(select b.id from bookings b join call_sessions c on c.booking_id = b.id join payment_transactions p on "
    )
    booking += (
        f"p.booking_id = b.id where b.{WINDOW} and b.scheduled_at < '2026-03-25 20:00Z' and p.status = 'succeeded' "
    )
    booking = (
        booking.replace("and created_at", "and b.created_at") + "and c.status = 'completed' order by b.id limit 1)"
    )
    gone: LiteralString = "update call_sessions set connected_at = null where booking_id = "
    move: LiteralString = "update bookings set scheduled_at = '2026-03-27 10:00Z' where id = "
    lost, ahead = planted(clone, gone + booking), planted(clone, move + booking)
    assert [now(lost).count(step) - now(usual).count(step) for step in ("due", "held")] == [0, -1]
    assert [now(ahead).count(step) - now(usual).count(step) for step in ("due", "held")] == [-1, -1]


def test_chats_expect_no_call(usual: Funnel) -> None:
    """A kind of booking that never had a call is said, and loses none."""
    assert any(what.startswith("of kind chat, which never had a call") for what in listed(usual, "said"))
    assert not any("of kind voice" in what for what in listed(usual, "said"))


def test_fresh_pending_payment_is_not_old(clone: Clone, usual: Funnel) -> None:
    """Half an hour is no reason yet; two hours are. The list shows shortened ids and money in its currency."""
    wait: LiteralString = (
        "update payment_transactions set status = 'pending', settled_at = null, created_at = timestamptz "
    )
    wait += "'2026-03-25 22:00Z' - interval '%s' where id = "
    fresh, old = (planted(clone, wait.replace("%s", age) + PAID) for age in ("30 minutes", "2 hours"))
    counts = [int(of(funnel, "pending").detail.split()[0]) for funnel in (usual, fresh, old)]
    assert counts == [counts[0], counts[0], counts[0] + 1]
    table = old.proof.tables["Pending for the longest"]
    assert {len(each) for each in table["payment_id"]} == {8}
    assert table["money"].str.startswith("USD ").all()


def test_more_pending_than_before_the_launch_is_amber(clone: Clone, usual: Funnel) -> None:
    """Some checkouts are always walked away from; the launch is judged by how many more there are."""
    many = planted(
        clone,
        "update payment_transactions set status = 'pending', settled_at = null where created_at between "
        "timestamptz '2026-03-25 10:00Z' and timestamptz '2026-03-25 16:00Z' and metadata ->> 'test_mode' is null",
    )
    assert [of(funnel, "pending").status for funnel in (usual, many)] == [Status.GREEN, Status.AMBER]
    assert of(many, "pending").detail.endswith("more than then")


def test_nothing_pending_is_green(clone: Clone) -> None:
    """Without an old pending payment there is nothing to look at."""
    found = planted(clone, "delete from payment_transactions where status = 'pending'")
    assert of(found, "pending").status is Status.GREEN


def test_tables_are_for_people(usual: Funnel) -> None:
    """At most seven columns, and as many rows as a page holds."""
    assert {
        name: frame.shape for name, frame in usual.proof.tables.items() if frame.shape[1] > 7 or len(frame) > 25
    } == {}


def test_funnel_chart_shows_both_cohorts(usual: Funnel, healthy: DemoDatabase) -> None:
    """A bar per step and cohort with its count and share on it, and the answer in a sentence."""
    chart = funnel_chart(usual)
    assert [trace.name for trace in chart.figure.data] == ["before the launch", "now"]
    assert [len(trace.x) for trace in chart.figure.data] == [len(STEPS), len(STEPS)]
    assert chart.figure.layout.xaxis.title.text == "bookings, % of all made"
    assert chart.figure.data[1].text[0] == f"{now(usual).count('bookings')} · 100\N{NO-BREAK SPACE}%"
    assert " bookings ended in a completed payment, and " in chart.summary
    assert [trace.name for trace in funnel_chart(asked(opened(healthy), alone=True)).figure.data] == ["now"]


def test_hours_chart_shows_the_interval(usual: Funnel, healthy: DemoDatabase) -> None:
    """A line with its band, in local time, against the share from before the launch."""
    chart = hours_chart(usual, opened(healthy).zone)
    assert len(chart.figure.data) == 4
    assert chart.figure.layout.xaxis.title.text == "time (Beirut)"
    assert chart.figure.layout.yaxis.title.text == "completed, % of bookings"
    assert chart.summary.startswith("By hour, ")
