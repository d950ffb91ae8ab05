"""What an address means, and a catalogue that reads an archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from golive_lib.archive import made_by
from golive_lib.engines import SCHEMA, DuckUrl, SparkUrl, archived, parse_address
from golive_lib.errors import SettingsError
from golive_lib.query import load
from golive_lib.settings import DatabaseUrl

ROOT = Path(__file__).parents[1]


def test_postgresql_is_as_before() -> None:
    """A PostgreSQL URL is read as it always was."""
    assert isinstance(parse_address("postgresql://u@h/d"), DatabaseUrl)


def test_duckdb_names_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative folder is found by a child that works elsewhere; people read its name alone."""
    monkeypatch.chdir(tmp_path)
    address = parse_address("duckdb:old/samia")
    assert isinstance(address, DuckUrl)
    assert (str(address), address.environment()) == (
        "the archive samia, by DuckDB",
        f"duckdb:{tmp_path.resolve()}/old/samia",
    )


def test_spark_names_a_host_and_an_archive() -> None:
    """What Spark's client takes is kept apart from the archive, and a token in it is never shown."""
    address = parse_address("sc://cluster:15002/;token=t0psecret;archive=s3a://bucket/samia;use_ssl=true")
    assert isinstance(address, SparkUrl)
    assert address.remote.reveal() == "sc://cluster:15002/;token=t0psecret;use_ssl=true"
    assert address.archive == "s3a://bucket/samia"
    assert "t0psecret" not in f"{address} {address!r}"
    again = parse_address(address.environment())
    assert isinstance(again, SparkUrl)
    assert (again.remote.reveal(), again.archive) == (address.remote.reveal(), address.archive)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("duckdb:", "names no folder"),
        ("sc://cluster:15002", "names no archive"),
        ("sc://cluster:15002/;archive=a;archive=b", "or several"),
        ("sc:cluster;token=t0psecret", "none of Spark Connect's"),
        ("sc://cluster:abc/;archive=a;token=t0psecret", "none of Spark Connect's"),
        ("mysql://u@h/d", "begins with 'mysql'"),
        ("duckbd:t0psecret", "or demo:STORY"),
    ],
)
def test_other_addresses_are_refused(text: str, words: str) -> None:
    """A slip is said, and no secret with it."""
    with pytest.raises(SettingsError, match=words) as refused:
        parse_address(text)
    assert "t0psecret" not in str(refused.value)


def test_sources_alone_are_replaced() -> None:
    """Each source reads its view with its own columns; every other query stays, and the catalogue given too."""
    own = load([ROOT / "queries"])
    before = dict(own)
    changed = archived(own)
    assert changed["sources/flags"].body == (
        f'select "key", "value", "updated_at" from {SCHEMA}."flags" /* {made_by(own["sources/flags"])} */'
    )
    assert {name for name in own if changed[name] != own[name]} == {n for n in own if n.startswith("sources/")}
    assert own == before
