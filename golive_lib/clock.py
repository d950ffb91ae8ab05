"""The instant that a snapshot judges at, and until when there is anything to judge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from golive_lib.errors import QueryError
from golive_lib.plan_types import instant


@dataclass(frozen=True)
class Clock:
    """The instant a snapshot judges at; ``fixed`` when it stands still, as a demo's does or that of archived days.

    ``last`` is an archive's last day; None for a database that goes on.
    """

    now: datetime
    fixed: bool
    last: date | None = None

    @property
    def end(self) -> str:
        """Until when the archive goes; empty for a database that goes on."""
        return f"the archive goes until the end of {self.last:%Y-%m-%d} UTC" if self.last else ""

    @property
    def note(self) -> str:
        """What is to be known of an instant that is this clock's, to be put after it; may be empty."""
        if self.last:
            over = datetime.combine(self.last + timedelta(days=1), time(), UTC)
            return " (the archive's end)" if self.now == over else ""
        return " (clock fixed by the database)" if self.fixed else ""

    def past(self, as_of: datetime | str | None) -> Clock:
        """Return the clock as of an instant, by default as it is; raises QueryError for one that is none or to come."""
        moment = instant(as_of, "as_of") if as_of else self.now
        if moment > self.now:
            until = self.end or f"the database's now is {self.now:%Y-%m-%d %H:%MZ}"
            raise QueryError(f"as_of {moment:%Y-%m-%d %H:%MZ} lies in the future; {until}")
        return replace(self, now=moment)
