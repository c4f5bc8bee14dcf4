"""Which method breaks parity? A search over the methods of a failing candidate, one dual run a question.

Two parts: `search`, which knows nothing but a predicate, and `bisect`, whose predicate is a dual run. Methods stand in
the order of the ladder. With P(k) the first k of them its own, P(0) passes and P(n) fails, so that somewhere a P(k - 1)
passes and P(k) fails: halving finds such a k in ceil(log2 n) runs, and method k is to blame if it fails alone as well.
If it does not, it breaks parity only together with others, and delta debugging (Zeller and Hildebrandt, "Simplifying
and isolating failure-inducing input", IEEE TSE 28(2), 2002) makes that set as small as it gets.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from service.campaigns.ladder import CHILD_DIED
from service.campaigns.stored_runs import StoredRuns
from service.parity.errors import InvalidRequest, Problem, RunFailed
from service.parity.plan import (
    CPU_PHASES,
    CheckpointSpec,
    FreeRunningSpec,
    ModelSpec,
    Plan,
    SynchronizedSpec,
    TrainingSpec,
)
from service.parity.policy import CHECKPOINT_CHECKS, Policy, Requirement, named_policy
from service.parity.verdict import FirstDivergence
from service.ports import ProgressListener, RunRow

if TYPE_CHECKING:  # it brings CuPy along: not for `lockstep --help`, which shows this plan
    from service.subjects.registry import Mixable

Selection = frozenset[str]
Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE"]

SCHEMA_VERSION = 1

PLAN = Plan(
    model=ModelSpec(vector_length=64, hidden_layers=2, bottleneck=16),
    training=TrainingSpec(steps=20, batch_size=16, learning_rate=0.02, clip=0.05),
    synchronized=SynchronizedSpec(steps=4, every=3),
    free_running=FreeRunningSpec(band_runs=2, band_steps=20),
    checkpoint=CheckpointSpec(steps_before=2, steps_after=2),
    phases=CPU_PHASES,
)
"""The plan of `lockstep ladder bisect`: small, for it is carried out once a question, and yet one on which every
planted fault of a method is caught (benchmarks/bisection.py): the clip cuts from the first step, and of so many weights
some are below 1e-4. In 20 steps nothing is learned, and need not be."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One question answered: with only these methods its own, does the candidate hold parity?

    `run_id` and what follows tell of the dual run, where there was one.
    """

    selection: Selection
    outcome: Outcome
    run_id: str | None = None
    candidate: str = ""
    summary: str = ""
    first_divergence: FirstDivergence | None = None
    seconds: float | None = None


Ask = Callable[[Selection], Probe]
Close = Callable[[Selection], Selection]
"""The smallest selection that has these methods and can run."""

Answer = Literal["method", "set", "passes", "elsewhere", "undecided", "unfinished"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the search came to.

    `method`: it breaks parity by itself. `set`: these do, and leaving out any one of them that can be left out makes it
    pass. `passes`: the candidate holds parity as it is. `elsewhere`: it fails with no method its own. `undecided`: a
    run was neither PASS nor FAIL, so nothing was concluded. `unfinished`: the runs that were allowed are spent; the set
    is the smallest one known to fail. `decisive` is the probe that shows the answer.
    """

    answer: Answer
    culprits: Selection
    probes: tuple[Probe, ...]
    decisive: Probe


class _Undecided(Exception):
    """A probe was INCONCLUSIVE."""


class _Spent(Exception):
    """No more runs are allowed."""


class _Asked:
    """Asks each question once, and notes the answers."""

    def __init__(self, ask: Ask, most: int) -> None:
        self._ask, self._most = ask, most
        self._known: dict[Selection, Probe] = {}

    @property
    def probes(self) -> tuple[Probe, ...]:
        return tuple(self._known.values())

    def about(self, selection: Selection) -> Probe:
        if selection not in self._known:
            if len(self._known) >= self._most:
                raise _Spent
            self._known[selection] = self._ask(selection)
        probe = self._known[selection]
        if probe.outcome == "INCONCLUSIVE":
            raise _Undecided
        return probe

    def fails(self, selection: Selection) -> bool:
        return self.about(selection).outcome == "FAIL"

    def smallest_failing(self) -> Probe:
        return min((probe for probe in self.probes if probe.outcome == "FAIL"), key=lambda one: len(one.selection))


