"""Messages sent to the plan's targets through Apprise: within a time, each on its own, and no address shown."""

from __future__ import annotations

import logging
import re
import threading
import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from golive_lib.errors import SettingsError, UsageError
from golive_lib.settings import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from golive_lib.message_templates import Letter

SECONDS = 10.0
_STATUS = re.compile(r"error=(\d{3})\b")


@dataclass(frozen=True)
class Target:
    """Where messages go: its name in the plan and the kind of service; the address is secret, and not shown."""

    name: str
    service: str
    address: Secret

    def __str__(self) -> str:
        return f"{self.name}: {self.service}"


@dataclass(frozen=True)
class Sent:
    """What became of one message at one target: ``said`` tells it without the address."""

    target: str
    language: str
    ok: bool
    said: str


def chosen(named: Mapping[str, str], env: Mapping[str, str], to: Sequence[str] = ()) -> tuple[Target, ...]:
    """Return the targets of these names, or all there are, each with its address from the environment.

    Raises UsageError for a name that the plan does not have, SettingsError for a variable that is not set or whose
    value is no address that Apprise reads.
    """
    has = ", ".join(named) or "none: name one under [messages] targets"
    if unknown := [name for name in to if name not in named]:
        raise UsageError(f"the plan has no target {unknown[0]!r}; it has {has}")
    if not named:
        raise UsageError(f"the plan has no target to send to; it has {has}")
    return tuple(target(name, named[name], env) for name in dict.fromkeys(to or named))


def target(name: str, variable: str, env: Mapping[str, str]) -> Target:
    """Return a target; raises SettingsError as ``chosen`` does."""
    if not (url := env.get(variable, "").strip()):
        raise SettingsError(f"target {name!r}: {variable} is not set; put its Apprise URL there")
    service = _service(url, SECONDS)
    if service is None:
        raise SettingsError(f"target {name!r}: what {variable} holds is no Apprise URL that can be read")
    return Target(name, str(service.service_name), Secret(url))


def deliver(target: Target, letter: Letter, seconds: float = SECONDS) -> Sent:
    """Send one letter to one target and say what came of it; never raises, and waits no longer than ``seconds``."""
    said: list[str] = []
    # A thread that is not waited for at the end: a server that answers byte by byte would hold the whole command.
    thread = threading.Thread(target=_attempt, args=(target, letter, seconds, said), daemon=True)
    thread.start()
    thread.join(seconds)
    answer = said[0] if said else f"no answer within {seconds:g} s"
    return Sent(target.name, letter.language, answer == "sent", answer)


def _attempt(target: Target, letter: Letter, seconds: float, said: list[str]) -> None:
    """Hand a letter to Apprise, the first line as its title, and note what its log tells of a failure."""
    heard: list[str] = []
    try:
        apprise = _apprise()
        service = _service(target.address.reveal(), seconds, heard)
        if service is None:
            raise ValueError(target.name)  # noqa: TRY301  it was readable a moment ago
        markdown = service.resolve_format() == apprise.NotifyFormat.MARKDOWN
        title, _, body = (letter.md if markdown else letter.txt).rstrip("\n").partition("\n\n")
        sender = apprise.Apprise(asset=service.asset)
        sender.add(service)
        form = apprise.NotifyFormat.MARKDOWN if markdown else apprise.NotifyFormat.TEXT
        done = sender.notify(body=body, title=title, body_format=form)
        said.append("sent" if done else _reason(heard))
    except Exception as error:  # noqa: BLE001  whatever a service's plugin does, the rollback goes on
        said.append(f"not sent: {type(error).__name__}")


@cache
def _apprise() -> ModuleType:
    """Load Apprise and all its services, which may import what their language has deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise  # noqa: PLC0415  half a second that only a message pays for

        apprise.Apprise.instantiate("json://localhost")
    return apprise


def _service(url: str, seconds: float, heard: list[str] | None = None) -> Any:  # noqa: ANN401  Apprise's plugins are of many classes
    """Return Apprise's service for an address, None where it reads none; what it logs is heard here alone."""
    apprise = _apprise()
    logger = logging.getLogger("apprise")
    logger.propagate = False  # its warnings quote addresses
    logger.handlers = [_Heard(heard if heard is not None else [])]
    asset = apprise.AppriseAsset(async_mode=False)  # in this thread, and not in one that the end would wait for
    service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if service is not None:
        limits = {"socket_connect_timeout": seconds / 2, "socket_read_timeout": seconds / 2, "retry": 0}
        for name, limit in limits.items():
            setattr(service, name, limit)
        if service.overflow_mode == apprise.OverflowMode.UPSTREAM:  # what is too long is refused there
            service.overflow_mode = apprise.OverflowMode.SPLIT
    return service


class _Heard(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.append(record.getMessage())


def _reason(heard: list[str]) -> str:
    """Say why it was not sent, from what Apprise logged and in words of our own: its words may quote the address."""
    everything = "\n".join(heard)
    if status := _STATUS.search(everything):
        return f"refused: HTTP {status[1]}"
    if "onnection error" in everything or "ocket" in everything:
        return "not sent: no connection, or it broke off"
    return "not sent: the service refused it, or could not be reached"
