"""Level 3: whether the release commit can be reverted, tried in a scratch clone; the app's repository is only read."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from golive_lib.formats import few
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from golive_lib.plan_night import RollbackRules

TIMEOUT_S = 120
_NAMED = 5


@dataclass(frozen=True)
class Revert:
    """Whether the release can be reverted: a status, what was found, what to do, and the commands to type.

    ``here`` is False where this machine cannot tell, without git or a checkout: that says nothing about the release.
    """

    status: Status
    said: str
    fix: str = ""
    commands: tuple[str, ...] = ()
    here: bool = True


class _Unclear(Exception):  # noqa: N818  it carries the finding
    def __init__(self, status: Status, said: str, fix: str = "", *, here: bool = True) -> None:
        super().__init__(said)
        self.found = Revert(status, said, fix, here=here)


def examine(rules: RollbackRules, env: Mapping[str, str]) -> Revert:
    """Find the plan's commit in the app's checkout, try to revert it in a clone, and say what to type."""
    try:
        git = _Git(_git(), _checkout(rules, env))
        return _examined(rules, git)
    except _Unclear as unclear:
        return unclear.found
    except (OSError, subprocess.TimeoutExpired) as error:
        return Revert(Status.UNKNOWN, f"git did not come to an end ({type(error).__name__})", "try it by hand")


def _git() -> str:
    found = shutil.which("git")
    if found is None:
        raise _Unclear(Status.UNKNOWN, "git is not installed here", "install it, or revert elsewhere", here=False)
    return found


def _checkout(rules: RollbackRules, env: Mapping[str, str]) -> Path:
    given = env.get(rules.repository, "")
    if not given:
        fix = f"set {rules.repository} to the folder of the app's checkout"
        raise _Unclear(Status.UNKNOWN, f"{rules.repository} is not set, so there is no checkout here", fix, here=False)
    if not Path(given).is_dir():
        raise _Unclear(Status.UNKNOWN, f"{rules.repository} = {given!r} is no folder", "name the app's checkout")
    return Path(given).resolve()


class _Git:
    """Git in one folder, deaf to everybody's settings that could run something or ask somebody."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self.folder = folder

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1"}
        return subprocess.run(  # noqa: S603  git itself, found on PATH
            [self._program, "-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false", *arguments],
            cwd=self.folder,
            env=kept | quiet | {"GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=TIMEOUT_S,
        )

    def says(self, *arguments: str) -> str | None:
        """Return what a command answers, None when it fails."""
        done = self.run(*arguments)
        return done.stdout.strip() if done.returncode == 0 else None

    @contextmanager
    def cloned(self) -> Iterator[_Git]:
        """Give a clone without files that borrows this repository's objects, and is removed at the end."""
        with tempfile.TemporaryDirectory(prefix="golive-revert-", ignore_cleanup_errors=True) as scratch:
            done = self.run("clone", "--quiet", "--shared", "--no-checkout", "--template=", str(self.folder), scratch)
            if done.returncode:
                raise _Unclear(Status.UNKNOWN, f"it cannot be cloned: {_last(done)}", "try it by hand")
            yield _Git(self._program, Path(scratch))


def _examined(rules: RollbackRules, git: _Git) -> Revert:
    inside = git.run("rev-parse", "--git-dir")
    if inside.returncode:
        raise _Unclear(
            Status.UNKNOWN, f"{git.folder} is no checkout that git can read: {_last(inside)}", "see git's words"
        )
    branch = rules.branch or git.says("symbolic-ref", "--quiet", "--short", "HEAD")
    if not branch:
        raise _Unclear(Status.UNKNOWN, "no branch is checked out", "name what is deployed in rollback.branch")
    commit = _commit(git, rules.commit, f"the commit {rules.commit!r}", "rollback.commit")
    tip = _commit(git, branch, f"the branch {branch!r}", "rollback.branch")
    _require_branch(git, branch)
    if git.run("merge-base", "--is-ancestor", commit, tip).returncode:
        said = f"the commit {rules.commit!r} ({commit[:10]}) is not in the branch {branch!r}: nothing to revert there"
        raise _Unclear(Status.RED, said, "name the branch that is deployed in rollback.branch")
    parents = (git.says("rev-list", "--parents", "--max-count=1", commit) or "").split()[1:]
    mainline = ("-m", "1") if len(parents) > 1 else ()
    _try(git, commit, tip, mainline)
    title = git.says("show", "--no-patch", "--format=%s", commit)
    kind = "a merge, reverted against its first parent, " if mainline else ""
    said = f"{commit[:10]} ({title}) is in {branch!r}, {kind}and reverts cleanly"
    typed = _commands(rules, git, branch, commit, mainline)
    if edited := _edited(git):
        said = f"{said}, but not in this checkout as it is: {few(edited, _NAMED)} changed and not committed"
        return Revert(Status.AMBER, said, "commit or stash that first: git would refuse", typed)
    return Revert(Status.GREEN, said, "", typed)


def _require_branch(git: _Git, branch: str) -> None:
    """Refuse a branch that nobody could revert on as it is typed, or whose tip here is not its remote's."""
    if git.run("show-ref", "--verify", "--quiet", f"refs/heads/{branch}").returncode:
        remote = not git.run("show-ref", "--verify", "--quiet", f"refs/remotes/{branch}").returncode
        said = (
            f"{branch!r} is {'the branch of a remote' if remote else 'no branch'}: a revert there could not be pushed"
        )
        raise _Unclear(Status.RED, said, "name the local branch in rollback.branch")
    upstream = git.says("rev-parse", "--abbrev-ref", f"{branch}@{{upstream}}")
    apart = git.says("rev-list", "--left-right", "--count", f"{branch}...{upstream}") if upstream else None
    ahead, behind = map(int, (apart or "0 0").split())
    if ahead or behind:
        parts = [f"{n} commit{'s' * (n > 1)} {way}" for n, way in ((behind, "behind"), (ahead, "ahead of")) if n]
        said = f"{branch!r} here is {' and '.join(parts)} {upstream}, as last fetched: what would be tried is not there"
        do = f"git switch {branch}, git pull --ff-only" if not ahead else f"bring {branch} and {upstream} together"
        raise _Unclear(Status.UNKNOWN, said, f"{do}; then try again")


def _edited(git: _Git) -> list[str]:
    """Name the files that were changed and not committed; those that git does not know are in nobody's way."""
    lines = (git.says("status", "--porcelain", "--untracked-files=no") or "").splitlines()
    return [line.split(maxsplit=1)[-1] for line in lines]


def _commit(git: _Git, name: str, what: str, key: str) -> str:
    """Return a commit's hash; a name that git would take for an option is none."""
    found = None if name.startswith("-") else git.says("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if not found:
        raise _Unclear(Status.RED, f"{what} is not in {git.folder}", f"mend {key} of the plan, or fetch it there")
    return found


def _try(git: _Git, commit: str, tip: str, mainline: tuple[str, ...]) -> None:
    with git.cloned() as scratch:
        checked_out = scratch.run("checkout", "--quiet", "--detach", tip)
        if checked_out.returncode:
            raise _Unclear(Status.UNKNOWN, f"a clone cannot check it out: {_last(checked_out)}", "try it by hand")
        done = scratch.run("revert", "--no-commit", *mainline, commit)
        if done.returncode:
            files = (scratch.says("diff", "--name-only", "--diff-filter=U") or "").splitlines()
            if not files:
                raise _Unclear(Status.UNKNOWN, f"it cannot be reverted: {_last(done)}", "try it by hand")
            said = f"{commit[:10]} does not revert cleanly; conflicts in {few(files, _NAMED)}"
            raise _Unclear(Status.RED, said, "prepare the revert on a branch before the night, and deploy that")
        if scratch.run("diff", "--cached", "--quiet").returncode == 0:
            by = scratch.says(
                "log", "--format=%h", "--max-count=1", f"--grep=This reverts commit {commit}", f"{commit}..{tip}"
            )
            said = f"{commit[:10]} is reverted already" + (f", by {by}" if by else ": nothing of it is left")
            raise _Unclear(Status.AMBER, said, "nothing to revert; deploy what is there")


def _commands(rules: RollbackRules, git: _Git, branch: str, commit: str, mainline: tuple[str, ...]) -> tuple[str, ...]:
    remote = git.says("config", f"branch.{branch}.remote") or ""
    typed = [["switch", branch]]
    typed += [["pull", "--ff-only", remote, branch]] if remote else []
    typed += [["revert", "--no-edit", *mainline, commit]]
    typed += [["push", remote, branch]] if remote else []
    lines = [shlex.join(["git", "-C", str(git.folder), *words]) for words in typed]
    return (*lines, *([rules.deploy] if rules.deploy else []))


def _last(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    wrong = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return (wrong or lines or [f"it ended with {done.returncode}"])[0].strip()
