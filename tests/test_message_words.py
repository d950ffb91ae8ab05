"""Words: numbers with their nouns, lengths and moments as each language says them, and isolates that always close."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golive_lib.message_templates import KIT
from golive_lib.message_words import Words, read_words

BEIRUT = ZoneInfo("Asia/Beirut")
ARABIC, ENGLISH = (read_words(language, BEIRUT, (KIT,)) for language in ("ar", "en"))
NOUNS = (
    (0, "0 طلب"), (1, "طلب واحد"), (2, "طلبين"), (3, "3 طلبات"), (10, "10 طلبات"), (11, "11 طلبًا"), (99, "99 طلبًا"),
    (100, "100 طلب"), (103, "103 طلبات"), (1_011, "1,011 طلبًا"), (5_000, "5,000 طلب"),
)  # fmt: skip


@pytest.mark.parametrize(("count", "said"), NOUNS)
def test_arabic_nouns_agree_with_their_number(count: int, said: str) -> None:
    """Dual, plural of few, accusative of many, and the singular of hundreds."""
    assert ARABIC.counted(count, "requests") == said


@pytest.mark.parametrize(("count", "said"), [(0, "0 calls"), (1, "1 call"), (2, "2 calls"), (1_000, "1,000 calls")])
def test_english_nouns_agree_with_their_number(count: int, said: str) -> None:
    """One, and all others."""
    assert ENGLISH.counted(count, "calls") == said


def test_a_noun_of_the_plans_own_stays_as_it_is() -> None:
    """Words can be added beside the plan; without them nothing breaks."""
    assert (ARABIC.counted(7, "refunds"), ENGLISH.counted(1, "refunds")) == ("7 refunds", "1 refunds")


SPANS: tuple[tuple[timedelta | float, str, str], ...] = (
    (timedelta(hours=2), "2 hours", "ساعتين"),
    (timedelta(hours=4), "4 hours", "4 ساعات"),
    (timedelta(hours=24), "24 hours", "24 ساعةً"),
    (timedelta(seconds=60), "60 seconds", "60 ثانيةً"),
    (timedelta(minutes=90), "1 hour and 30 minutes", "ساعة واحدة و30 دقيقةً"),
    (timedelta(days=3), "3 days", "3 أيام"),
    (2.13, "2.13 seconds", "2.13 ثانية"),
    (0.0, "0 seconds", "0 ثانية"),
)


@pytest.mark.parametrize(("span", "english", "arabic"), SPANS)
def test_lengths_of_time(span: timedelta | float, english: str, arabic: str) -> None:
    """In the genitive, in which every template puts them."""
    assert (ENGLISH.span(span), ARABIC.span(span)) == (english, arabic)


MOMENTS = (
    (datetime(2026, 3, 24, 10, tzinfo=UTC), "24 Mar 2026, 12:00 Beirut", "24 آذار 2026، الساعة 12:00 بتوقيت بيروت"),
    (
        datetime(2026, 10, 24, 20, 30, tzinfo=UTC),
        "24 Oct 2026, 23:30 Beirut (UTC+03:00)",
        "24 تشرين الأول 2026، الساعة 23:30 بتوقيت بيروت (UTC+03:00)",
    ),
)


@pytest.mark.parametrize(("at", "english", "arabic"), MOMENTS)
def test_moments_are_in_the_launchs_zone_by_name(at: datetime, english: str, arabic: str) -> None:
    """Months are called as they are there, and an hour that is twice says which it is."""
    assert (ENGLISH.moment(at), ARABIC.moment(at)) == (english, arabic)


def test_months_in_cairo_and_utc() -> None:
    """Where the language has no form of its own for a place, its general one stands."""
    at = datetime(2026, 3, 24, 10, tzinfo=UTC)
    assert "24 مارس 2026" in read_words("ar", ZoneInfo("Africa/Cairo"), (KIT,)).moment(at)
    assert read_words("ar", ZoneInfo("UTC"), (KIT,)).moment(at).endswith("بتوقيت UTC")


@pytest.mark.parametrize(
    ("share", "english", "arabic"), [(0.0117, "1.17 %", "1.17%"), (0.0, "0 %", "0%"), (1e-6, "< 0.01 %", "< 0.01%")]
)
def test_shares(share: float, english: str, arabic: str) -> None:
    """A share is 0 only when it is exactly that."""
    assert (
        ENGLISH.share(share).replace("\N{NO-BREAK SPACE}", " "),
        ARABIC.share(share).replace("\N{NO-BREAK SPACE}", " "),
    ) == (english, arabic)


def test_a_grouped_number_is_one_piece() -> None:
    """Cut at its comma it would be shown the other way round."""
    assert "\u20665,210\u2069" in ARABIC.line("من أصل 5,210 طلبات")
    assert "\u2066SAMIA TAROT: flags\u2069" in ARABIC.line("إطلاق SAMIA TAROT: flags")


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4), st.booleans())
def test_isolates_close_whatever_a_value_holds(values: list[str], markdown: bool) -> None:
    """A value with marks, line breaks or brackets of its own breaks no line, in no language."""
    for words in (ARABIC, ENGLISH):
        line = words.line("- مرحلة: " + " و".join(words.value(value, markdown=markdown) for value in values))
        assert depths(line)[-1] == 0
        assert min(depths(line)) == 0
        assert len(line.splitlines()) == 1
    assert unicodedata.bidirectional(words_first(ARABIC, values[0])) == "R"


def depths(line: str) -> list[int]:
    """Return how deep in isolates each character lies."""
    found = [0]
    for kind in map(unicodedata.bidirectional, line):
        found.append(found[-1] + {"LRI": 1, "RLI": 1, "FSI": 1, "PDI": -1}.get(kind, 0))
    return found


def words_first(words: Words, value: str) -> str:
    """Return the first strong character of a line that begins with a value."""
    line = words.line(words.value(value, markdown=False) or "-")
    return next(each for each in line if unicodedata.bidirectional(each) in {"L", "R", "AL"})


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        ("a*b", r"a\*b"),
        ("[x](y)", r"\[x\](y)"),
        ("<b>", r"\<b>"),
        ("< 0.01 %", "< 0.01 %"),
        ("snake_case_name", "snake_case_name"),
    ],
)
def test_values_bring_no_markdown_of_their_own(given_: str, shown: str) -> None:
    """What a record says stays text."""
    assert ENGLISH.value(given_, markdown=True) == shown
    assert ENGLISH.value(given_, markdown=False) == given_