def most_runs(methods: int) -> int:
    """Runs that the search takes at most where one method is to blame by itself."""
    return math.ceil(math.log2(max(methods, 1))) + 2


def search(methods: Sequence[str], whole: Selection, ask: Ask, close: Close, most: int = 200) -> Finding:
    """Find the method, or a smallest set, that makes `whole` fail.

    `methods` are those of `whole` in the order of the ladder, at least one. `close` completes a selection with what it
    requires; `ask` answers for one that can run. At most `most` questions are asked.
    """
    asked = _Asked(ask, most)
    try:
        if not asked.fails(whole):
            return Finding("passes", frozenset(), asked.probes, asked.about(whole))
        return _blame(methods, whole, asked, close)
    except _Undecided:
        return Finding("undecided", frozenset(), asked.probes, asked.probes[-1])
    except _Spent:
        smallest = asked.smallest_failing()
        return Finding("unfinished", smallest.selection, asked.probes, smallest)


def _blame(methods: Sequence[str], whole: Selection, asked: _Asked, close: Close) -> Finding:
    def first(count: int) -> Selection:
        return whole if count == len(methods) else close(frozenset(methods[:count]))

    passing, failing = 0, len(methods)
    while failing - passing > 1:
        middle = (passing + failing) // 2
        if asked.fails(first(middle)):
            failing = middle
        else:
            passing = middle
    culprit, before = methods[failing - 1], first(failing - 1)
    # P(k - 1) was asked about, and passes, unless it is P(0): that one has been taken for granted so far.
    if asked.fails(before):
        return Finding("elsewhere", frozenset(), asked.probes, asked.about(before))
    alone = close(frozenset({culprit}))
    if asked.fails(alone):
        return Finding("method", frozenset({culprit}), asked.probes, asked.about(alone))
    others = [name for name in methods if name in before and name not in alone]
    needed = _minimized(others, lambda kept: asked.fails(close(frozenset({culprit, *kept}))))
    found = close(frozenset({culprit, *needed}))
    return Finding("set", frozenset({culprit, *needed}), asked.probes, asked.about(found))


