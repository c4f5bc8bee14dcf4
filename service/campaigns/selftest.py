"""The gate's own test: each planted fault must be caught by the check that should catch it, nothing harmless may fail.

One dual run a variant (`subjects/known_bad.py`), with the legacy autoencoder as the reference, by a plan that is small
and yet one from which the reference learns the colours, whatever the seed: else the learning checks decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from service.campaigns.spread import Died, Unrecorded, spread
from service.parity.checks import judge as judge_record
from service.parity.errors import InvalidRequest, Problem, RunCancelled, UnknownName
from service.parity.plan import (
    CPU_PHASES,
    CheckpointSpec,
    FreeRunningSpec,
    MemorySpec,
    ModelSpec,
    PerformanceSpec,
    Plan,
    SynchronizedSpec,
    TrainingSpec,
)
from service.parity.policy import Policy, named_policy
from service.parity.record import RunRecord, Trouble
from service.parity.verdict import Verdict
from service.pipeline import DualRun, Toolkit
from service.ports import Clock
from service.subjects.devices import resolve_device
from service.subjects.known_bad import VARIANTS

SCHEMA_VERSION = 1
POLICY = "default"
JUDGED_AS_IT_IS = "basemodel"
"""The implementation that is meant to take over: harmless, or Lockstep's own demonstration is wrong."""

Judge = Callable[[RunRecord, Policy], Verdict]
Judgement = Literal["caught", "missed", "passed", "failed", "undecided", "not_judged", "broken"]
Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE", "BROKEN"]

_SHALLOW = Plan(
    model=ModelSpec(vector_length=64, hidden_layers=1, bottleneck=56),
    training=TrainingSpec(steps=2000, batch_size=64, learning_rate=0.07, clip=0.07),
    synchronized=SynchronizedSpec(steps=60, every=5),
    free_running=FreeRunningSpec(band_runs=6, band_steps=100, weights_every=10),
    checkpoint=CheckpointSpec(steps_before=10, steps_after=10),
    performance=PerformanceSpec(slice_seconds=0.25),
    memory=MemorySpec(steps=40),
    phases=(*CPU_PHASES, "memory"),
)
SHAPES: Mapping[str, Plan] = {
    "shallow": _SHALLOW,
    "wide": replace(
        _SHALLOW,
        model=ModelSpec(vector_length=128, hidden_layers=1, bottleneck=112),
        training=TrainingSpec(steps=1500, batch_size=64, learning_rate=0.06, clip=0.05),
    ),
    "deep": replace(
        _SHALLOW,
        model=ModelSpec(vector_length=96, hidden_layers=2, bottleneck=88, alpha=0.6),
        training=TrainingSpec(steps=2000, batch_size=64, learning_rate=0.04, clip=0.05),
    ),
}
"""Plans in which the clip cuts four gradients in ten at first, and at whose end Absolute Zero comes back within the
tolerance: in a channel at most 0.032, 0.027 and 0.041 away over 24 to 30 seeds each."""

PLAN = SHAPES["shallow"]
"""The plan of `lockstep selftest`."""

FILLING = ModelSpec(vector_length=2048, hidden_layers=1, bottleneck=1024)
FILLING_ROWS = 2048
"""What a fault of time is judged on where there is a GPU: products of thousands of thread blocks keep it busy."""


