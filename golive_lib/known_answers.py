"""Questions whose answers are known, put to an engine before it is believed: one that answers otherwise is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from golive_lib.errors import DatabaseError, QueryFailed
from golive_lib.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from golive_lib.statement import Value

    Ask = Callable[[Statement, Mapping[str, Value]], pd.DataFrame]

INFINITY = float("inf")
ROWS = 5002  # n * 7919 % 5003 runs through 1 … 5002 in no order, for 5003 is prime
_ROWS = f"(select (n * 7919 % {ROWS + 1})::double precision as v from generate_series(1, {ROWS}) as s (n)) r"
_BEIRUT = "timestamp '{}' at time zone 'Asia/Beirut'"
_LEAPS = ", ".join(
    f"{_BEIRUT.format(local)} as {name}"
    for name, local in {
        "before": "2026-03-28 23:59",
        "skipped": "2026-03-29 00:30",
        "after": "2026-03-29 01:00",
        "summer": "2026-10-24 22:59",
        "twice": "2026-10-24 23:30",
        "winter": "2026-10-25 00:00",
    }.items()
)


@dataclass(frozen=True)
class Question:
    """PostgreSQL's SQL with the rows that PostgreSQL answers; instants are spelled in ISO, in UTC."""

    title: str
    sql: str
    answer: tuple[tuple[object, ...], ...]
    values: Mapping[str, Value] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """A question that an engine answers otherwise than PostgreSQL; ``got`` may be the reason why it could not."""

    title: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.title}: should be {self.expected}, is {self.got}"


QUESTIONS = (
    Question(
        "percentiles are exact and between two rows",
        "select percentile_cont(0.25) within group (order by v) as one, "
        f"percentile_cont(array[0.25, 0.5, 0.75]) within group (order by v) as several from {_ROWS}",
        ((1251.25, (1251.25, 2501.5, 3751.75)),),
    ),
    Question(
        "percentiles of a tie are the tie",
        "select percentile_cont(array[0.5, 0.9, 0.95, 0.99]) within group (order by v) as several "
        "from (select 2000.1::double precision as v from generate_series(1, 37) as s (n)) r",
        (((2000.1,) * 4,),),
    ),
    Question(
        "percentiles leave nulls out, and know infinity and a filter",
        "select percentile_cont(array[0.25, 0.5]) within group (order by v) as ends, "
        "percentile_cont(0.5) within group (order by v) filter (where v < 3) as some, "
        "percentile_cont(0.5) within group (order by v) filter (where v < 0) as none "
        "from (values (1::double precision), (null), (2), ('infinity'), ('infinity')) as r (v)",
        (((1.75, INFINITY), 1.5, None),),
    ),
    Question(
        "decimals keep their fraction and add up",
        "select sum(x::numeric) as summed, sum(0.1::numeric) as tenths, sum('1.00005'::numeric) as fine, "
        "sum(v) as declared from (select '1.005' as x, 1.005::numeric(10, 3) as v from generate_series(1, 1000)) r",
        ((1005.0, 100.0, 1000.05, 1005.0),),
    ),
    Question(
        "integers divide to integers, their average does not",
        "select 7 / 2 as down, -7 / 2 as up, avg(n) as average, avg((n > 3)::int) as share, 7 % 5 as rest "
        "from generate_series(1, 4) as s (n)",
        ((3, -3, 2.5, 0.25, 2),),
    ),
    Question(
        "local times become instants, skipped and repeated hours too",
        f"select {_LEAPS}",
        (
            (
                "2026-03-28T21:59:00+00:00",
                "2026-03-28T22:30:00+00:00",
                "2026-03-28T22:00:00+00:00",
                "2026-10-24T19:59:00+00:00",
                "2026-10-24T21:30:00+00:00",
                "2026-10-24T22:00:00+00:00",
            ),
        ),
    ),
    Question(
        "days are local days where a zone is named",
        "select (((:at at time zone :zone) - d.day * interval '1 day') at time zone :zone) as at "
        "from generate_series(0, 1) as d (day) order by d.day",
        (("2026-10-25T10:00:00.123456+00:00",), ("2026-10-24T09:00:00.123456+00:00",)),
        {"at": "2026-10-25T12:00:00.123456+02:00", "zone": "Asia/Beirut"},
        {"at": "timestamptz", "zone": "text"},
    ),
    Question(
        "a filter counts what is true, null is not",
        "select count(*) as n, count(*) filter (where x) as yes, count(*) filter (where x is null) as unsure, "
        "count(*) filter (where x is not false) as open, count(x) as known "
        "from (values (true), (false), (null)) as r (x)",
        ((3, 1, 1, 2, 2),),
    ),
    Question("nulls come last", "select x from (values (2), (null), (1)) as r (x) order by x", ((1,), (2,), (None,))),
    Question(
        "nulls come first where the order is turned round",
        "select x from (values (2), (null), (1)) as r (x) order by x desc",
        ((None,), (2,), (1,)),
    ),
    Question(
        "instants fall into bins, counted from their origin and before it",
        "select date_bin(interval '1 minute', :at, :origin) as after, "
        "date_bin(interval '5 minutes', timestamptz '2026-03-24 07:59:59.999999Z', :origin) as before",
        (("2026-03-24T08:02:30+00:00", "2026-03-24T07:55:30+00:00"),),
        {"at": "2026-03-24T08:03:29.999999Z", "origin": "2026-03-24T08:00:30Z"},
        {"at": "timestamptz", "origin": "timestamptz"},
    ),
    Question(
        "durations are exact, whatever the unit",
        "select extract(epoch from :b - :a) as s, extract(epoch from :b - :a) * 1000 as ms, "
        "extract(epoch from :b - :a) * 1000 >= 90002900.1::double precision as late, "
        ":b - :a >= 25.0::double precision * interval '1 hour' as day, "
        ":b - :a >= 90002901 * interval '1 millisecond' as no",
        ((90002.9001, 90002900.1, True, True, False),),
        {"a": "2026-03-28T08:00:00Z", "b": "2026-03-29T09:00:02.9001Z"},
        {"a": "timestamptz", "b": "timestamptz"},
    ),
    Question(
        "infinity is larger than any number",
        "select coalesce(x, 'infinity') as v, coalesce(x, 'infinity') > 1e300 as more, x >= :limit as over "
        "from (values (1.5::double precision), (null)) as r (x) order by x",
        ((1.5, False, False), (INFINITY, True, None)),
        {"limit": INFINITY},
        {"limit": "double precision"},
    ),
    Question(
        "null is distinct from a value, and not from null",
        "select x is distinct from 'control' as other, x <> 'control' as unequal, x is not distinct from null as none "
        "from (values ('canary'), ('control'), (null)) as r (x) order by x",
        ((True, True, False), (False, False, False), (True, None, True)),
    ),
    Question(
        "the least of several leaves nulls out, and texts are compared as they are",
        "select least(null, x, 2) as least, greatest(x, null) as greatest, lower(btrim('  RLS_Violation ')) as word, "
        "'a' = 'A' as cases, 'a' = 'a ' as spaces from (values (3)) as r (x)",
        ((2, 3, "rls_violation", False, False),),
    ),
    Question(
        "a day is a date, and eight before it too",
        "select cast(cast(:day as date) - 8 as text) as earlier, "
        "timestamptz '2026-03-01 00:00Z' - interval '1 day' as eve",
        (("2026-02-24", "2026-02-28T00:00:00+00:00"),),
        {"day": "2026-03-04"},
        {"day": "text"},
    ),
    Question(
        "every minute has its row, an empty one too, counted to the row",
        "select count(*) as minutes, count(e.n) as busy, sum(e.n) as events, max(e.n) as most, max(e.newest) as newest "
        "from generate_series(:since, :until - interval '1 minute', interval '1 minute') as m (minute) "
        "left join (select date_bin(interval '1 minute', at, :since) as minute, count(*) as n, max(at) as newest "
        f"from (select :since + n * n % {ROWS + 1} * interval '1 second' as at "
        f"from generate_series(1, {ROWS}) as s (n)) r "
        "where at >= :since and at < :until group by 1) e on e.minute = m.minute",
        ((90, 84, 5002.0, 90, "2026-03-24T09:23:21+00:00"),),
        {"since": "2026-03-24T08:00:00Z", "until": "2026-03-24T09:30:00Z"},
        {"since": "timestamptz", "until": "timestamptz"},
    ),
    Question(
        "each row may ask about its own stretch",
        "select d.day, e.n, e.bad, sum(e.n) over () as everyone from generate_series(1, 3) as d (day) "
        f"cross join lateral (select count(*) as n, count(*) filter (where v > 4000) as bad from {_ROWS} "
        "where v >= d.day * 1500 and v < (d.day + 1) * 1500) e order by d.day",
        ((1, 1500, 0, 3503.0), (2, 1500, 499, 3503.0), (3, 503, 503, 3503.0)),
    ),
)


