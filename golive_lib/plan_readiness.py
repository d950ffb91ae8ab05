"""What a launch plan says about readiness: secrets, flags, backups, RLS, the API's contracts and payment hardening."""

from __future__ import annotations

from dataclasses import field
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from golive_lib.plan_types import STRICT, Duration, Identifier, Lasting, Share

DAY = timedelta(days=1)
FlagValue = bool | int | float | str


@dataclass(frozen=True, config=STRICT, kw_only=True)
class SecretRules:
    """Which environment variables the launch needs: the database's URL, and each key with the role it must carry.

    ``ref`` is the project's; empty takes it from the URL's user or host. A key that ends within ``expiring`` is amber.
    ``known`` are fingerprints (the start of a SHA-256) of keys without claims that somebody has looked up.
    """

    url: str = "SUPABASE_DB_URL"
    keys: dict[str, str] = field(default_factory=dict)
    ref: str = ""
    expiring: Duration = timedelta(days=30)
    known: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{12}$")]] = field(default_factory=dict)

    @model_validator(mode="after")
    def _known_are_keys(self) -> SecretRules:
        if strange := sorted(set(self.known) - set(self.keys)):
            raise ValueError(f"known names {strange[0]}, which is none of 'keys'")
        return self


@dataclass(frozen=True, config=STRICT, kw_only=True)
class FlagRules:
    """What each flag must say; ``percentage`` names the canary's, ``others`` those that may say anything."""

    expected: dict[str, FlagValue] = field(default_factory=dict)
    percentage: str = ""
    others: tuple[str, ...] = ()


@dataclass(frozen=True, config=STRICT, kw_only=True)
class BackupRules:
    """What a backup holds and how old it may be; tables past ``exact_below`` rows are counted by estimate.

    A backup smaller than ``shrink`` of the one before is amber, and so is another schema with tables, unless it is one
    that the backup may be ``without``.
    """

    schemas: tuple[str, ...] = ("public", "auth", "storage")
    without: tuple[str, ...] = ()
    max_age: Lasting = DAY
    exact_below: Annotated[int, Field(gt=0)] = 10_000_000
    shrink: Share = 0.5


@dataclass(frozen=True, config=STRICT, kw_only=True)
class StorageRules:
    """How old the manifest of stored objects may be; past ``most_objects`` they are counted and not listed.

    More than ``most_removed`` of all objects gone since the manifest before is amber: less is an app's own tidying.
    """

    max_age: Lasting = DAY
    most_objects: Annotated[int, Field(gt=0)] = 5_000_000
    most_removed: Share = 0.01


@dataclass(frozen=True, config=STRICT, kw_only=True)
class ArchiveRules:
    """How long after its end a day's rows no longer change; a day at least, for then it has ended in every zone."""

    settle: Annotated[Duration, Field(ge=DAY)] = 2 * DAY


@dataclass(frozen=True, config=STRICT, kw_only=True)
class RlsRules:
    """Which schemas the API exposes, and the critical tables with the column that says whose a row is.

    An owner is a column (``client_id``), or one reached through another table
    (``reading_id -> tarot_v2_readings.id -> client_id``). A probe of one table may take ``probe_timeout``.
    ``accepted`` holds findings that are meant, ``definer_function public.is_admin()``, each with the reason.
    """

    schemas: Annotated[tuple[Annotated[str, Field(pattern=r"^[^,]+$")], ...], Field(min_length=1)] = ("public",)
    critical: dict[str, str] = field(default_factory=dict)
    accepted: dict[str, Annotated[str, Field(min_length=1)]] = field(default_factory=dict)
    max_age: Lasting = DAY
    probe_timeout: Lasting = timedelta(seconds=5)


@dataclass(frozen=True, config=STRICT, kw_only=True)
class ApiRules:
    """How the API is asked: the variables that hold its address and each role's token, time limit and retries.

    Contracts that write are sent only where ``writes`` says that it may be written to, as to a staging.
    """

    url: str = "GOLIVE_API_URL"
    tokens: dict[str, str] = field(default_factory=dict)
    timeout: Lasting = timedelta(seconds=10)
    retries: Annotated[int, Field(ge=0, le=5)] = 2
    writes: bool = False


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Contract:
    """One request and the statuses it must be answered with; ``{name}`` in the path is filled by query ``api/<name>``.

    A ``control`` must succeed: without one a refusal may have another reason, a 404 that of a wrong address.
    """

    title: str
    role: str
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path: Annotated[str, Field(pattern=r"^/\S*$")]
    body: dict[str, Any] | None = None
    expect: Annotated[tuple[Annotated[int, Field(ge=100, le=599)], ...], Field(min_length=1)]
    control: bool = False

    @model_validator(mode="after")
    def _control_succeeds(self) -> Contract:
        if self.control and any(not 200 <= status < 300 for status in self.expect):  # noqa: PLR2004  HTTP's success
            raise ValueError("a control expects success (2xx): it proves that the address and the token are right")
        return self


@dataclass(frozen=True, config=STRICT, kw_only=True)
class HardeningRules:
    """The payment policies: ``table`` they guard, those that must be in force, and how far back their effect is shown.

    ``required`` and the others are files of ``queries/hardening/``.
    """

    table: str = "public.payment_transactions"
    required: tuple[Identifier, ...] = ()
    lookback: Lasting = DAY