@dataclass(frozen=True, slots=True)
class Case:
    """One candidate, and what must come of it: the check that must fail, or, where there is none, a PASS."""

    name: str
    planted: str
    expected: str | None
    needs: str = ""
    """The phase without which it cannot be judged, where the plan may lack it; it is then the only one."""
    raises: bool = False
    """Whether the fault is that the candidate raises an exception."""
    must_pass: str | None = None
    """Of a harmless case that is judged by one phase: the check that must pass there."""

    @property
    def harmless(self) -> bool:
        return self.expected is None


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of it. `check` is the expected check's outcome, `verdict` the run's; both `None` without a verdict."""

    case: Case
    judgement: Judgement
    message: str
    check: str | None = None
    verdict: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class SelfTest:
    """The results in the order of the cases; fewer than `cases` where somebody interrupted."""

    plan: Plan
    cases: int
    results: tuple[CaseResult, ...]

    def count(self, *judgements: Judgement) -> int:
        return sum(result.judgement in judgements for result in self.results)

    @property
    def outcome(self) -> Outcome:
        """PASS only when every fault was caught and nothing harmless failed, and something was judged at all."""
        if self.count("broken"):
            return "BROKEN"
        if self.count("missed", "failed"):
            return "FAIL"
        if self.count("undecided") or not self.count("caught", "passed") or len(self.results) < self.cases:
            return "INCONCLUSIVE"
        return "PASS"

    @property
    def summary(self) -> str:
        """One sentence."""
        faults = self.count("caught", "missed") + sum(
            result.judgement in ("undecided", "broken") and not result.case.harmless for result in self.results
        )
        harmless = sum(r.case.harmless and r.judgement != "not_judged" for r in self.results)
        words = [
            f"{self.count('caught')} of {faults} faults caught by the check that should catch them",
            f"{self.count('passed')} of {harmless} harmless variants passed",
        ]
        for judgement, word in (("undecided", "undecided"), ("broken", "broken"), ("not_judged", "not judged")):
            if count := self.count(judgement):  # type: ignore[arg-type]
                words.append(f"{count} {word}")
        if len(self.results) < self.cases:
            words.append(f"stopped after {len(self.results)} of {self.cases}")
        return "; ".join(words)

    def as_document(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "schema_version": SCHEMA_VERSION,
            "outcome": self.outcome,
            "summary": self.summary,
            "plan": self.plan.as_document(),
            "policy": POLICY,
            "cases": [
                {
                    "candidate": result.case.name,
                    "planted": result.case.planted,
                    "harmless": result.case.harmless,
                    "expected_check": result.case.expected,
                    "check_outcome": result.check,
                    "verdict": result.verdict,
                    "judgement": result.judgement,
                    "message": result.message,
                    "seconds": result.seconds,
                }
                for result in self.results
            ],
        }


def select_cases(only: Sequence[str] = ()) -> tuple[Case, ...]:
    """All cases, or those named; raises `UnknownName` for a name that is none, listing what there is."""
    cases = {JUDGED_AS_IT_IS: Case(JUDGED_AS_IT_IS, "nothing: the BaseModel autoencoder", None)}
    for variant in VARIANTS.values():
        expected = None if variant.harmless else variant.caught_by
        raises = variant.raise_at_step is not None
        must_pass = variant.caught_by if variant.harmless and variant.needs else None
        cases[variant.name] = Case(variant.name, variant.description, expected, variant.needs, raises, must_pass)
    unknown = [name for name in only if name not in cases]
    if unknown:
        message = f"{', '.join(map(repr, unknown))} is unknown; choose from {', '.join(cases)}"
        raise UnknownName(Problem("--only", message))
    return tuple(case for case in cases.values() if not only or case.name in only)


def selftest(
    plan: Plan, cases: Sequence[Case], make_tools: Callable[[], Toolkit], clock: Clock, jobs: int = 1
) -> Generator[CaseResult, None, None]:
    """Each case's result, as they are done; with more than one job, `make_tools` and `clock` must be picklable.

    Raises `InvalidRequest` for a number of jobs below 1.
    """
    if jobs < 1:
        raise InvalidRequest(Problem("--jobs", f"is {jobs}; it must be at least 1"))
    judged = [case for case in cases if not case.needs or case.needs in plan.phases]
    for case in cases:
        if case not in judged:
            message = f"needs the {case.needs} phase, which this plan leaves out (--performance has every one)"
            yield CaseResult(case, "not_judged", message)
    work = partial(carry_out, plan, make_tools, clock)
    with closing(spread(work, judged, jobs)) as coming:
        for case, result in coming:
            yield CaseResult(case, "broken", result.message) if isinstance(result, Died) else result


def carry_out(
    plan: Plan, make_tools: Callable[[], Toolkit], clock: Clock, case: Case, judge: Judge = judge_record
) -> CaseResult:
    """The dual run of one case, judged. What goes wrong in Lockstep itself makes it broken, never caught."""
    began = clock.monotonic()
    try:
        run = DualRun(plan_of(case, plan), make_tools(), Unrecorded(), clock)
        run.execute()
        result = assess(case, judge(run.record, named_policy(POLICY)))
    except RunCancelled:
        raise
    except Exception as error:
        result = CaseResult(case, "broken", f"{type(error).__name__}: {error}")
    else:
        unplanned = None if case.raises else _exception(run.record)
        if unplanned is not None:
            message = f"{unplanned.message}; no exception is planted here, so nothing was caught"
            result = replace(result, judgement="broken", message=message)
    return replace(result, seconds=clock.monotonic() - began)


def plan_of(case: Case, plan: Plan) -> Plan:
    """The case's own plan. What needs a phase gets that phase alone. The others are array expressions, whose time and
    memory are not the reference's: they get the phases of numbers. What is meant to take over gets every one."""
    phases = plan.phases
    if case.needs:
        phases = (case.needs,)
        if case.needs == "performance" and resolve_device(plan.device) != "cpu":
            plan = replace(plan, model=FILLING, training=replace(plan.training, batch_size=FILLING_ROWS))
    elif case.name != JUDGED_AS_IT_IS:
        phases = tuple(phase for phase in plan.phases if phase in CPU_PHASES)
    return replace(plan, candidate=case.name, phases=phases)


def _exception(record: RunRecord) -> Trouble | None:
    """The first exception of a side: a variant that is itself broken would look like one whose fault was caught."""
    phases = (record, record.synchronized, record.free_running, record.learning, record.checkpoint)
    troubles = (trouble for part in phases if part is not None for trouble in part.troubles)
    return next((trouble for trouble in troubles if trouble.kind == "exception"), None)


def assess(case: Case, verdict: Verdict) -> CaseResult:
    """Hold a verdict to what the case demands."""
    if case.must_pass is not None:
        held = next((check for check in verdict.checks if check.name == case.must_pass), None)
        if held is None:
            return CaseResult(case, "broken", f"there is no check {case.must_pass}", None, verdict.outcome)
        wrong = verdict.outcome == "FAIL" or held.outcome == "fail"
        ended: Judgement = "failed" if wrong else "passed" if held.outcome == "pass" else "undecided"
        return CaseResult(case, ended, held.message, held.outcome, verdict.outcome)
    if case.expected is None:
        judgements: dict[str, Judgement] = {"PASS": "passed", "FAIL": "failed", "INCONCLUSIVE": "undecided"}
        return CaseResult(case, judgements[verdict.outcome], verdict.summary, None, verdict.outcome)
    found = next((check for check in verdict.checks if check.name == case.expected), None)
    if found is None:
        return CaseResult(case, "broken", f"there is no check {case.expected}", None, verdict.outcome)
    caught = found.outcome == "fail" and verdict.outcome == "FAIL"
    missed = found.outcome in ("pass", "fail")
    judgement: Judgement = "caught" if caught else "missed" if missed else "undecided"
    message = found.message if caught else f"{found.message} ({verdict.summary})"
    return CaseResult(case, judgement, message, found.outcome, verdict.outcome)
