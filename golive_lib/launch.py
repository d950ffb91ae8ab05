"""The façade an analyst types against: ``launch.frame(…)``, ``launch.check(…)``."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from golive_lib.checks import CheckResult, Checks, run_check
from golive_lib.db import Database
from golive_lib.engines import DuckUrl, archived, parse_address, parse_archive
from golive_lib.errors import QueryError, SettingsError
from golive_lib.formats import Brief, show_people
from golive_lib.plan import choose_plan, kit_folder, read_plan
from golive_lib.plan_types import instant
from golive_lib.query import compose, load
from golive_lib.settings import (
    ARCHIVE,
    DB_URL,
    DEMO_SCHEME,
    PLAN,
    SPARK_TOKEN,
    DatabaseUrl,
    Secret,
    environment,
    is_demo,
)
from golive_lib.show import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from golive_lib.clock import Clock
    from golive_lib.engines import ArchiveEngine, Asked, Engine, SparkUrl
    from golive_lib.plan import Plan
    from golive_lib.query import Param, Query
    from golive_lib.show import Html
    from golive_lib.statement import Value

SAMPLE = 50
ASKED = ("check", "checks", "database", "frame", "plan", "queries", "query", "sql", "table", "zone")
_ROWS_ALONE = (
    "{}, holds rows of closed days and no more: it cannot be asked about the app's database itself, "
    "which is its server, roles, row level security, indexes, flags, backups and newest rows\n  next: give --db-url "
    "postgresql://… for this; an archive answers golive canary, golive check health and golive sql"
)
_PYTHON: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "float": (int, float),
    "text": str,
    "bool": bool,
    "timestamptz": (str, datetime),
}


class Queries(Brief, dict[str, "Query"]):
    """Every query by its name."""

    @property
    def in_short(self) -> str:
        """How many there are."""
        return f"{len(self)}, such as {', '.join(sorted(self)[:3])}"


class Environment(Brief, dict[str, str]):
    """An environment, which holds secrets: it shows its names and never a value."""

    @property
    def in_short(self) -> str:
        """How many variables there are."""
        return f"{len(self)} variables, values not shown"


class Launch:
    """A launch plan, its queries and a database to judge it from; ``archive`` has its earlier days, if there is one.

    ``frame`` answers a query as a DataFrame, ``table`` as a table to read, ``check`` and ``checks`` judge, ``sql``
    shows what runs; ``queries`` has what can be asked, ``plan`` the limits, ``zone`` the launch's time zone. Every
    question is read-only and has a time limit; interrupt the kernel to stop one::

        launch.queries
        launch.frame("health/api_hours", hours=6)
        launch.checks("sanity")
    """

    def __init__(
        self,
        plan: Plan,
        queries: Mapping[str, Query],
        database: Engine,
        env: Mapping[str, str] | None = None,
        archive: ArchiveEngine | None = None,
    ) -> None:
        self.plan = plan
        self.queries = queries
        self.database = database
        self.env: Mapping[str, str] = Environment(env or {})
        self.archive = archive

    @property
    def postgres(self) -> Database:
        """The app's own database, for what its rows alone cannot answer; raises SettingsError for an archive."""
        if not isinstance(self.database, Database):
            raise SettingsError(_ROWS_ALONE.format(self.database.url))
        return self.database

    @property
    def zone(self) -> ZoneInfo:
        """The launch's time zone, in which reports show times."""
        return ZoneInfo(self.plan.timezone)

    def __repr__(self) -> str:
        return f"<Launch {self.plan.name!r} on {self.database.url}, {len(self.queries)} queries>"

    def __dir__(self) -> list[str]:
        """Offer what an analyst asks; the rest is for the kit's own modules."""
        return [*ASKED, *(name for name in super().__dir__() if name.startswith("__"))]

    def frame(self, name: str, **params: Value | datetime) -> pd.DataFrame:
        """Return a query's answer, as in ``launch.frame("health/api_hours", hours=6)``.

        Raises QueryError for an unknown query or parameter, QueryFailed when the database refuses it.
        """
        with self.database.snapshot() as snapshot:
            return self.ask(snapshot, name, **params)

    def ask(self, snapshot: Asked, name: str, **params: Value | datetime) -> pd.DataFrame:
        """Return a query's answer in a snapshot that others look at too; raises as ``frame`` does."""
        query = self.query(name)
        return snapshot.frame(compose(query, self.queries), self.values(query, snapshot.clock, params))

    def check(self, name: str, *, sample: int = SAMPLE, **params: Value | datetime) -> CheckResult:
        """Judge one check, as in ``launch.check("sanity/consent")``; its ``rows`` are the offending ones.

        A failing statement is ``unknown`` with its reason, an unreachable database an error.
        """
        query = self.query(name)
        with self.database.snapshot() as snapshot:
            return self._run(snapshot, query, params, sample)

    def checks(self, folder: str, *, sample: int = SAMPLE, **params: Value | datetime) -> Checks:
        """Judge every check of a folder, as in ``launch.checks("sanity")``, or one by its name, in one snapshot.

        Each takes those of ``params`` that it declares; raises QueryError for one that none declares.
        """
        with self.database.snapshot() as snapshot:
            return self.checks_in(snapshot, folder, sample=sample, **params)

    def checks_in(self, snapshot: Asked, folder: str, *, sample: int = SAMPLE, **params: Value | datetime) -> Checks:
        """Judge checks in a snapshot that others look at too; raises as ``checks`` does."""
        checks = {name: query for name, query in sorted(self.queries.items()) if query.expect}
        chosen = [q for name, q in checks.items() if name == folder or name.startswith(f"{folder.rstrip('/')}/")]
        if not chosen:
            raise QueryError(f"there is no check {folder!r}; {_near(folder, checks)}")
        if sample < 1:
            raise QueryError(f"sample = {sample}: at least one offending row is shown")
        declared = {param.name for query in chosen for param in query.params}
        if unknown := sorted(set(params) - declared):
            raise QueryError(f"no check of {folder!r} has a parameter {unknown[0]!r}; they have {sorted(declared)}")
        results = tuple(self._run(snapshot, query, _declared(query, params), sample) for query in chosen)
        return Checks(results, snapshot.clock, self.plan.name, str(self.database.url), self.plan.timezone)

    def table(self, name: str, **params: Value | datetime) -> Html:
        """Return a query's answer as a table to read, under the question the query answers."""
        query = self.query(name)
        return table(self.frame(name, **params), caption=query.title, tz=self.zone)

    def sql(self, name: str, **params: Value | datetime) -> str:
        """Return a query with its sources and values written in, as any SQL client runs it."""
        query = self.query(name)
        with self.database.snapshot() as snapshot:
            values = self.values(query, snapshot.clock, params)
        return self.database.sql(compose(query, self.queries), values)

    def values(self, query: Query, clock: Clock, given: Mapping[str, Value | datetime]) -> dict[str, Value]:
        """Return a value for each parameter of a query: given, else its default from the header, plan or clock."""
        declared = {param.name: param for param in query.params}
        if unknown := sorted(set(given) - set(declared)):
            has = ", ".join(declared) or "none"
            raise QueryError(f"{query.path}: {query.name!r} has no parameter {unknown[0]!r}; it has {has}")
        chosen = {name: _bound(query, declared[name], given[name]) for name in given if given[name] not in (None, "")}
        values = self.defaults(query, clock) | chosen
        if missing := sorted(set(declared) - set(values)):
            raise QueryError(f"{query.path}: {query.name!r} needs a value for {missing[0]!r}")
        return values

    def defaults(self, query: Query, clock: Clock) -> dict[str, Value]:
        """Return the value of each parameter that has a default."""
        return {p.name: self._default(p, p.default, clock) for p in query.params if p.default is not None}

    def _run(self, snapshot: Asked, query: Query, params: Mapping[str, Value | datetime], sample: int) -> CheckResult:
        values = self.values(query, snapshot.clock, params)
        return run_check(snapshot, query, self.queries, values, sample=sample)

    def _default(self, param: Param, text: str, clock: Clock) -> Value:
        if text == "now":
            return clock.now.isoformat()
        if text in ("true", "false"):
            return text == "true"
        if text.startswith("'"):
            return text[1:-1]
        if text[0].isalpha():
            return self.plan.value(text)
        return float(text) if param.type == "float" else int(text)

    def query(self, name: str) -> Query:
        """Return a query by name; raises QueryError that lists its neighbours."""
        if name not in self.queries:
            raise QueryError(f"there is no query {name!r}; {_near(name, self.queries)}")
        return self.queries[name]


