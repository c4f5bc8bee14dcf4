"""The bisection names what breaks parity, in as few runs as it promises, and never more than it knows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from basemodel.rungs import EVERY_METHOD, METHODS, with_required
from service import bootstrap
from service.campaigns.bisect import (
    PLAN,
    Ask,
    Bisection,
    Finding,
    Probe,
    Selection,
    bisect,
    default_policy,
    most_runs,
    search,
)
from service.campaigns.spread import Unrecorded
from service.parity.checks import judge
from service.parity.errors import InvalidRequest, UnknownName
from service.parity.policy import named_policy
from service.pipeline import DualRun
from service.subjects.planted_methods import METHOD_FAULTS, MethodFault
from service.subjects.registry import find_mixable

NAMES = tuple("abcdefghijklmnopq")
ALL = frozenset(NAMES)


def asking(fails: Callable[[Selection], bool]) -> Ask:
    return lambda selection: Probe(selection, "FAIL" if fails(selection) else "PASS")


def found(fails: Callable[[Selection], bool], names: tuple[str, ...] = NAMES, most: int = 200) -> Finding:
    return search(names, frozenset(names), asking(fails), frozenset, most)


@pytest.mark.parametrize("count", range(1, 18))
def test_one_culprit_is_named_in_the_runs_that_are_promised(count: int) -> None:
    names = NAMES[:count]
    for culprit in names:
        result = found(lambda selection, culprit=culprit: culprit in selection, names)  # type: ignore[misc]
        assert (result.answer, result.culprits) == ("method", {culprit})
        assert len(result.probes) <= most_runs(count) == math.ceil(math.log2(count)) + 2
        assert result.decisive.selection == {culprit}


def test_no_question_is_asked_twice() -> None:
    result = found(lambda selection: "a" in selection)
    selections = [probe.selection for probe in result.probes]
    assert len(set(selections)) == len(selections)


@given(st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=5))
def test_a_set_that_fails_only_together_is_found_whole(culprits: frozenset[str]) -> None:
    result = found(lambda selection: culprits <= selection)
    assert result.culprits == culprits
    assert result.answer == ("method" if len(culprits) == 1 else "set")
    assert result.decisive.selection == culprits


@given(st.lists(st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=3), min_size=2, max_size=3))
def test_of_several_faults_one_is_named_and_nothing_too_much(faults: list[frozenset[str]]) -> None:
    def fails(selection: Selection) -> bool:
        return any(fault <= selection for fault in faults)

    result = found(fails)
    assert result.culprits in faults
    assert not any(fails(result.culprits - {name}) for name in result.culprits)


def test_a_candidate_that_passes_has_no_culprit() -> None:
    result = found(lambda selection: False)
    assert (result.answer, result.culprits, len(result.probes)) == ("passes", frozenset(), 1)


def test_a_fault_that_is_in_no_method_is_not_blamed_on_one() -> None:
    result = found(lambda selection: True)
    assert (result.answer, result.culprits) == ("elsewhere", frozenset())
    assert result.decisive.selection == frozenset()


@pytest.mark.parametrize("undecided", range(6))
def test_an_inconclusive_run_is_neither_pass_nor_fail(undecided: int) -> None:
    asked: list[Selection] = []

    def ask(selection: Selection) -> Probe:
        asked.append(selection)
        return Probe(selection, "INCONCLUSIVE" if len(asked) > undecided else "FAIL" if "f" in selection else "PASS")

    result = search(NAMES, ALL, ask, frozenset)
    assert (result.answer, result.culprits) == ("undecided", frozenset())
    assert len(asked) == undecided + 1
    assert result.decisive.outcome == "INCONCLUSIVE"


def test_when_the_runs_are_spent_the_smallest_failing_set_is_told() -> None:
    result = found(lambda selection: {"b", "o"} <= selection, most=7)
    assert (result.answer, len(result.probes)) == ("unfinished", 7)
    assert {"b", "o"} <= result.culprits < ALL


def test_what_a_method_requires_comes_along_and_is_not_blamed() -> None:
    asked = []

    def ask(selection: Selection) -> Probe:
        asked.append(selection)
        return Probe(selection, "FAIL" if "kernels" in selection else "PASS")

    result = search(tuple(METHODS), EVERY_METHOD, ask, with_required)
    assert result.culprits == {"kernels"}
    assert result.decisive.selection == with_required({"kernels"})
    assert all(with_required(selection) == selection for selection in asked)


# --- dual runs --------------------------------------------------------------------------------------------------------


def by_dual_runs(name: str, plan: Any = PLAN, policy: Any = None) -> Ask:
    """Runs in this process, of which nothing is kept: the path by processes is the command's test."""
    candidate, policy = find_mixable(name), policy or default_policy()

    def ask(selection: Selection) -> Probe:
        named = replace(plan, candidate=candidate.mixture(selection), device="cpu")
        run = DualRun(named, bootstrap.toolkit(), Unrecorded(), bootstrap.SystemClock())
        run.execute()
        verdict = judge(run.record, policy)
        return Probe(selection, verdict.outcome, "id", named.candidate, verdict.summary, verdict.first_divergence)

    return ask


