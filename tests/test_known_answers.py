"""Known answers on a real PostgreSQL, and engines that answer nearly as it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from golive_lib import open_launch
from golive_lib.errors import DatabaseError, QueryFailed
from golive_lib.known_answers import QUESTIONS, believe, examine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from golive_lib.db import Snapshot
    from golive_lib.demo import DemoDatabase
    from golive_lib.statement import Statement, Value

    Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture
def postgres(healthy: DemoDatabase) -> Iterator[Snapshot]:
    """Give a snapshot of PostgreSQL, whose answers are the known ones."""
    with open_launch(healthy.url).postgres.snapshot() as snapshot:
        yield snapshot


def floats(frame: pd.DataFrame) -> pd.DataFrame:
    """Add decimals up as floats."""
    return frame.assign(tenths=sum([0.1] * 1000))


def cut(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep three digits behind the point."""
    return frame.assign(fine=frame["fine"].round(1))


def nearest(frame: pd.DataFrame) -> pd.DataFrame:
    """Answer with a row where PostgreSQL answers between two."""
    return frame.assign(one=frame["one"].round())


def without_zone(frame: pd.DataFrame) -> pd.DataFrame:
    """Answer with times that have no zone."""
    return frame.assign(before=frame["before"].dt.tz_localize(None))


def other_zone(frame: pd.DataFrame) -> pd.DataFrame:
    """Take local times for UTC."""
    return frame.assign(summer=frame["summer"] + pd.Timedelta(hours=3))


def earlier_of_two(frame: pd.DataFrame) -> pd.DataFrame:
    """Take the first of a repeated hour."""
    return frame.assign(twice=frame["twice"] - pd.Timedelta(hours=1))


def nulls_move(frame: pd.DataFrame) -> pd.DataFrame:
    """Put the nulls at the other end."""
    return frame.iloc[[1, 2, 0]] if frame["x"].isna().iloc[0] else frame.iloc[[2, 0, 1]]


def null_counts(frame: pd.DataFrame) -> pd.DataFrame:
    """Count null as true."""
    return frame.assign(yes=frame["yes"] + 1)


def one_row_less(frame: pd.DataFrame) -> pd.DataFrame:
    """Lose a row among thousands."""
    return frame.assign(events=frame["events"] - 1)


def fractions(frame: pd.DataFrame) -> pd.DataFrame:
    """Divide integers to a fraction."""
    return frame.assign(down=3.5)


def drifting(frame: pd.DataFrame) -> pd.DataFrame:
    """Be off by the last bit of a float."""
    return frame.assign(ms=frame["ms"] - 2e-8)


def never_null(frame: pd.DataFrame) -> pd.DataFrame:
    """Take null for a value that equals none."""
    return frame.assign(unequal=frame["unequal"].fillna(value=True))


def from_the_epoch(frame: pd.DataFrame) -> pd.DataFrame:
    """Count bins from the hour, whatever the origin."""
    return frame.assign(after=frame["after"].dt.floor("min"))


def tied(frame: pd.DataFrame) -> pd.DataFrame:
    """Fall a hair below what all rows are."""
    return frame.assign(several=pd.Series([[2000.1, 2000.1, 2000.0999999999997, 2000.1]]))


TRAPS: dict[str, tuple[str, Change, str]] = {
    "a float for a decimal": ("decimals", floats, "99.9999999999986"),
    "decimals cut": ("decimals", cut, "1000.0,"),
    "an approximate percentile": ("percentiles are exact", nearest, "1251.0"),
    "a percentile that rounds off a tie": ("percentiles of a tie", tied, "2000.0999999999997"),
    "a time without its zone": ("local times", without_zone, "'2026-03-28T21:59:00',"),
    "another zone": ("local times", other_zone, "2026-10-24T22:59:00+00:00"),
    "the other one of a repeated hour": ("local times", earlier_of_two, "2026-10-24T20:30:00+00:00"),
    "nulls first": ("nulls come last", nulls_move, "(None,), (1,), (2,)"),
    "nulls last when turned round": ("nulls come first", nulls_move, "(2,), (1,), (None,)"),
    "a filter that counts null": ("a filter counts", null_counts, "(3, 2,"),
    "a row lost": ("every minute", one_row_less, "5001.0"),
    "integers that divide to fractions": ("integers divide", fractions, "3.5"),
    "durations as floats": ("durations", drifting, "90002900.09999998"),
    "null unequal to a value": ("null is distinct", never_null, "(True, True, True)"),
    "bins from elsewhere": ("instants fall", from_the_epoch, "2026-03-24T08:02:00+00:00"),
}


def engine(postgres: Snapshot, trap: str) -> Callable[[Statement, Mapping[str, Value]], pd.DataFrame]:
    """Give an engine that is PostgreSQL but for one trap."""
    title, change, _ = TRAPS[trap]
    (sql,) = (question.sql for question in QUESTIONS if question.title.startswith(title))

    def ask(statement: Statement, values: Mapping[str, Value]) -> pd.DataFrame:
        frame = postgres.frame(statement, values)
        return change(frame) if statement.sql == sql else frame

    return ask


def test_postgresql_gives_the_known_answers(postgres: Snapshot) -> None:
    """The answers are PostgreSQL's own."""
    assert examine(postgres.frame) == ()


@pytest.mark.parametrize("trap", TRAPS)
def test_an_engine_that_differs_is_refused(postgres: Snapshot, trap: str) -> None:
    """Each trap is found, alone, and the difference is shown."""
    title, _, shown = TRAPS[trap]
    with pytest.raises(DatabaseError, match=f"nearly: .*answers 1 of {len(QUESTIONS)} known questions") as refused:
        believe("nearly:", engine(postgres, trap))
    assert f"\n  {title}" in str(refused.value)
    assert shown in str(refused.value).partition(", is (")[2]


def test_an_engine_that_cannot_is_refused(postgres: Snapshot) -> None:
    """A question that fails is a difference, and the reason is shown."""

    def ask(statement: Statement, values: Mapping[str, Value]) -> pd.DataFrame:
        if "date_bin" in statement.sql:
            raise QueryFailed("no", reason="there is no date_bin")
        return postgres.frame(statement, values)

    assert {difference.got for difference in examine(ask)} == {"there is no date_bin"}


def test_an_engine_that_answers_nothing_is_refused(postgres: Snapshot) -> None:
    """No rows are no answer."""

    def ask(statement: Statement, values: Mapping[str, Value]) -> pd.DataFrame:
        return postgres.frame(statement, values).iloc[:0]

    assert len(examine(ask)) == len(QUESTIONS)
