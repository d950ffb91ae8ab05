"""Every error the kit raises on purpose.

GoliveError
├── PlanError        launch.toml says something it cannot mean
├── SettingsError    the environment or an option is missing or malformed
├── QueryError       a query file breaks the header's grammar, or does not exist
├── DatabaseError    the database cannot be reached, or refused
│   ├── QueryFailed  one statement failed; the connection is fine
│   └── Unconfirmed  the connection was lost after COMMIT was sent
├── UsageError       a notebook or a parameter of it is unknown, or a value has the wrong type
├── ReportError      a notebook could not be run or its report could not be written
├── LedgerError      the ledger cannot be read or written
├── BackupError      a dump could not be taken, kept or restored
└── ArchiveError     the archive cannot be read or written

Stopped, a KeyboardInterrupt, is no error: somebody interrupted a question.
"""

from __future__ import annotations


class GoliveError(Exception):
    """Base of all errors with a message for people: what, where, the offending text, the next step."""

    exit_code = 1


class PlanError(GoliveError):
    """The launch plan is missing, malformed or contradicts itself."""


class SettingsError(GoliveError):
    """A setting from the environment or the command line is missing or malformed."""


class QueryError(GoliveError):
    """A query file is missing, malformed, or was asked with the wrong parameters."""


class DatabaseError(GoliveError):
    """The database cannot be reached, or does not let the kit work."""


class QueryFailed(DatabaseError):  # noqa: N818  it names what happened, as the reason of an unknown
    """One statement failed; ``reason`` fits in a report's table, ``sqlstate`` is PostgreSQL's code.

    ``hint`` holds the server's detail and hint, ``position`` where in the statement it failed, from 1 (0: unsaid).
    """

    def __init__(
        self, message: str, *, reason: str, sqlstate: str | None = None, hint: str = "", position: int = 0
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.sqlstate = sqlstate
        self.hint = hint
        self.position = position


class Unconfirmed(DatabaseError):  # noqa: N818  likewise
    """The connection was lost after COMMIT was sent: only another connection can say what became of it."""


class UsageError(GoliveError):
    """A notebook or a parameter of it is unknown, or a value has the wrong type."""

    exit_code = 2


class ReportError(GoliveError):
    """A notebook could not be run, or its report could not be written."""


class LedgerError(GoliveError):
    """The ledger cannot be read or written."""


class BackupError(GoliveError):
    """A dump could not be taken, kept or restored."""


class ArchiveError(GoliveError):
    """The archive cannot be read or written, or does not hold what was asked for."""


class Stopped(KeyboardInterrupt):
    """Somebody interrupted a question; the server was told to stop too, and the next one may be asked."""

    def __str__(self) -> str:
        return "Stopped, here and on the server; the next question may be asked."

    def _render_traceback_(self) -> list[str]:
        """Show IPython one line, for where in the driver it was waiting helps nobody."""
        return [str(self)]