def _minimized(items: Sequence[str], fails: Callable[[Sequence[str]], bool]) -> list[str]:
    """ddmin: a part of `items`, all of which fail, that still fails while leaving out any one item makes it pass."""
    kept, parts = list(items), 2
    while len(kept) > 1:
        parts = min(parts, len(kept))
        edges = [len(kept) * number // parts for number in range(parts + 1)]
        pieces = [kept[low:high] for low, high in itertools.pairwise(edges)]
        rests = [[name for name in kept if name not in piece] for piece in pieces] if parts > 2 else []
        smaller = next((piece for piece in pieces if fails(piece)), None)
        if smaller is not None:
            kept, parts = smaller, 2
            continue
        smaller = next((rest for rest in rests if fails(rest)), None)
        if smaller is not None:
            kept, parts = smaller, parts - 1
        elif parts == len(kept):
            break
        else:
            parts *= 2
    return kept


# --- dual runs --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Culprit:
    """A method that breaks parity: its rung, the function that it is here, and the legacy one that it replaces."""

    method: str
    rung: str
    function: str
    replaces: str


@dataclass(frozen=True, slots=True)
class Bisection:
    """A candidate's search, told."""

    candidate: str
    plan: Plan
    policy: Policy
    methods: tuple[str, ...]
    finding: Finding
    culprits: tuple[Culprit, ...]

    @property
    def outcome(self) -> Outcome:
        """The candidate's: PASS where it holds parity, FAIL where something was found, else INCONCLUSIVE."""
        answers: dict[Answer, Outcome] = {"passes": "PASS", "method": "FAIL", "set": "FAIL", "elsewhere": "FAIL"}
        return answers.get(self.finding.answer, "INCONCLUSIVE")

    @property
    def summary(self) -> str:
        """One sentence."""
        names, count = ", ".join(one.method for one in self.culprits), len(self.finding.probes)
        runs = f"{count} dual run{'' if count == 1 else 's'}"
        last = self.finding.decisive
        words: dict[Answer, str] = {
            "method": f"{names} breaks parity, by itself; found in {runs}",
            "set": f"{names} break parity together, and no part of them does; found in {runs}",
            "passes": f"{self.candidate} holds parity with all {len(self.methods)} methods its own; nothing to search",
            "elsewhere": f"{self.candidate} fails with no method its own, so no method explains it; after {runs}",
            "undecided": f"nothing was concluded: run {last.run_id} is INCONCLUSIVE ({last.summary})",
            "unfinished": f"stopped after {runs}; the smallest set known to fail is {names}",
        }
        return words[self.finding.answer]

    def as_document(self) -> dict[str, Any]:
        """What `--json` prints."""
        divergence = self.finding.decisive.first_divergence
        return {
            "schema_version": SCHEMA_VERSION,
            "outcome": self.outcome,
            "answer": self.finding.answer,
            "summary": self.summary,
            "candidate": self.candidate,
            "methods": list(self.methods),
            "culprits": [asdict(culprit) for culprit in self.culprits],
            "first_divergence": None if divergence is None else asdict(divergence),
            "runs": [
                {
                    "run_id": probe.run_id,
                    "candidate": probe.candidate,
                    "methods": [name for name in self.methods if name in probe.selection],
                    "outcome": probe.outcome,
                    "summary": probe.summary,
                    "seconds": probe.seconds,
                }
                for probe in self.finding.probes
            ],
            "plan": self.plan.as_document(),
            "policy": self.policy.as_document(),
        }


def default_policy() -> Policy:
    """The same numbers, and checkpoints that come back: what a method can break. Learning takes a longer plan.

    A plan may leave out the trainings or the checkpoints; what they would have shown is then not seen.
    """
    numerics = named_policy("numerics")
    where_planned: dict[str, Requirement] = dict.fromkeys(
        ("numerics.free_running", *CHECKPOINT_CHECKS), "where_measurable"
    )
    return replace(numerics, name="bisect", required={**numerics.required, **where_planned})


def bisect(
    candidate: Mixable, plan: Plan, policy: Policy, ask: Ask, leave_out: Selection = frozenset(), most: int = 200
) -> Bisection:
    """Search the candidate's methods, but those to leave out, which stay legacy's.

    Raises `InvalidRequest` where none is left, or for fewer than three runs.
    """
    names = frozenset(method.name for method in candidate.methods)
    unknown = sorted(leave_out - names)
    if unknown:
        message = f"{', '.join(unknown)} is no method of {candidate.name}; it has {', '.join(sorted(names))}"
        raise InvalidRequest(Problem("--without", message))
    methods = candidate.left(leave_out)
    if not methods:
        raise InvalidRequest(Problem("--without", "leaves no method to search"))
    if most < 3:
        raise InvalidRequest(Problem("--max-runs", f"is {most}; at least 3 are needed"))
    finding = search(methods, frozenset(methods), ask, candidate.completed, most)
    culprits = tuple(
        Culprit(method.name, method.rung, candidate.functions[method.name], method.replaces)
        for method in candidate.methods
        if method.name in finding.culprits
    )
    return Bisection(candidate.name, plan, policy, methods, finding, culprits)


def asking(
    runs: StoredRuns, candidate: Mixable, plan: Plan, policy: Policy, follow: Callable[[str], ProgressListener]
) -> Ask:
    """Answers by dual runs that are kept, named by their mixture; `follow` makes the listener for one.

    A run that somebody stopped, or whose process died, decides nothing. Raises `RunFailed` where Lockstep failed.
    """

    def ask(selection: Selection) -> Probe:
        name = candidate.mixture(selection)
        row = runs.carry_out(replace(plan, candidate=name), policy, follow(name))
        if row.state == "failed" and row.error_code != CHILD_DIED:
            message = f"run {row.id} of {name} has no verdict: {row.error_message}; nothing was concluded"
            raise RunFailed(row.error_code or "internal", message)
        verdict = runs.store.verdict(row.id)
        return Probe(
            selection=selection,
            outcome="INCONCLUSIVE" if verdict is None else verdict.outcome,
            run_id=row.id,
            candidate=name,
            summary=(row.error_message or f"it is {row.state}") if verdict is None else verdict.summary,
            first_divergence=None if verdict is None else verdict.first_divergence,
            seconds=_seconds(row),
        )

    return ask


def _seconds(row: RunRow) -> float | None:
    if row.started_at is None or row.finished_at is None:
        return None
    return (row.finished_at - row.started_at).total_seconds()
