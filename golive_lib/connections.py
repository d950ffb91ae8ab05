"""Where a database's address leads: whether it connects, and whether to the same database as another address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from golive_lib.db import Database
from golive_lib.doctor import connection_mode
from golive_lib.errors import DatabaseError, QueryFailed
from golive_lib.plan import kit_folder
from golive_lib.proof import Point
from golive_lib.query import compose, load
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from golive_lib.plan import DatabaseRules
    from golive_lib.query import Query
    from golive_lib.settings import DatabaseUrl

TRANSACTION_POOLER = 6543
_SUPABASE = " of Supabase project "
_ANOTHER = "leads to another database than the one judged"
_FIX = "set both to the project that is launched"


def connects(what: str, url: DatabaseUrl, rules: DatabaseRules) -> Point:
    """Open the URL; the server's own words name its user and host, so only the hint at their end is passed on."""
    database = None
    try:
        database = Database(url, rules)
        mode = connection_mode(database.links())
    except DatabaseError as error:
        hint = str(error).rpartition("next: ")[2]
        return Point(what, Status.RED, f"does not connect: {hint}", "mend the URL; 'golive doctor' shows more")
    except (ValueError, TypeError, OSError) as error:  # from below the driver, about a host no name can have
        return Point(what, Status.RED, f"does not connect ({type(error).__name__})", "mend the URL's host and options")
    finally:
        if database:
            database.close()
    pooler = f"; on Supabase port {url.port} is the transaction pooler" if url.port == TRANSACTION_POOLER else ""
    return Point(what, Status.GREEN, f"connects, {mode}{pooler}")


@dataclass(frozen=True)
class _Place:
    """A database's name and number, which its copies share, when its server started, and its cluster if it says so."""

    name: str
    number: str
    started: str
    cluster: str


def same_database(what: str, url: DatabaseUrl, judged: DatabaseUrl, rules: DatabaseRules) -> Point:
    """Prove that an address leads to the database that is judged; the words name neither user nor host.

    A server that runs since the very same microsecond is the same one. Another server of the same cluster may be a
    standby or an old copy, so that is unknown. Connects to both unless the addresses say it.
    """
    if url.identity == judged.identity:
        return Point(what, Status.GREEN, "the one that is judged")
    if all(_SUPABASE in address.identity for address in (url, judged)):  # projects' databases all have one name
        return Point(what, Status.RED, _ANOTHER, _FIX)
    queries = load([kit_folder() / "queries"])
    try:
        there, here = _place(url, rules, queries), _place(judged, rules, queries)
    except (DatabaseError, ValueError, TypeError, OSError):  # the connection's own point says why
        return Point(what, Status.UNKNOWN, "one of the two databases does not answer", "see the point on connection")
    if (there.name, there.number, there.started) == (here.name, here.number, here.started):
        return Point(what, Status.GREEN, "the one that is judged, by another address")
    clusters = {there.cluster, here.cluster} - {""}
    if (there.name, there.number) != (here.name, here.number) or len(clusters) > 1:
        return Point(what, Status.RED, _ANOTHER, _FIX)
    return Point(what, Status.UNKNOWN, "leads to another server, which may hold a copy of the one judged", _FIX)


def _place(url: DatabaseUrl, rules: DatabaseRules, queries: Mapping[str, Query]) -> _Place:
    database = Database(url, rules)
    try:
        with database.snapshot() as snapshot:
            found = snapshot.frame(compose(queries["doctor/server"], queries), {}).iloc[0]
            try:
                cluster = str(snapshot.frame(compose(queries["backup/system"], queries), {})["system"].item())
            except QueryFailed:  # not everybody may ask
                cluster = ""
            return _Place(str(found["database"]), str(found["database_id"]), str(found["started"]), cluster)
    finally:
        database.close()
