"""Old reports taken away: only what may go, said first, on record, and nothing that is evidence."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from bs4 import BeautifulSoup
from plant import command
from test_ledger import record

from golive_lib.errors import LedgerError
from golive_lib.ledger import Ledger
from golive_lib.pruning import plan_pruning, prune
from golive_lib.records import PRUNE, RECORD, RUN, audit

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PAGE = b"<p>Fine.</p>"


def published(outputs: Path, name: str, *, days_ago: int, **more: object) -> str:
    """Publish a run with one page of 12 bytes, so many days ago."""
    at = NOW - timedelta(days=days_ago)
    run_id = f"{at:%Y%m%dT%H%M%SZ}-sanity-{name}"
    given = {"started_at": at.isoformat(), "files": {"sanity.html": sha256(PAGE).hexdigest()}, **more}
    made = record(run_id, html=f"{run_id}/sanity.html", **given)
    (outputs / run_id).mkdir(parents=True)
    (outputs / run_id / "sanity.html").write_bytes(PAGE)
    (outputs / run_id / RECORD).write_text(json.dumps(asdict(made)))
    Ledger(outputs).append(RUN, asdict(made))
    return run_id


def gone(outputs: Path, *, keep: int = 200, days: int | None = None) -> list[str]:
    """Prune and return what went."""
    age = timedelta(days=days) if days else None
    found = plan_pruning(outputs, keep=keep, older_than=age, now=NOW)
    prune(outputs, found)
    return sorted(found.runs)


def test_the_newest_stay(tmp_path: Path) -> None:
    """By count: those past the newest go, with their folders."""
    runs = [published(tmp_path, f"000{n}", days_ago=n) for n in range(5)]
    assert gone(tmp_path, keep=2) == sorted(runs[2:])
    assert sorted(path.name for path in tmp_path.glob("2*")) == sorted(runs[:2])


def test_the_old_go(tmp_path: Path) -> None:
    """By age, whatever their number."""
    runs = [published(tmp_path, f"000{n}", days_ago=n * 40) for n in range(4)]
    assert gone(tmp_path, days=90) == [runs[3]]


@pytest.mark.parametrize(
    "differs",
    [
        {"verdict": "no-go", "status": "red"},
        {"notebook": "rls"},
        {"launch": "another"},
        {"database": "postgres on b as golive_ro"},
        {"facts": {"stage": 25.0}},
    ],
    ids=lambda differs: next(iter(differs)),
)
def test_the_newest_of_each_kind_stays_whatever_its_age(tmp_path: Path, differs: dict[str, object]) -> None:
    """The only red, the only run of a stage, of a notebook, of a database is evidence."""
    published(tmp_path, "only", days_ago=400, **differs)
    published(tmp_path, "young", days_ago=0)
    old = published(tmp_path, "old", days_ago=399)
    assert gone(tmp_path, days=90) == [old]


def test_a_run_by_another_login_is_no_other_kind(tmp_path: Path) -> None:
    """The same database, whoever was connected."""
    old = published(tmp_path, "old", days_ago=100, database="postgres on a as somebody")
    published(tmp_path, "young", days_ago=0)
    assert gone(tmp_path, days=90) == [old]


def test_what_a_message_was_written_from_stays(tmp_path: Path) -> None:
    """A run that another record names is that record's evidence."""
    told = published(tmp_path, "told", days_ago=300)
    old = published(tmp_path, "old", days_ago=200)
    published(tmp_path, "young", days_ago=0)
    Ledger(tmp_path).append("message", {"run_id": told, "kind": "go"})
    assert gone(tmp_path, days=90) == [old]


def test_a_run_the_ledger_does_not_know_stays(tmp_path: Path) -> None:
    """Its folder is all there is of it."""
    stray = tmp_path / "20200101T000000Z-sanity-0000"
    stray.mkdir()
    (stray / RECORD).write_text(json.dumps(asdict(record(stray.name))))
    published(tmp_path, "young", days_ago=0)
    assert gone(tmp_path, keep=1) == []
    assert stray.is_dir()


