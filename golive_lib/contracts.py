"""API contracts: the plan's requests with their roles' tokens and rows of their own, sent and judged."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import jwt
import pandas as pd

from golive_lib.contract_answers import SAFE_METHODS, Answer, first_lines, judge, weighed
from golive_lib.contract_lines import masked
from golive_lib.contract_requests import Request, api_address, is_local, send
from golive_lib.errors import PlanError, QueryFailed, SettingsError
from golive_lib.formats import duration, missing, moment
from golive_lib.leaks import secrets_of
from golive_lib.proof import Point, Proof
from golive_lib.settings import Secret
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from golive_lib.contract_answers import Reply
    from golive_lib.engines import Asked
    from golive_lib.launch import Launch
    from golive_lib.plan import Plan
    from golive_lib.plan_readiness import Contract

KEY, TITLE = "contracts", "API contracts"
TABLE = "Each request and its answer"
SHORTEST_SECRET = 4
FOLDER = "api"  # of the queries that fill a path's placeholders
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Token:
    """A role's token, from the environment variable ``variable``; its ``claims`` are the API's to verify."""

    variable: str
    value: Secret
    claims: Mapping[str, Any] = field(repr=False)
    problem: str = ""


@dataclass(frozen=True)
class Subject:
    """What stands for a placeholder of a path: the identifier of a row, or why there is none."""

    value: str = ""
    problem: str = ""


@dataclass(frozen=True)
class _Run:
    """What every contract of one run is asked with."""

    plan: Plan
    address: str
    tokens: Mapping[str, Token]
    subjects: Mapping[str, Subject]
    secrets: tuple[str, ...] = field(repr=False)
    now: datetime
    writes: bool


def prove_contracts(launch: Launch, snapshot: Asked, *, allow_writes: bool) -> Proof:
    """Send the plan's requests and judge the answers.

    Those that write are sent when ``allow_writes``, when the plan says ``writes = true`` (a staging's), or to a demo: a
    database with a fixed clock and an API on this machine. Raises PlanError for a role or a placeholder that is none.
    """
    plan = launch.plan
    if not plan.contracts:
        point = Point("contracts", Status.UNKNOWN, "the plan names none", "add [contracts.…] to the launch plan")
        return Proof(KEY, TITLE, (point,))
    subjects = find_subjects(launch, snapshot)
    try:
        demo = snapshot.clock.fixed and is_local(api_address(plan.api, launch.env))
        writes = allow_writes or plan.api.writes or demo
        answers = run_contracts(plan, launch.env, subjects, now=snapshot.clock.now, allow_writes=writes)
    except SettingsError as error:
        return Proof(KEY, TITLE, (Point("address", Status.UNKNOWN, str(error), f"set {plan.api.url}"),))
    slowest = max((answer.ms for answer in answers if answer.ms is not None), default=None)
    summary = f"{len(answers)} of {len(answers)} requests were answered as promised, in {duration(slowest)} at most"
    return Proof(KEY, TITLE, _points(answers), summary, {TABLE: frame(answers)})


def _points(answers: Sequence[Answer]) -> tuple[Point, ...]:
    """Return a point per contract, or a single one when the same thing came between all of them and the API."""
    first = answers[0]
    if len(answers) > 1 and first.status is not Status.GREEN and len({answer.finding for answer in answers}) == 1:
        return (Point(f"all {len(answers)} requests", first.status, first.finding, first.fix),)
    return tuple(Point(answer.contract.title, answer.status, answer.finding, answer.fix) for answer in answers)


def run_contracts(
    plan: Plan,
    env: Mapping[str, str],
    subjects: Mapping[str, Subject],
    *,
    now: datetime,
    allow_writes: bool,
    transport: httpx.AsyncBaseTransport | None = None,
) -> tuple[Answer, ...]:
    """Send each contract that can be sent and return the answers in the plan's order, the others unknown.

    Raises SettingsError without a usable address, PlanError for a role without a token in the plan.
    """
    address, tokens = api_address(plan.api, env), read_tokens(plan, env)
    secrets = (*secrets_of(env), *(token.value.reveal() for token in tokens.values()))
    secrets = tuple(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)
    run = _Run(plan, address, tokens, subjects, secrets, now, allow_writes)
    prepared = {key: _prepared(run, key, contract) for key, contract in plan.contracts.items()}
    requests = {key: request for key, request in prepared.items() if isinstance(request, Request)}
    replies = dict(zip(requests, send(list(requests.values()), plan.api, transport), strict=True))
    answers = (_judged(run, key, replies[key]) if isinstance(made, Request) else made for key, made in prepared.items())
    return weighed(tuple(answers))


def _prepared(run: _Run, key: str, contract: Contract) -> Request | Answer:
    """Return a contract's request, or the answer that it cannot be sent."""
    token = run.tokens[contract.role]
    wanted = [run.subjects.get(name, Subject(problem=f"nothing stands for {{{name}}}")) for name in _names(contract)]
    lacking = [subject.problem for subject in wanted if not subject.value]
    if contract.method not in SAFE_METHODS and not run.writes:
        problem, fix = f"not sent, for it is a {contract.method}: needs --allow-writes", "allow it, or test in staging"
    elif token.problem:
        problem, fix = f"not sent: {token.problem}", f"set {token.variable} to a token of a {contract.role}"
    elif lacking:
        problem, fix = f"not sent: {lacking[0]}", "take the token of somebody who has one"
    else:
        return Request(contract, run.address + _path(run, contract), token.value)
    return Answer(key, contract, _shown(run, contract), Status.UNKNOWN, problem, fix)


def _judged(run: _Run, key: str, reply: Reply) -> Answer:
    contract = run.plan.contracts[key]
    token = _expired(run.tokens[contract.role], run.now, ZoneInfo(run.plan.timezone))
    status, finding, fix = judge(contract, reply, token)
    lines = first_lines(reply, run.secrets)
    return Answer(key, contract, _shown(run, contract), status, finding, fix, reply.status, reply.ms, lines)


def frame(answers: Sequence[Answer]) -> pd.DataFrame:
    """Return the answers as a table, a row per contract; ``time_ms`` is the time to the status."""
    rows = [
        (
            answer.key,
            answer.contract.role,
            answer.request,
            " or ".join(map(str, answer.contract.expect)),
            answer.got,
            answer.ms,
            answer.status.value,
            answer.finding,
            answer.lines,
        )
        for answer in answers
    ]
    columns = ["contract", "as", "request", "expected", "got", "time_ms", "status", "finding", "first lines"]
    return pd.DataFrame(rows, columns=columns).astype({"got": "Int64", "time_ms": "float64"})


def read_tokens(plan: Plan, env: Mapping[str, str]) -> dict[str, Token]:
    """Return the token of each role that the contracts name; raises PlanError for a role the plan has none for."""
    tokens = {}
    for key, contract in plan.contracts.items():
        if contract.role not in plan.api.tokens:
            known = ", ".join(plan.api.tokens) or "none"
            raise PlanError(f"{plan.path}: contracts.{key}.role = {contract.role!r}; [api] tokens has {known}")
        tokens[contract.role] = _token(plan.api.tokens[contract.role], env)
    return tokens


def _token(variable: str, env: Mapping[str, str]) -> Token:
    text = env.get(variable, "").strip()
    if not text:
        return Token(variable, Secret(""), {}, f"{variable} is not set")
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        return Token(variable, Secret(text), {}, f"{variable} holds blanks or other signs that no token has")
    return Token(variable, Secret(text), _claims(text))


def _claims(text: str) -> Mapping[str, Any]:
    try:
        claims: Mapping[str, Any] = jwt.decode(text, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):  # a key of another kind, which the API may know
        return {}
    return claims


def _expired(token: Token, now: datetime, zone: ZoneInfo) -> str:
    """Say when a token expired, if it says so itself."""
    expiry = token.claims.get("exp")
    try:
        end = datetime.fromtimestamp(float(expiry), UTC) if isinstance(expiry, int | float) else None
    except (ValueError, OverflowError, OSError):  # no instant that a calendar has
        end = None
    return f": it expired on {moment(end, zone)}" if end and end <= now else ""


def find_subjects(launch: Launch, snapshot: Asked) -> dict[str, Subject]:
    """Return what stands for each placeholder of the contracts' paths: the first value its query answers with.

    ``{reading}`` asks ``queries/api/reading.sql``, whose parameters are roles: each takes the ``sub`` of the role's
    token. Raises PlanError for a placeholder without a query.
    """
    known = [name.removeprefix(f"{FOLDER}/") for name in launch.queries if name.startswith(f"{FOLDER}/")]
    subjects: dict[str, Subject] = {}
    for key, contract in launch.plan.contracts.items():
        for name in _names(contract):
            if name not in known:
                has = ", ".join(f"{{{each}}}" for each in sorted(known)) or "none"
                raise PlanError(
                    f"{launch.plan.path}: contracts.{key}.path has {{{name}}}; there are {has}; "
                    f"add a queries/{FOLDER}/{name}.sql that finds one"
                )
            subjects.setdefault(name, _subject(launch, snapshot, name))
    return subjects


def _subject(launch: Launch, snapshot: Asked, name: str) -> Subject:
    query = launch.query(f"{FOLDER}/{name}")
    people: dict[str, str] = {}
    for param in query.params:
        if variable := launch.plan.api.tokens.get(param.name):
            person = _token(variable, launch.env).claims.get("sub")
            if not person or not isinstance(person, str):
                return Subject(problem=f"{variable} does not say whose it is, so no {name} of theirs is known")
            people[param.name] = person
    try:
        found = launch.ask(snapshot, query.name, **people)
    except QueryFailed as failure:
        return Subject(problem=f"no {name} could be found: {failure.reason}")
    value = "" if found.empty or missing(found.iloc[0, 0]) else str(found.iloc[0, 0])
    lacking = f"the database has no {name} of this {' and '.join(people) or 'kind'} to ask for"
    return Subject(value, "" if value else lacking)


def _names(contract: Contract) -> list[str]:
    return _PLACEHOLDER.findall(contract.path)


def _path(run: _Run, contract: Contract) -> str:
    """Return a contract's path with its placeholders filled, as far as they are known."""

    def filled(found: re.Match[str]) -> str:
        subject = run.subjects.get(found[1])
        return quote(subject.value, safe="") if subject and subject.value else found[0]

    return _PLACEHOLDER.sub(filled, contract.path)


def _shown(run: _Run, contract: Contract) -> str:
    return masked(f"{contract.method} {_path(run, contract)}", run.secrets)
