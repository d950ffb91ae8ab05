"""Sample recordings: whether both parties had consented, whether the file is there, and which ones to listen to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from golive_lib.errors import QueryFailed
from golive_lib.formats import mask, missing, number, share
from golive_lib.proof import Point, Proof, Section
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from golive_lib.engines import Asked
    from golive_lib.launch import Launch
    from golive_lib.spans import Spans

QUERY = "aftercare/recording_check"
TITLE = "Sample recordings"
CONFIDENCE = 0.95
SHOWN = 20
ADAPT = "adapt sources/recordings.sql, and the sources it is held against, in a query folder of the plan's own"
COUNTS = [
    "recordings",
    "failing",
    "without_consent",
    "without_proof",
    "without_file",
    "with_wrong_times",
    "of_unknown_calls",
    "running",
]


@dataclass(frozen=True)
class Rule:
    """What must hold for every recording, the column that counts those for which it does not, and how to mend it."""

    what: str
    broken: str
    fix: str
    once_ended: bool = False


RULES = (
    Rule(
        "both parties consented before it began",
        "without_consent",
        "withhold these recordings, and find what starts one before both have consented",
    ),
    Rule(
        "each consent has its IP address and time",
        "without_proof",
        "withhold these recordings, and find what stores consents without them (see API contracts)",
    ),
    Rule("its file is in storage", "without_file", "restore the files from a copy of storage", once_ended=True),
    Rule("it ends after it starts", "with_wrong_times", "find what writes these times", once_ended=True),
    Rule(
        "its call is known", "of_unknown_calls", "find the call, or withhold the recording: nobody can say whose it is"
    ),
)


@dataclass(frozen=True)
class Estimate:
    """The share of recordings that are right by the sample alone, with the ends of its interval."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, repr=False)
class Recordings(Section):
    """The recordings of a window's calls, all of them counted, and some drawn for a person to listen to.

    ``window`` names the hours. ``kinds`` counts all by ``by_test`` and ``kind`` (the call's type), with ``drawn`` and
    ``drawn_failing``; ``sample`` holds those drawn and ``failing`` those with a ``finding`` (the first thousand), with
    full ids, ``bucket`` and ``name``. Those of test accounts are never drawn. ``reason`` says why nobody could ask.
    """

    window: str
    seed: int
    kinds: pd.DataFrame
    sample: pd.DataFrame
    failing: pd.DataFrame
    reason: str = ""

    @property
    def real(self) -> pd.DataFrame:
        """The kinds without those of test accounts."""
        return self.kinds[~self.kinds["by_test"]]

    @property
    def population(self) -> int:
        """How many recordings there are, those of test accounts aside."""
        return int(self.real["recordings"].sum())

    @property
    def right(self) -> float | None:
        """The share of all recordings that is right, counted one by one; None without any."""
        return 1 - int(self.real["failing"].sum()) / self.population if self.population else None

    @property
    def estimate(self) -> Estimate | None:
        """What the sample alone says of all; None without any."""
        return estimate(self.real) if self.population else None

    @property
    def points(self) -> tuple[Point, ...]:
        """Each rule over all recordings, and the sample."""
        if self.reason:
            return (Point("recordings", Status.UNKNOWN, self.reason, ADAPT),)
        if not self.population:
            tests = int(self.kinds["recordings"].sum())
            but = f", but {number(tests)} of test accounts" if tests else ""
            fix = "see that calls are recorded, and that sources/recordings.sql reads where"
            return (Point("recordings", Status.UNKNOWN, f"there is none of {self.window}{but}", fix),)
        return (*(self._point(rule) for rule in RULES), self._drawn())

    def _point(self, rule: Rule) -> Point:
        broken, running = int(self.real[rule.broken].sum()), int(self.real["running"].sum())
        note = f" ({number(running)} still run)" if rule.once_ended and running else ""
        if broken:
            detail = f"not so for {number(broken)} of {number(self.population)} recordings{note}"
            return Point(rule.what, Status.RED, detail, rule.fix)
        return Point(rule.what, Status.GREEN, f"so for all {number(self.population)} recordings{note}")

    def _drawn(self) -> Point:
        what, failing = "the sample to listen to", int(self.real["drawn_failing"].sum())
        status, fix = (Status.RED, "see which of them fail") if failing else (Status.GREEN, "")
        found = self.estimate
        if found is None or len(self.sample) == self.population:
            return Point(what, status, f"all {number(self.population)}; {share(self.right)} are right", fix)
        drawn = f"{number(len(self.sample))} of {number(self.population)}, by call type with seed {self.seed}"
        alone = f"by these alone {share(found.share)} of all are right, {share(found.low)} to {share(found.high)}"
        sure = f"with {share(CONFIDENCE)} confidence"
        return Point(what, status, f"{drawn}; {alone} {sure}; counted one by one, {share(self.right)} are", fix)

    @property
    def proof(self) -> Proof:
        """The points, with the counts by call type, those that fail and those to listen to."""
        wrong = int(self.real["failing"].sum())
        tables = {"Recordings by call type": self._by_type()} if len(self.kinds) else {}
        if wrong:
            own = self.failing[~self.failing["by_test"]]
            tables[f"Recordings that fail{_of(wrong)}"] = listed(own.head(SHOWN))
        if len(self.sample):
            tables[f"Recordings to listen to{_of(len(self.sample))}"] = listed(self.sample.head(SHOWN))
        summary = (
            f"both parties' consent, its proof and the file are there for all {number(self.population)} recordings of"
            f" {self.window}; {number(len(self.sample))} are drawn to be listened to"
        )
        return Proof("recordings", TITLE, self.points, summary, tables)

    def _by_type(self) -> pd.DataFrame:
        kind = self.kinds["kind"].map(mask) + np.where(self.kinds["by_test"], " (test accounts)", "")
        figures = self.kinds[["recordings", "failing", "running", "drawn", "drawn_failing"]]
        return figures.assign(call_type=kind)[["call_type", *figures.columns]]


