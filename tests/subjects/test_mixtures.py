"""Names of mixtures: each has one, and a plan can run it wherever it can run a registered subject."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basemodel.rungs import EVERY_METHOD, METHODS, RUNGS, methods_of, with_required
from service.parity.errors import UnknownName
from service.parity.plan import ModelSpec, Plan
from service.subjects.registry import check_subjects, find_subject, mixture, registered_subjects, rung_digests

PLAN = Plan(model=ModelSpec(16, 1, 4), device="cpu")


@given(st.frozensets(st.sampled_from(sorted(METHODS))))
def test_a_name_leads_back_to_its_selection(methods: frozenset[str]) -> None:
    selection = with_required(methods)
    entry = find_subject(mixture("bad-method-forward", selection))
    assert entry.methods == selection
    assert entry.kind == "known_bad"


def test_the_subject_that_is_built_says_which_mixture_it_is() -> None:
    for name in ("basemodel+forward+loss", "bad-method-forward+none", "basemodel@kernels+predict"):
        info = find_subject(name).factory(PLAN).info()
        assert info.name == name
        check_subjects(Plan(candidate=name))
    sources = find_subject("bad-method-forward+loss").factory(PLAN).info().sources
    assert sources["forward."].startswith("legacy.")
    assert sources["loss."].startswith("basemodel.")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("basemodel+loss+forward", "this mixture is named basemodel\\+forward\\+loss"),
        ("basemodel+loss+loss", "this mixture is named basemodel\\+loss"),
        ("basemodel+", "there is no method ''; choose from hyper_parameters"),
        ("basemodel+none+loss", "there is no method 'none'"),
        ("basemodel+os.system", "there is no method 'os.system'"),
        ("basemodel+kernels", "own kernels needs its own forward"),
        ("legacy+forward", "the methods of legacy cannot be exchanged"),
        ("harmless-split-k+forward", "cannot be exchanged"),
        ("nobody+forward", "choose from legacy, basemodel"),
        ("+forward", "choose from legacy, basemodel"),
        ("basemodel@current", "stands for the rung in use"),
    ],
)
def test_what_is_no_mixture_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(UnknownName, match=reason):
        check_subjects(Plan(candidate=name))


def test_an_entry_says_which_methods_are_its_own() -> None:
    entries = registered_subjects()
    for rung in RUNGS:
        assert entries[f"basemodel@{rung}"].methods == methods_of(rung)
    assert entries["basemodel"].methods == frozenset()
    assert entries["bad-method-update"].methods == EVERY_METHOD


def test_the_digest_of_a_rung_is_the_one_that_a_run_records() -> None:
    digests = rung_digests()
    assert list(digests) == list(RUNGS)
    for rung, digest in digests.items():
        assert digest == registered_subjects()[f"basemodel@{rung}"].factory(PLAN).info().source_digest
    assert digests["memory"] != digests["kernels"]