def _near(name: str, known: Iterable[str]) -> str:
    """Name what somebody may have meant."""
    names = sorted(known)
    folder = [each for each in names if each.startswith(f"{name.split('/', maxsplit=1)[0]}/")]
    ends = [each for each in names if name.rsplit("/", maxsplit=1)[-1] in each]
    return f"there are {', '.join(folder or ends or names)}"


def _declared(query: Query, params: Mapping[str, Value | datetime]) -> dict[str, Value | datetime]:
    names = {param.name for param in query.params}
    return {name: value for name, value in params.items() if name in names}


def _bound(query: Query, param: Param, value: Value | datetime) -> Value:
    """Check a given value against its declared type; an instant must carry its zone."""
    wrong = QueryError(f"{query.path}: {param.name} = {value!r} is no {param.type}")
    if not isinstance(value, _PYTHON[param.type]) or (isinstance(value, bool) and param.type != "bool"):
        raise wrong
    if isinstance(value, datetime) or param.type == "timestamptz":
        return instant(value, param.name).isoformat()
    return value


def open_launch(db_url: str | None = None, *, plan: str | Path | None = None) -> Launch:
    """Open a launch: the plan given, else ``GOLIVE_PLAN``, else the nearest ``launch.toml``, else the kit's own.

    The database is ``db_url``, else ``GOLIVE_DB_URL`` from the environment or ``.env``. Connects on the first
    question. Where ``GOLIVE_ARCHIVE`` is set, stages are judged from that archive's days, too. Raises SettingsError,
    PlanError, QueryError.
    """
    env = environment(Path.cwd())
    url = db_url or env.get(DB_URL)
    if not url:
        raise SettingsError(f"no database: set {DB_URL}, pass --db-url, or try the demo: 'demo:healthy' is such a URL")
    if is_demo(url):
        env |= _demo(url)
        url = env[DB_URL]
    chosen = read_plan(choose_plan(plan or env.get(PLAN)))
    show_people(chosen.reports.show)
    address = parse_address(url)
    queries = load_queries(chosen, archive=not isinstance(address, DatabaseUrl))
    if isinstance(address, DatabaseUrl):
        kept = _engine(parse_archive(env[ARCHIVE]), chosen, env) if env.get(ARCHIVE) else None
        return Launch(chosen, queries, Database(address, chosen.database), env, kept)
    return Launch(chosen, Queries(archived(queries)), _engine(address, chosen, env), env)


