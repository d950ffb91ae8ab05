"""Level 3 on real repositories: what can be reverted, what cannot, and that the app's repository stays as it is."""

from __future__ import annotations

import hashlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from golive_lib.demo.repository import RELEASE, app_repository
from golive_lib.plan_night import RollbackRules
from golive_lib.revert import examine
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from pathlib import Path

    from golive_lib.revert import Revert

VARIABLE = "GOLIVE_APP_REPO"


class Repository:
    """A repository to commit in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        """Run git and return its answer."""
        person = {
            f"GIT_{who}_{what}": "app@golive.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        env = os.environ | person | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(["git", *arguments], cwd=self.folder, env=env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, name: str, text: str) -> str:
        """Write a file, commit it and return the commit's hash."""
        (self.folder / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"{name}: {text.split(maxsplit=1)[0]}")
        return self.git("rev-parse", "HEAD")

    def state(self) -> dict[str, str]:
        """Return the hash of every file, git's own among them."""
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def examined(self, commit: str, branch: str = "") -> Revert:
        """Try to revert a commit."""
        return examine(RollbackRules(commit=commit, branch=branch, deploy="make deploy"), {VARIABLE: str(self.folder)})


@pytest.fixture
def app(tmp_path: Path) -> Repository:
    """Make a repository with a beginning."""
    repository = Repository(tmp_path / "the app")
    repository.commit("tables", "samia.bookings\n")
    return repository


def test_release_that_reverts_cleanly(app: Repository) -> None:
    """The commands are those to type, for the very commit, and the repository is not changed in any way."""
    release = app.commit("tables", "public.bookings\n")
    app.git("tag", "v2")
    app.commit("readme", "support\n")
    (app.folder / "notes").write_text("git knows nothing of this\n")
    before, places = app.state(), app.git("worktree", "list")
    found = app.examined("v2")
    assert (found.status, found.said) == (
        Status.GREEN,
        f"{release[:10]} (tables: public.bookings) is in 'main', and reverts cleanly",
    )
    quoted = f"'{app.folder}'"
    assert found.commands == (
        f"git -C {quoted} switch main",
        f"git -C {quoted} revert --no-edit {release}",
        "make deploy",
    )
    assert (app.state(), app.git("worktree", "list")) == (before, places)