def test_pruned_files_are_not_missed_and_not_linked_to(tmp_path: Path) -> None:
    """The ledger says what went, so that it stays whole; the index lists the run without links."""
    old, young = published(tmp_path, "old", days_ago=100), published(tmp_path, "young", days_ago=0)
    size = sum(path.stat().st_size for path in (tmp_path / old).iterdir())
    gone(tmp_path, days=90)
    assert audit(tmp_path).faults == ()
    assert [dict(entry.data) for entry in Ledger(tmp_path).entries(PRUNE)] == [{"runs": [old], "bytes": size}]
    rows = BeautifulSoup((tmp_path / "index.html").read_text(), "html.parser").select(".runs tbody tr")
    assert [[link["href"] for link in row.find_all("a")] for row in rows] == [[f"{young}/sanity.html"], []]
    assert "its files were pruned" in rows[1].get_text()


def test_a_file_that_is_gone_without_a_record_is_still_a_fault(tmp_path: Path) -> None:
    """Pruning excuses its own runs alone."""
    old, lost = published(tmp_path, "old", days_ago=100), published(tmp_path, "lost", days_ago=0)
    (tmp_path / lost / "sanity.html").unlink()
    gone(tmp_path, days=90)
    assert audit(tmp_path).faults == (f"run {lost}: sanity.html is gone",)
    assert not (tmp_path / old).exists()


def test_what_a_stopped_pruning_left_goes_the_next_time(tmp_path: Path) -> None:
    """The record is written first; a folder that is still there afterwards is taken by the next one."""
    old = published(tmp_path, "old", days_ago=1)
    published(tmp_path, "young", days_ago=0)
    Ledger(tmp_path).append(PRUNE, {"runs": [old], "bytes": 12})
    assert gone(tmp_path) == [old]


def test_without_a_sound_ledger_nothing_goes(tmp_path: Path) -> None:
    """Nobody can tell what is evidence then."""
    published(tmp_path, "old", days_ago=1)
    (tmp_path / "ledger.jsonl").write_text("{oops\n")
    with pytest.raises(LedgerError, match="cannot be read as a record"):
        plan_pruning(tmp_path, keep=1, older_than=None)


AT_WORK = """
import sys
from pathlib import Path
from golive_lib.reports import Run, _workplace
from datetime import UTC, datetime
with _workplace(Run(Path("sanity.ipynb"), {}, "a", Path(sys.argv[1])), datetime.now(UTC)):
    print("up", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_run_left_goes_and_what_is_at_work_stays(tmp_path: Path) -> None:
    """A hidden folder goes when no living process holds it."""
    command = [sys.executable, "-c", AT_WORK, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as killed, subprocess.Popen(command, **pipes) as living:  # type: ignore[call-overload]
        for process in (killed, living):
            assert process.stdout.readline() == b"up\n"
        killed.kill()
        killed.wait()
        found = plan_pruning(tmp_path, keep=1, older_than=None)
        prune(tmp_path, found)
        assert len(found.leftovers) == 1
        assert len([path for path in tmp_path.glob(".2*Z-*") if path.is_dir()]) == 1
        living.stdin.close()
        living.wait()
    assert list(tmp_path.glob(".2*")) == []


def test_the_command_only_says_it_until_told(tmp_path: Path) -> None:
    """A dry run names what would go and its size; --execute does it."""
    old = published(tmp_path / "outputs", "old", days_ago=3000)
    published(tmp_path / "outputs", "young", days_ago=2999)
    said = command(tmp_path, "prune")
    assert (said.returncode, old in said.stdout, (tmp_path / "outputs" / old).is_dir()) == (0, True, True)
    assert "1 runs and 0 left-over folders would go, freeing 0.0 MB" in said.stdout
    assert "Nothing was removed; add --execute" in said.stdout
    done = command(tmp_path, "prune", "--execute")
    assert (done.returncode, (tmp_path / "outputs" / old).exists()) == (0, False)
    assert command(tmp_path, "ledger", "verify").returncode == 0


@pytest.mark.parametrize("arguments", [["--keep", "0"], ["--older-than", "soon"]])
def test_wrong_use_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    """Nothing is taken for all."""
    assert command(tmp_path, "prune", *arguments, "--execute").returncode == 2