def _engine(address: DuckUrl | SparkUrl, plan: Plan, env: Mapping[str, str]) -> ArchiveEngine:
    if isinstance(address, DuckUrl):
        from golive_lib.duck import DuckDB  # noqa: PLC0415  half a second that a live launch need not wait

        return DuckDB(address, plan)
    try:
        from golive_lib.spark import SparkEngine  # noqa: PLC0415  likewise, and it is an extra
    except ModuleNotFoundError as error:
        raise SettingsError(f"{address}: {error.name} is missing; next: pip install 'golive[spark]'") from None
    token = env.get(SPARK_TOKEN)
    return SparkEngine(address, plan, token=Secret(token) if token else None)


def load_queries(plan: Plan, *, archive: bool = False) -> Queries:
    """Return the kit's queries with those of the plan's folders over them; raises QueryError.

    ``archive`` puts the kit's queries between them that an engine without an index needs in another shape.
    """
    own = kit_folder() / "queries"
    kits = [own, kit_folder() / "queries_of_archives"] if archive else [own]
    return Queries(load([*kits, *(folder for folder in plan.query_folders if folder.resolve() != own.resolve())]))


def kind(query: Query) -> str:
    """Say what a query is: a source, a check, or figures."""
    return "source" if query.name.startswith("sources/") else "check" if query.expect else "figures"


def _demo(url: str) -> Mapping[str, str]:
    """Keep the demo's server and its app up until this process ends; return its environment."""
    from golive_lib.demo import open_app, open_named  # noqa: PLC0415  a real launch needs no embedded server

    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(open_app(stack.enter_context(open_named(url.removeprefix(DEMO_SCHEME)))))
