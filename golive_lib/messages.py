"""Messages that write themselves: made from run records, kept in the outputs, recorded, sent where the plan says."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from golive_lib import history, sending
from golive_lib.errors import DatabaseError, GoliveError, ReportError, SettingsError, UsageError
from golive_lib.history import MESSAGE
from golive_lib.leaks import leak, secrets_of
from golive_lib.ledger import Ledger
from golive_lib.message_evidence import gathered
from golive_lib.message_facts import Kind
from golive_lib.message_templates import Letter, written
from golive_lib.settings import environment, outputs_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from golive_lib.launch import Launch
    from golive_lib.sending import Sent, Target

FOLDER = "messages"
LANGUAGES = ("en", "ar")


@dataclass(frozen=True)
class Message:
    """A message: its kind, the run it speaks of, one letter per language, the files it lies in, and what was sent."""

    kind: Kind
    run_id: str
    letters: tuple[Letter, ...]
    files: tuple[Path, ...]
    sent: tuple[Sent, ...] = ()

    def __str__(self) -> str:
        return "\n".join(letter.txt for letter in self.letters)

    def _repr_markdown_(self) -> str:
        return "\n".join(letter.md for letter in self.letters)

    @property
    def ok(self) -> bool:
        """Whether everything that was to be sent was."""
        return all(one.ok for one in self.sent)


@dataclass(frozen=True)
class Post:
    """How a message is to be sent: to which targets (empty: all), for how long to wait, and whether once more."""

    to: tuple[str, ...] = ()
    seconds: float = sending.SECONDS
    again: bool = False


def write(
    launch: Launch,
    kind: str | None = None,
    *,
    run_id: str = "",
    languages: Sequence[str] = (),
    post: Post | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> Message:
    """Make a message of a kind, by default what the newest run calls for; keep, record and (with ``post``) send it.

    It lies in the folder ``messages`` of the outputs. Raises UsageError where the records do not say it or a word is
    unknown, SettingsError for a target that cannot be used, PlanError for a template, LedgerError and ReportError for
    records and files, all before anything is sent. What a target answers raises nothing: ``Message.sent`` tells it.
    """
    env = environment(Path.cwd(), launch.env | os.environ)
    where = outputs_folder(env)
    chosen, spoken = _kind(kind), _languages(launch, languages)
    targets = sending.chosen(launch.plan.messages.targets, env, post.to) if post else ()
    at = _now(launch)
    past = history.read(where, launch.plan.name, str(launch.database.url), at)
    made, facts = gathered(launch.plan, past, at, chosen, run_id)
    letters = tuple(written(launch.plan, made, facts, language) for language in spoken)
    files = _kept(where / FOLDER, made, letters, secrets_of(env))
    sent: list[Sent] = []
    try:
        sent.extend(_sent(target, letter, past, post or Post()) for target in targets for letter in letters)
    finally:  # what was sent before a Ctrl-C is recorded as well
        hashes = {letter.language: _hash(letter) for letter in letters}
        data = {
            "launch": launch.plan.name,
            "database": str(launch.database.url),
            "at": at.isoformat(),
            "kind": made.value,
            "languages": list(spoken),
            "run_id": facts.run_id,
            "files": {path.name: sha256(path.read_bytes()).hexdigest() for path in files},
            "sent": [asdict(one) | {"sha256": hashes[one.language]} for one in sent],
        }
        Ledger(where, say).append(MESSAGE, data)
    return Message(made, facts.run_id, letters, files, tuple(sent))


def tell(launch: Launch, kind: str | None = None, *, say: Callable[[str], object], **how: Any) -> Message | None:
    """Make and send a message as ``write`` does, and never raise: what stood in the way is said, and None returned."""
    try:
        return write(launch, kind, say=say, **how)
    except GoliveError as error:
        say(f"no message: {error}")
    except Exception as error:  # noqa: BLE001  a rollback goes on whatever a message does; its words may hold anything
        say(f"no message: {type(error).__name__}")
    return None


def _kind(kind: str | None) -> Kind | None:
    try:
        return Kind(kind) if kind else None
    except ValueError:
        raise UsageError(f"there is no message {kind!r}; there are {', '.join(Kind)}") from None


def _languages(launch: Launch, asked: Sequence[str]) -> tuple[str, ...]:
    spoken = tuple(dict.fromkeys(asked or launch.plan.messages.languages))
    if unknown := [language for language in spoken if language not in LANGUAGES]:
        raise UsageError(f"there is no message in {unknown[0]!r}; there are {', '.join(LANGUAGES)}")
    return spoken


def _now(launch: Launch) -> datetime:
    """Return the launch's now: the database's, or this machine's when the database is what is down."""
    with suppress(DatabaseError), launch.database.snapshot() as snapshot:
        return snapshot.clock.now
    return datetime.now(UTC)


def _kept(folder: Path, kind: Kind, letters: tuple[Letter, ...], secrets: tuple[str, ...]) -> tuple[Path, ...]:
    """Write the files of a message, all of them or none, beside those that are there."""
    texts = {f"{letter.language}.{form}": getattr(letter, form) for letter in letters for form in ("md", "txt")}
    if held := next((held for text in texts.values() if (held := leak(text, secrets))), None):
        raise ReportError(f"the {kind} message holds {held}, so it was not written; look at its template and its run")
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    names = (f"{stem}-{kind}" for stem in chain([now], (f"{now}.{number}" for number in count(2))))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return next(files for name in names if (files := _created(folder, name, texts)))
    except OSError as error:
        raise ReportError(f"{folder}: the message cannot be written: {error.strerror}; see --outputs") from None


def _created(folder: Path, name: str, texts: Mapping[str, str]) -> tuple[Path, ...]:
    """Write new files, or none where the name is another message's of the same second, perhaps since this moment."""
    if any(folder.glob(f"{name}.*")):
        return ()
    made: list[Path] = []
    try:
        for end, text in texts.items():
            path = folder / f"{name}.{end}"
            with path.open("x", encoding="utf-8", newline="\n") as file:
                made.append(path)
                file.write(text)
    except OSError as error:
        for path in made:
            path.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            return ()
        raise
    return tuple(made)


def _sent(target: Target, letter: Letter, past: history.History, post: Post) -> Sent:
    """Send a letter, unless this target took the very same one already."""
    before = [] if post.again else [each for each in past.of(MESSAGE) if _took(each, target, letter)]
    if before:
        return sending.Sent(target.name, letter.language, ok=True, said=f"sent before, ledger record {before[-1].seq}")
    return sending.deliver(target, letter, post.seconds)


def _took(each: history.Happened, target: Target, letter: Letter) -> bool:
    sent = each.data.get("sent") or ()
    return any(
        one.get("target") == target.name and one.get("ok") and one.get("sha256") == _hash(letter) for one in sent
    )


def _hash(letter: Letter) -> str:
    return sha256(letter.txt.encode()).hexdigest()


def shown(launch: Launch) -> tuple[str, ...]:
    """Say of each of the plan's targets what it is, or why it cannot be used; no address is shown."""
    env = environment(Path.cwd(), launch.env | os.environ)
    return tuple(_shown(name, variable, env) for name, variable in launch.plan.messages.targets.items())


def _shown(name: str, variable: str, env: dict[str, str]) -> str:
    try:
        return str(sending.target(name, variable, env))
    except SettingsError as error:
        return str(error)
