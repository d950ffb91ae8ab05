"""RLS coverage: what the API exposes, what stands before its rows, and how much of it is protected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from golive_lib.errors import QueryFailed
from golive_lib.formats import Brief, age, share
from golive_lib.owners import owned_tables
from golive_lib.proof import Point, Proof
from golive_lib.rls_catalog import TABLES, Catalog, Lint, exposed, granted, rows
from golive_lib.rls_lints import find
from golive_lib.verdicts import Outcome, Status, gate, worst

if TYPE_CHECKING:
    from datetime import datetime

    from golive_lib.clock import Clock
    from golive_lib.db import Snapshot
    from golive_lib.launch import Launch
    from golive_lib.plan import Plan

_COLUMNS = (
    "relation", "kind", "status", "critical", "rls", "owner", "anon", "authenticated",
    "permissive_policies", "restrictive_policies",
)  # fmt: skip
_LEVELS = {Status.RED: "red", Status.AMBER: "amber", None: "to know"}


@dataclass(frozen=True, repr=False)
class Coverage(Brief):
    """What row level security covers in the exposed schemas, read from the catalog in one snapshot.

    A relation is exposed when ``anon`` or ``authenticated`` hold a grant on its rows, and protected when it is exposed,
    no lint on it is red and RLS binds those roles. A critical table, named as PostgreSQL quotes it, is protected when
    it exists, its RLS is on and no lint on it is red. What the plan accepts is no longer red. ``unsure`` says why
    nothing can be judged, such as a missing role.
    """

    catalog: Catalog | None
    lints: tuple[Lint, ...]
    critical: tuple[str, ...]
    unsure: tuple[str, ...]
    clock: Clock
    launch: str
    database: str
    zone: str

    @cached_property
    def relations(self) -> pd.DataFrame:
        """Every relation of the exposed schemas, one row each, with what each API role may do."""
        known = [self._relation(row) for row in rows(self.catalog.relations)] if self.catalog else []
        return pd.DataFrame(known, columns=list(_COLUMNS), dtype=object)  # a None stays one

    def _relation(self, row: Any) -> dict[str, Any]:  # noqa: ANN401  a named tuple of the query's columns
        policies = self._policies(row)
        return {
            "relation": row.qualified,
            "kind": row.kind,
            "status": "not exposed" if not exposed(row) else "red" if self._is_open(row) else "green",
            "critical": row.qualified in self.critical,
            "rls": "off" if not row.rls else "forced" if row.forced else "on",
            "owner": row.owner,
            "anon": row.anon or None,
            "authenticated": row.authenticated or None,
            "permissive_policies": policies.get(True),
            "restrictive_policies": policies.get(False),
        }

    def _is_open(self, row: Any) -> bool:  # noqa: ANN401  as above
        unbound = self.catalog.unbound if self.catalog else []
        return row.qualified in self.open or any(granted(row, role.name) for role in unbound)

    def _policies(self, row: Any) -> dict[bool, str]:  # noqa: ANN401  as above
        frame = self.catalog.policies if self.catalog else pd.DataFrame()
        own = frame[(frame["schema"] == row.schema) & (frame["relation"] == row.relation)]
        named = own.assign(named=own["policy"] + " (" + own["command"] + ")").groupby("permissive")["named"]
        return {bool(kind): ", ".join(names) for kind, names in named}

    @property
    def open(self) -> frozenset[str]:
        """Names of what a red lint was found on."""
        return frozenset(lint.relation for lint in self.lints if lint.status is Status.RED)

    @property
    def findings(self) -> pd.DataFrame:
        """Everything found, the worst first: ``finding``, ``level``, ``on``, ``what it means``, ``how to mend it``."""
        found = [
            (lint.name.replace("_", " "), _LEVELS[lint.status], lint.relation, lint.meaning, lint.fix or None)
            for lint in self.lints
        ]
        return pd.DataFrame(found, columns=["finding", "level", "on", "what_it_means", "how_to_mend_it"])

    @property
    def exposed(self) -> int:
        """How many relations the API exposes."""
        return int((self.relations["status"] != "not exposed").sum())

    @property
    def protected(self) -> int:
        """How many of them are protected."""
        return int((self.relations["status"] == "green").sum())

    @property
    def share(self) -> float | None:
        """The share of exposed relations that is protected; None when nothing is exposed."""
        return self.protected / self.exposed if self.exposed else None

    @property
    def points(self) -> tuple[Point, ...]:
        """Each critical table, the whole, and every finding that is red or amber."""
        if self.unsure:
            return tuple(Point("catalog", Status.UNKNOWN, why) for why in self.unsure)
        tables = tuple(self._table(name) for name in self.critical)
        said = [self._opened(name) for name in self.critical]
        whole = f"{self.protected} of {self.exposed} exposed relations are protected"
        covered = Status.UNKNOWN if not self.exposed else Status.RED if self.protected < self.exposed else Status.GREEN
        mend = "" if covered is Status.GREEN else "mend what is red here; 'golive rls' shows every relation"
        shown = tuple(
            Point(lint.relation, lint.status, lint.meaning, _mended(lint))
            for lint in self.lints
            if lint.status is not None and lint not in said
        )
        return (*tables, Point("coverage", covered, whole if self.exposed else "nothing is exposed", mend), *shown)

    def _table(self, name: str) -> Point:
        found = self.relations[(self.relations["relation"] == name) & self.relations["kind"].isin(TABLES)]
        what = f"critical table {name}"
        if found.empty:
            detail = "does not exist among the tables of the exposed schemas"
            return Point(what, Status.RED, detail, "mend its name in [rls.critical] of the plan")
        if opened := self._opened(name):
            return Point(what, Status.RED, opened.meaning, opened.fix)
        if found["rls"].iloc[0] == "off":
            return Point(what, Status.RED, "RLS is off", f"alter table {name} enable row level security")
        if found["status"].iloc[0] == "red":
            return Point(what, Status.RED, "RLS does not bind the API's roles", "see those roles' points")
        return Point(what, Status.GREEN, "RLS is on, and nothing leads past it")

    def _opened(self, name: str) -> Lint | None:
        return next((lint for lint in self.lints if lint.relation == name and lint.status is Status.RED), None)

    @property
    def outcome(self) -> Outcome:
        """The verdict with what is open, in a sentence."""
        statuses = [point.status for point in self.points]
        return Outcome(gate(statuses), worst(statuses), self._sentence(), self.clock.now, self.clock.fixed, self.zone)

    def _sentence(self) -> str:
        if self.unsure:
            return f"RLS coverage cannot be judged: {'; '.join(self.unsure)}."
        tables = [self._table(name) for name in self.critical]
        kept = sum(point.status is Status.GREEN for point in tables)
        part = f"{share(self.share)} " if self.share is not None else "none "
        counts = f"({self.protected} of {self.exposed})"
        say = f"{kept} of {len(tables)} critical tables and {part}of all exposed relations {counts} are protected."
        worst_first = [lint for lint in self.lints if lint.status is not None]
        named = "; ".join(f"{lint.relation}: {lint.meaning}" for lint in worst_first[:3])
        more = f"; and {len(worst_first) - 3} more" if len(worst_first) > 3 else ""  # noqa: PLR2004  as many as named
        return f"{say} {named}{more}." if named else say

    def record(self) -> dict[str, Any]:
        """Return the report as data for JSON: the figures, and the relations and findings as lists of flat rows."""
        return {
            "protected": self.protected,
            "exposed": self.exposed,
            "share": self.share,
            "unsure": list(self.unsure),
            "relations": self.relations.to_dict("records"),
            "findings": self.findings.to_dict("records"),
        }


def examine(launch: Launch, snapshot: Snapshot) -> Coverage:
    """Read the catalog of the schemas that the plan says are exposed; needs no right beyond connecting.

    Raises PlanError for a critical table whose name or owner cannot be read.
    """
    places = [(owned.schema, owned.relation) for owned in owned_tables(launch.plan)]
    names: dict[tuple[str, str], str] = {}
    catalog, unsure = None, []
    try:
        catalog = _catalog(launch, snapshot)
        names = {(row.schema, row.relation): row.qualified for row in rows(catalog.relations)}
        around = catalog.surroundings
        missing = around[~around["found"].astype(bool)]
        unsure = [f"there is no {row.kind} {row.name!r}" for row in missing.itertuples(index=False)]
    except QueryFailed as failure:
        unsure = [failure.reason]
    plan = launch.plan
    critical = tuple(names.get(place, ".".join(place)) for place in places)
    lints = find(catalog, set(critical), plan.rls.accepted) if catalog and not unsure else ()
    return Coverage(
        catalog, lints, critical, tuple(unsure), snapshot.clock, plan.name, str(launch.database.url), plan.timezone
    )


def _mended(lint: Lint) -> str:
    """Say how to mend a lint, or how to let a warning be that is meant."""
    warning = lint.status is Status.AMBER and lint.name != "stale_acceptance"
    return f"{lint.fix}; or accept it in [rls.accepted] of the plan as '{lint.key}'" if warning else lint.fix


def _catalog(launch: Launch, snapshot: Snapshot) -> Catalog:
    def ask(query: str) -> pd.DataFrame:
        return launch.ask(snapshot, f"rls/{query}", schemas=",".join(launch.plan.rls.schemas))

    return Catalog(ask("relations"), ask("policies"), ask("reached"), ask("functions"), ask("surroundings"))


def prove_coverage(coverage: Coverage, plan: Plan, reported: datetime | None) -> Proof:
    """Prove the coverage as it is now, and that a report of it is stored and fresh enough."""
    report = _report(coverage.clock.now, plan, reported)
    whole = next((point.detail for point in coverage.points if point.what == "coverage"), "")
    return Proof("coverage", "RLS coverage", (*coverage.points, report), f"{whole}; report {report.detail}")


def _report(now: datetime, plan: Plan, reported: datetime | None) -> Point:
    what, fix = "stored report", "run 'golive rls'"
    if reported is None:
        return Point(what, Status.RED, "there is none of this database", fix)
    if reported > now:
        return Point(what, Status.UNKNOWN, "the newest is of a later moment than the one judged at", fix)
    old = now - reported > plan.rls.max_age
    return Point(what, Status.RED if old else Status.GREEN, age(now - reported), fix if old else "")