def examine(ask: Ask) -> tuple[Difference, ...]:
    """Put every question to an engine by its ``frame`` and return what it answers otherwise than PostgreSQL."""
    return tuple(difference for question in QUESTIONS if (difference := _difference(question, ask)))


def believe(engine: object, ask: Ask) -> None:
    """Raise DatabaseError with the differences when an engine does not answer as PostgreSQL does."""
    if differences := examine(ask):
        listed = "".join(f"\n  {difference}" for difference in differences)
        raise DatabaseError(
            f"{engine} is not believed: it answers {len(differences)} of {len(QUESTIONS)} known questions "
            f"otherwise than PostgreSQL{listed}\n  next: judge by another version of this engine, or by PostgreSQL"
        )


def _difference(question: Question, ask: Ask) -> Difference | None:
    try:
        frame = ask(Statement(question.sql, question.types, ()), question.values)
    except QueryFailed as failure:
        return Difference(question.title, repr(question.answer), failure.reason)
    got = tuple(tuple(_plain(value) for value in row) for row in frame.astype(object).itertuples(index=False))
    same = repr(got) == repr(question.answer)  # so that 1 is not 1.0, nor true
    return None if same else Difference(question.title, repr(question.answer), repr(got))


def _plain(value: Any) -> object:  # noqa: ANN401  whatever a frame may hold
    """Return a value of a frame as the answers above spell it."""
    if isinstance(value, datetime | date) and not pd.isna(value):
        return value.isoformat()
    if pd.api.types.is_list_like(value):
        return tuple(map(_plain, value))
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