def searched(name: str, leave_out: Selection = frozenset(), most: int = 200) -> Bisection:
    with threadpool_limits(limits=1):
        return bisect(find_mixable(name), PLAN, default_policy(), by_dual_runs(name), leave_out, most)


@pytest.mark.parametrize("fault", METHOD_FAULTS.values(), ids=list(METHOD_FAULTS))
def test_every_planted_fault_is_traced_to_its_method(fault: MethodFault) -> None:
    result = searched(fault.name)
    assert [culprit.method for culprit in result.culprits] == [fault.method]
    assert (result.outcome, result.finding.answer) == ("FAIL", "method")
    assert len(result.finding.probes) <= most_runs(len(METHODS)) == math.ceil(math.log2(17)) + 2
    (culprit,) = result.culprits
    assert culprit.rung == METHODS[fault.method].rung
    assert culprit.function.startswith("service.subjects.planted_methods._")
    assert culprit.replaces == METHODS[fault.method].replaces
    document = result.as_document()
    assert document["culprits"][0]["method"] == fault.method
    assert document["runs"][0]["candidate"] == fault.name
    assert document["runs"][-1]["outcome"] in ("PASS", "FAIL")


def test_a_sound_candidate_passes() -> None:
    result = searched("basemodel@kernels")
    assert (result.outcome, result.finding.answer, result.culprits) == ("PASS", "passes", ())
    assert "holds parity with all 17 methods its own" in result.summary


def test_with_the_culprit_left_legacys_the_candidate_passes() -> None:
    result = searched("bad-method-forward", frozenset({"forward"}))
    assert result.finding.answer == "passes"
    # What needs it went too.
    assert result.methods == tuple(name for name in METHODS if name not in ("forward", "kernels"))


def test_a_plan_that_leaves_the_fault_unseen_says_that_it_passes() -> None:
    """A fault of checkpoints, and a plan without them."""
    name = "bad-method-save-checkpoint"
    plan = replace(PLAN, phases=("synchronized", "free_running"))
    ask = by_dual_runs(name, plan)
    assert bisect(find_mixable(name), plan, default_policy(), ask).finding.answer == "passes"


def test_a_policy_that_cannot_be_decided_concludes_nothing() -> None:
    plan, strict = replace(PLAN, phases=("synchronized",)), named_policy("strict")
    result = bisect(find_mixable("basemodel@forward"), plan, strict, by_dual_runs("basemodel@forward", plan, strict))
    assert (result.outcome, result.culprits) == ("INCONCLUSIVE", ())
    assert "nothing was concluded: run id is INCONCLUSIVE" in result.summary


@pytest.mark.parametrize(
    ("leave_out", "most", "says"),
    [
        (frozenset({"forwards"}), 200, "--without: forwards is no method of basemodel@forward"),
        (frozenset(METHODS) - {"backward", "update", "initialisation", "allocation", "bounds", "cleanup", "kernels"},
         200, "leaves no method to search"),
        (frozenset(), 2, "--max-runs: is 2; at least 3 are needed"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused(leave_out: Selection, most: int, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        searched("basemodel@forward", leave_out, most)


@pytest.mark.parametrize("name", ["legacy", "basemodel", "basemodel@wrapper", "bad-tf32", "nobody", "basemodel+loss"])
def test_what_has_no_methods_to_exchange_is_refused(name: str) -> None:
    with pytest.raises(UnknownName, match=r"has no method that could be exchanged .*choose from basemodel@conf"):
        find_mixable(name)