def _of(total: int) -> str:
    return f" (the first {SHOWN} of {total:,})" if total > SHOWN else ""


def listed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return recordings for people to read: ids shortened, names masked, the finding in words."""
    return pd.DataFrame(
        {
            "recording": rows["recording"].map(_short),
            "call_type": rows["kind"].map(mask),
            "began_at": rows["started_at"],
            "length_seconds": (rows["ended_at"] - rows["started_at"]).dt.total_seconds(),
            "bucket": rows["bucket"].map(_short),
            "file": rows["name"].map(_short),
            "finding": rows["finding"].where(rows["finding"].ne(""), "right"),
        }
    )


def _short(text: object) -> str | None:
    return None if missing(text) else mask(str(text))


def examine(launch: Launch, snapshot: Asked, spans: Spans) -> Recordings:
    """Look at every recording whose call began in the last hours, and draw the plan's sample of them.

    A query that fails makes it unknown, with the reason.
    """
    rules, span = launch.plan.aftercare, spans.now
    try:
        rows = launch.ask(snapshot, QUERY, **span.values())
    except QueryFailed as failure:
        nothing = pd.DataFrame(columns=["by_test", "kind", *COUNTS]).astype({"by_test": bool})
        return Recordings(span.title, rules.seed, nothing, pd.DataFrame(), pd.DataFrame(), failure.reason)
    rows = rows.assign(by_test=rows["by_test"].astype(bool), drawn=rows["drawn"].astype(bool))
    own = rows.drop(columns=COUNTS)
    return Recordings(span.title, rules.seed, _kinds(rows), own[own["drawn"]], own[own["finding"].ne("")])


def _kinds(rows: pd.DataFrame) -> pd.DataFrame:
    """Take each kind's counts, which all its rows bear, and count what was drawn of it."""
    keys = ["by_test", "kind"]
    drawn = rows.assign(drawn_failing=rows["drawn"] & rows["finding"].ne("")).groupby(keys, as_index=False)
    counted = drawn[["drawn", "drawn_failing"]].sum().astype({"drawn": "Int64", "drawn_failing": "Int64"})
    return rows.drop_duplicates(keys)[[*keys, *COUNTS]].merge(counted, on=keys).reset_index(drop=True)


def estimate(kinds: pd.DataFrame) -> Estimate:
    """Return what a sample stratified by kind says of the share of all that is right.

    ``kinds`` has ``recordings``, ``drawn`` (at least one) and ``drawn_failing``. A kind drawn whole counts as it is.
    The weighted share of the others has the exact binomial interval (Clopper & Pearson 1934; of weighted shares Korn &
    Graubard 1998), cut to what those not drawn leave possible. Drawing without replacement, and in proportion from
    strata, scatters less than a binomial, so the interval is on the safe side.
    """
    size, drawn, failing = (kinds[name].to_numpy(float) for name in ("recordings", "drawn", "drawn_failing"))
    rest = drawn < size
    known, total = float((drawn - failing)[~rest].sum()), float(size.sum())
    if not rest.any():
        return Estimate(known / total, known / total, known / total)
    others, n = float(size[rest].sum()), float(drawn[rest].sum())
    weighted = float((size * (1 - failing / drawn))[rest].sum() / others)
    hits, tail = n * weighted, (1 - CONFIDENCE) / 2
    low = float(betaincinv(hits, n - hits + 1, tail)) if weighted > 0 else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1 - tail)) if weighted < 1 else 1.0
    least, most = float((drawn - failing)[rest].sum()), others - float(failing[rest].sum())
    return Estimate(
        (known + others * weighted) / total,
        (known + max(low * others, least)) / total,
        (known + min(high * others, most)) / total,
    )