def test_commands_work_as_printed(app: Repository) -> None:
    """Typed, they bring the old content back."""
    app.commit("tables", "public.bookings\n")
    for line in app.examined("HEAD").commands[:2]:
        env = os.environ | {
            f"GIT_{who}_{what}": "a@golive.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        subprocess.run(["sh", "-c", line], env=env, check=True, capture_output=True)
    assert (app.folder / "tables").read_text() == "samia.bookings\n"


def test_remote_is_pulled_and_pushed(app: Repository, tmp_path: Path) -> None:
    """Where the branch follows another repository, the revert has to get there."""
    app.commit("tables", "public.bookings\n")
    following(app, tmp_path)
    commands = app.examined("HEAD").commands
    assert [line.split("' ")[1] for line in commands[:-1] if "revert" not in line] == [
        "switch main",
        "pull --ff-only origin main",
        "push origin main",
    ]


def following(app: Repository, tmp_path: Path) -> None:
    """Let the branch follow another repository."""
    app.git("clone", "--quiet", "--bare", str(app.folder), str(tmp_path / "origin"))
    app.git("remote", "add", "origin", str(tmp_path / "origin"))
    app.git("fetch", "--quiet", "origin")
    app.git("branch", "--quiet", "--set-upstream-to=origin/main")


def test_branch_that_is_not_where_its_remote_is_is_unknown(app: Repository, tmp_path: Path) -> None:
    """What is deployed comes from there: what was tried here says nothing of it, ahead or behind."""
    release = app.commit("tables", "public.bookings\n")
    following(app, tmp_path)
    app.commit("tables", "public.bookings, public.readings\n")
    ahead = app.examined(release)
    assert (ahead.status, "'main' here is 1 commit ahead of origin/main" in ahead.said) == (Status.UNKNOWN, True)
    app.git("push", "--quiet", "origin", "main")
    app.git("reset", "--quiet", "--hard", release)
    behind = app.examined(release)
    assert (behind.status, behind.commands) == (Status.UNKNOWN, ())
    assert "'main' here is 1 commit behind origin/main, as last fetched" in behind.said
    assert behind.fix == "git switch main, git pull --ff-only; then try again"
    app.git("pull", "--quiet", "--ff-only", "origin", "main")
    assert app.examined("HEAD").status is Status.GREEN


@pytest.mark.parametrize(
    ("branch", "said"), [("origin/main", "is the branch of a remote"), ("v2", "is no branch"), ("HEAD", "is no branch")]
)
def test_what_cannot_be_switched_to_is_refused(app: Repository, tmp_path: Path, branch: str, said: str) -> None:
    """The commands would fail on the night: a remote's branch, a tag."""
    app.commit("tables", "public.bookings\n")
    app.git("tag", "v2")
    following(app, tmp_path)
    found = app.examined("v2", branch)
    assert (found.status, found.commands) == (Status.RED, ())
    assert f"{branch!r} {said}" in found.said
    assert app.examined("v2", "main").status is Status.GREEN


def test_checkout_with_work_in_it_is_amber(app: Repository) -> None:
    """Git would refuse to revert; the release itself is as it was, and so is the work."""
    release = app.commit("tables", "public.bookings\n")
    app.commit("readme", "support\n")
    (app.folder / "readme").write_text("being edited\n")
    before = app.state()
    found = app.examined(release)
    assert (found.status, found.fix) == (Status.AMBER, "commit or stash that first: git would refuse")
    assert found.said.endswith("but not in this checkout as it is: readme changed and not committed")
    assert (len(found.commands), app.state()) == (3, before)


def test_merge_is_reverted_against_its_first_parent(app: Repository) -> None:
    """A release that is a merge needs to be told which side stays."""
    app.git("switch", "--quiet", "--create", "flat")
    app.commit("tables", "public.bookings\n")
    app.git("switch", "--quiet", "main")
    app.commit("readme", "support\n")
    app.git("merge", "--quiet", "--no-ff", "--message", "release", "flat")
    found = app.examined("HEAD")
    assert found.status is Status.GREEN
    assert "revert --no-edit -m 1" in found.commands[1]


def test_conflict_is_named_by_file(app: Repository) -> None:
    """What was changed again since cannot be taken back by machine."""
    release = app.commit("tables", "public.bookings\n")
    app.commit("tables", "public.bookings, public.readings\n")
    before = app.state()
    found = app.examined(release)
    assert (found.status, found.said) == (Status.RED, f"{release[:10]} does not revert cleanly; conflicts in tables")
    assert (found.commands, app.state()) == ((), before)


def test_reverted_already_is_said(app: Repository) -> None:
    """With the commit that did it."""
    release = app.commit("tables", "public.bookings\n")
    app.git("revert", "--no-edit", release)
    found = app.examined(release)
    assert (found.status, found.said) == (
        Status.AMBER,
        f"{release[:10]} is reverted already, by {app.git('rev-parse', '--short', 'HEAD')}",
    )


@pytest.mark.parametrize("name", ["v9", "deadbeef" * 5, "--help", "HEAD:tables"])
def test_unknown_commit_is_red(app: Repository, name: str) -> None:
    """A name that is no commit there, or that git would take for an option."""
    found = app.examined(name)
    assert found.status is Status.RED
    assert f"the commit {name!r} is not in {app.folder}" in found.said


def test_branch_without_the_release_is_red(app: Repository) -> None:
    """What is not deployed cannot be taken back."""
    app.git("branch", "deployed")
    app.commit("tables", "public.bookings\n")
    assert "is not in the branch 'deployed'" in app.examined("HEAD", "deployed").said
    assert "the branch 'nonesuch' is not in" in app.examined("HEAD", "nonesuch").said


def test_no_branch_checked_out_is_unknown(app: Repository) -> None:
    """The plan has to say what is deployed then."""
    app.git("checkout", "--quiet", "--detach")
    assert app.examined("HEAD").said == "no branch is checked out"


def test_no_checkout_is_unknown_and_counts_for_nothing(tmp_path: Path) -> None:
    """A machine without the app's checkout cannot tell, which is not the release's fault; a wrong folder is."""
    rules = RollbackRules(commit="v2")
    unset = examine(rules, {})
    assert (unset.status, unset.here, unset.said) == (
        Status.UNKNOWN,
        False,
        f"{VARIABLE} is not set, so there is no checkout here",
    )
    assert examine(rules, {VARIABLE: str(tmp_path / "none")}).here
    empty = examine(rules, {VARIABLE: str(tmp_path)})
    assert (empty.status, "is no checkout that git can read: fatal: not a git repository" in empty.said) == (
        Status.UNKNOWN,
        True,
    )


def test_without_git_nobody_can_tell(app: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and counts for nothing; the demo goes on without a repository."""
    monkeypatch.setenv("PATH", str(app.folder))
    found = app.examined("HEAD")
    assert (found.status, found.said, found.here) == (Status.UNKNOWN, "git is not installed here", False)
    assert app_repository(app.folder.parent) is None


def test_demos_release_reverts(tmp_path: Path) -> None:
    """Its repository has the same hashes on every machine, and a commit after the release."""
    place = app_repository(tmp_path)
    assert place == app_repository(tmp_path)
    found = examine(RollbackRules(commit=RELEASE), {VARIABLE: str(place)})
    assert (found.status, found.said) == (
        Status.GREEN,
        "5842ece9b4 (Release: the API reads the flat tables) is in 'main', and reverts cleanly",
    )
