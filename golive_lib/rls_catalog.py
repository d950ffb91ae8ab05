"""What the catalog says of the exposed schemas, and the shape of what is found in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from golive_lib.verdicts import Status

    Row = Any  # a named tuple of a query's columns

ROLES = ("anon", "authenticated")
TABLES = {"table", "partitioned table", "partition"}
COMMANDS = ("select", "insert", "update", "delete")


@dataclass(frozen=True)
class Lint:
    """One thing found: its name, how bad (None: only worth knowing), on what, what it means, and how to mend it.

    ``vital`` when it opens rows of a critical table: no plan may accept that.
    """

    name: str
    status: Status | None
    relation: str
    meaning: str
    fix: str
    vital: bool = False

    @property
    def key(self) -> str:
        """What the plan writes to accept it."""
        return f"{self.name} {self.relation}"


@dataclass(frozen=True)
class Catalog:
    """What the catalog says of the exposed schemas, a frame per query of ``queries/rls/``."""

    relations: pd.DataFrame
    policies: pd.DataFrame
    reached: pd.DataFrame
    functions: pd.DataFrame
    surroundings: pd.DataFrame

    def of(self, row: Row, frame: pd.DataFrame) -> list[Row]:
        """Return the rows of a frame that are about a relation."""
        return list(rows(frame[(frame["schema"] == row.schema) & (frame["relation"] == row.relation)]))

    @property
    def unbound(self) -> list[Row]:
        """The API's roles that row level security does not bind, each with why."""
        return [row for row in rows(self.surroundings) if row.kind == "role" and row.detail]


def rows(frame: pd.DataFrame) -> Iterator[Row]:
    """Return a frame's rows as named tuples."""
    return iter(frame.itertuples(index=False))


def granted(row: Row, role: str) -> set[str]:
    """Return the commands that a role holds on a relation."""
    return set(getattr(row, role).split(", ")) - {""}


def exposed(row: Row) -> bool:
    """Say whether an API role may do anything with a relation's rows."""
    return any(granted(row, role) & set(COMMANDS) for role in ROLES)


def allowed(row: Row, policy: Row, command: str) -> list[str]:
    """Return the roles that hold a command on a relation and that a policy is for."""
    return [role for role in ROLES if getattr(policy, f"for_{role}") and command in granted(row, role)]
