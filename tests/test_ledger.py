"""The ledger: nothing is lost by writers at the same time or a power cut, and whatever is tampered with is found."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golive_lib.errors import LedgerError
from golive_lib.ledger import HEAD, LEDGER, NOTHING, Ledger
from golive_lib.records import RECORD, RUN, RunRecord, audit, judged, read_records

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS = 5


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Give a ledger of five records."""
    made = Ledger(tmp_path)
    for number in range(1, RECORDS + 1):
        made.append("tick", {"item": f"item {number}", "by": "كريم"})
    return made


def lines(ledger: Ledger) -> list[bytes]:
    """Return the file's lines."""
    return ledger.path.read_bytes().splitlines(keepends=True)


def rewrite(ledger: Ledger, new: list[bytes]) -> None:
    """Put other lines into the file."""
    ledger.path.write_bytes(b"".join(new))


def test_each_record_carries_the_hash_of_the_one_before(ledger: Ledger) -> None:
    """The chain begins with nothing, and an untouched ledger has no fault."""
    entries = ledger.entries()
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5]
    assert entries[0].prev == NOTHING
    assert len({entry.prev for entry in entries}) == RECORDS
    assert ledger.audit().faults == ()
    assert ledger.audit().records == RECORDS


def test_an_empty_folder_has_an_empty_ledger(tmp_path: Path) -> None:
    """Nothing was written, so nothing is wrong."""
    assert Ledger(tmp_path).entries() == ()
    assert Ledger(tmp_path).audit().faults == ()


def _edited(old: list[bytes]) -> list[bytes]:
    return [old[0], old[1].replace(b"item 2", b"item X"), *old[2:]]


def _last_edited(old: list[bytes]) -> list[bytes]:
    return [*old[:-1], old[-1].replace(b"item 5", b"item X")]


TAMPERED: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "one is edited": (_edited, "record 2 was edited: record 3 carries another hash of it"),
    "the last is edited": (_last_edited, "record 5 was edited: the head carries another hash of it"),
    "one is removed": (lambda old: [*old[:2], *old[3:]], "record 3 was removed before record 4"),
    "the first is removed": (lambda old: old[1:], "record 1 was removed before record 2"),
    "the last is removed": (lambda old: old[:-1], "record 5 was removed from the end"),
    "the last two are removed": (lambda old: old[:-2], "records 4 to 5 were removed from the end"),
    "all are removed": (lambda _: [], "records 1 to 5 were removed from the end"),
    "two are swapped": (lambda old: [old[0], old[2], old[1], *old[3:]], "the order was changed"),
    "one is there twice": (lambda old: [*old[:3], old[2], *old[3:]], "record 3 stands behind record 3"),
    "one is no JSON": (lambda old: [old[0], b"{oops\n", *old[2:]], "line 2 of the ledger cannot be read"),
}


@pytest.mark.parametrize("tampering", TAMPERED)
def test_tampering_is_found(ledger: Ledger, tampering: str) -> None:
    """Whatever was done to the lines is said, with the number of the record."""
    change, said = TAMPERED[tampering]
    rewrite(ledger, change(lines(ledger)))
    assert any(said in fault for fault in ledger.audit().faults)


@pytest.mark.parametrize("tampering", [name for name in TAMPERED if name != "one is no JSON"])
def test_tampering_stays_visible_after_the_next_record(ledger: Ledger, tampering: str) -> None:
    """A record written later does not heal the chain."""
    rewrite(ledger, TAMPERED[tampering][0](lines(ledger)))
    ledger.append("tick", {"item": "later"})
    assert ledger.audit().faults != ()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 127))
def test_any_changed_byte_is_found(place: int, flip: int) -> None:
    """No single byte of any line can be changed unseen."""
    with TemporaryDirectory() as folder:
        made = Ledger(Path(folder))
        for number in range(3):
            made.append("tick", {"item": number})
        content = bytearray(made.path.read_bytes())
        content[place % len(content)] ^= flip
        made.path.write_bytes(bytes(content))
        assert made.audit().faults != ()


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    """Processes and threads that append at once each find their record in one sound chain."""
    code = (
        "import sys; from pathlib import Path; from golive_lib.ledger import Ledger\n"
        "for i in range(20): Ledger(Path(sys.argv[1])).append('tick', {'by': sys.argv[2], 'i': i})"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), f"process {number}"]) for number in range(4)
    ]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda i: Ledger(tmp_path).append("tick", {"by": "thread", "i": i}), range(40)))
    assert [process.wait() for process in running] == [0] * 4
    found = Ledger(tmp_path)
    assert len({(entry.data["by"], entry.data["i"]) for entry in found.entries()}) == 120
    assert found.audit().faults == ()


def test_a_torn_last_line_is_repaired_and_said(ledger: Ledger, tmp_path: Path) -> None:
    """What a power cut left is kept aside, the next record stands whole, and the repair is a record itself."""
    with ledger.path.open("ab") as file:
        file.write(b'{"seq": 6, "at": "2026-')
    assert [entry.seq for entry in ledger.entries()] == [1, 2, 3, 4, 5]
    assert "the last line is torn" in ledger.audit().faults[0]
    said: list[str] = []
    Ledger(tmp_path, said.append).append("tick", {"item": "after"})
    assert "its last line was torn (a power cut?); its 23 bytes are kept in ledger.torn-" in said[0]
    (kept,) = tmp_path.glob("ledger.torn-*.txt")
    assert kept.read_bytes() == b'{"seq": 6, "at": "2026-'
    assert [entry.kind for entry in ledger.entries()][-2:] == ["repair", "tick"]
    assert ledger.audit().faults == ()


def test_a_head_left_behind_by_a_power_cut_is_no_fault(ledger: Ledger, tmp_path: Path) -> None:
    """A record on the disk whose head was not written yet is whole, and the next goes on from it."""
    before = (tmp_path / HEAD).read_text()
    ledger.append("tick", {"item": "written"})
    (tmp_path / HEAD).write_text(before)
    assert ledger.audit().faults == ()
    assert ledger.append("tick", {"item": "next"}).seq == 7
    assert ledger.audit().faults == ()


def test_a_missing_head_is_said_and_recorded(ledger: Ledger, tmp_path: Path) -> None:
    """Without the head the end could have been cut off, so nobody may take it for whole."""
    (tmp_path / HEAD).unlink()
    assert "ledger.head is missing" in ledger.audit().faults[0]
    ledger.append("tick", {"item": "next"})
    assert "was missing" in ledger.entries("repair")[0].data["what"]


def test_a_newer_ledger_is_refused(ledger: Ledger) -> None:
    """A schema this version does not know is not guessed at."""
    rewrite(ledger, [line.replace(b'"schema": 1', b'"schema": 2') for line in lines(ledger)])
    with pytest.raises(LedgerError, match="line 1 was written by a newer golive"):
        ledger.entries()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """Where no ledger can lie the message says so, and nothing is half-done."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger(tmp_path / "file" / "outputs").append("tick", {})


def record(run_id: str, **more: object) -> RunRecord:
    """Make a run's record."""
    values: dict[str, object] = {
        "run_id": run_id,
        "notebook": "sanity",
        "started_at": "2026-03-25T10:00:00+00:00",
        "seconds": 1.0,
        "state": "finished",
        "verdict": "go",
        "status": "green",
        "sentence": "Fine.",
        "judged_at": "2026-03-25T10:00:00+00:00",
        "zone": "UTC",
        "parameters": {},
        "database": "postgres on a as golive_ro",
        "error": None,
        "html": None,
        "ipynb": None,
        "version": "0",
    }
    return RunRecord(**{**values, **more})  # type: ignore[arg-type]  # a dict of mixed values


def test_a_run_without_a_ledger_line_is_listed_and_a_fault(tmp_path: Path) -> None:
    """A folder's own record is read where the ledger has none, and the audit says that it has none."""
    stray = record("20260325T100000Z-sanity-0001")
    (tmp_path / stray.run_id).mkdir()
    (tmp_path / stray.run_id / RECORD).write_text(json.dumps(asdict(stray)))
    assert read_records(tmp_path) == [stray]
    assert audit(tmp_path).faults == (f"run {stray.run_id} lies here and no record of it is in the ledger",)


def test_an_edited_figure_is_found_and_not_used(tmp_path: Path) -> None:
    """The record holds the hash of what was published, so that figures changed later count for nothing."""
    made = record("20260325T100000Z-sanity-0002", files={"judged.json": "0" * 64})
    (tmp_path / made.run_id).mkdir()
    (tmp_path / made.run_id / "judged.json").write_text("{}")
    Ledger(tmp_path).append(RUN, asdict(made))
    assert audit(tmp_path).faults == (f"run {made.run_id}: judged.json was edited since it was published",)
    with pytest.raises(LedgerError, match="was edited since the run"):
        judged(tmp_path, made)


def test_the_ledger_is_one_json_line_a_record(ledger: Ledger) -> None:
    """Any tool can read it: one object a line, Arabic as it is written."""
    assert [json.loads(line)["seq"] for line in (ledger.path.parent / LEDGER).read_text().splitlines()] == [
        1,
        2,
        3,
        4,
        5,
    ]
    assert "كريم" in ledger.path.read_text()


def test_a_missing_head_stays_a_fault(ledger: Ledger, tmp_path: Path) -> None:
    """A record cut off with the head is gone for good: no later record makes the ledger whole again."""
    rewrite(ledger, lines(ledger)[:-1])
    (tmp_path / HEAD).unlink()
    ledger.append("tick", {"item": "next"})
    assert ["was missing" in fault for fault in ledger.audit().faults] == [True]


@pytest.mark.parametrize(
    "head", ['{"seq": "x", "hash": "", "bytes": 0}', '{"seq": 1.5, "hash": "a", "bytes": 1}', "{}"]
)
def test_a_head_of_another_shape_is_none(ledger: Ledger, tmp_path: Path, head: str) -> None:
    """It is mended as a missing one, and the next record has the next number."""
    (tmp_path / HEAD).write_text(head)
    assert ledger.audit().faults != ()
    assert ledger.append("tick", {"item": "next"}).seq == RECORDS + 2  # behind the repair


def test_a_number_out_of_all_bounds_is_named_by_its_ends(ledger: Ledger) -> None:
    """A forged number costs no memory."""
    rewrite(ledger, [line.replace(b'"seq": 4', b'"seq": 400000000') for line in lines(ledger)])
    assert "records 4 to 399999999 were removed before record 400000000" in ledger.audit().faults


def test_looking_makes_no_folder(tmp_path: Path) -> None:
    """Where nothing has happened yet nothing is wrong, and nothing is left behind."""
    assert Ledger(tmp_path / "none").audit().faults == ()
    assert not (tmp_path / "none").exists()
