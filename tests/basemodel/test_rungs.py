"""The ladder's table: rungs build on one another, and a selection that cannot run is refused with its reason."""

from __future__ import annotations

import itertools
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import legacy.matrix_kernels
from basemodel.parts import Parts
from basemodel.rungs import (
    EVERY_METHOD,
    METHODS,
    RUNGS,
    check_selection,
    in_order,
    methods_of,
    with_required,
    without,
)
from legacy.gpu_text_autoencoder import GPUTextAutoencoder

some_methods = st.frozensets(st.sampled_from(sorted(METHODS)))


def test_methods_stand_in_the_order_of_the_rungs_and_of_the_table_of_parts() -> None:
    assert [RUNGS.index(method.rung) for method in METHODS.values()] == sorted(
        RUNGS.index(method.rung) for method in METHODS.values()
    )
    assert list(METHODS) == [method.name for method in METHODS.values()] == [field.name for field in fields(Parts)]
    assert {method.rung for method in METHODS.values()} == set(RUNGS[1:])


def test_each_method_replaces_a_legacy_function_that_there_is() -> None:
    for method in METHODS.values():
        module, _, name = method.replaces.partition(".gpu_text_autoencoder.GPUTextAutoencoder.")
        assert module in ("legacy", legacy.matrix_kernels.__name__)
        assert not name or callable(getattr(GPUTextAutoencoder, name))
    replaced = [method.replaces for method in METHODS.values()]
    assert len(set(replaced)) == len(replaced)


def test_each_rung_adds_to_the_one_before() -> None:
    climbed = [methods_of(rung) for rung in RUNGS]
    assert (climbed[0], climbed[-1]) == (frozenset(), EVERY_METHOD)
    for below, above in itertools.pairwise(climbed):
        assert below < above
        assert check_selection(above) == above
    assert in_order(methods_of("configuration")) == ("hyper_parameters", "layer_sizes", "parameter_count")


def test_an_unknown_rung_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no rung 'top'; choose from wrapper, .*, kernels"):
        methods_of("top")


@pytest.mark.parametrize(
    ("methods", "reason"),
    [
        ({"forwards", "loss"}, r"no method 'forwards'; choose from hyper_parameters, "),
        ({"kernels"}, r"own kernels needs its own forward, loss, backward, update: where the legacy method runs"),
        (EVERY_METHOD - {"loss"}, r"needs its own loss: .*add loss or leave out kernels"),
    ],
)
def test_a_selection_that_cannot_run_is_refused_with_the_reason(methods: frozenset[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_selection(methods)


@given(some_methods)
def test_the_smallest_selection_with_some_methods(methods: frozenset[str]) -> None:
    found = with_required(methods)
    assert methods <= found
    assert with_required(found) == found == check_selection(found)
    for extra in found - methods:
        with pytest.raises(ValueError, match="needs its own"):
            check_selection(found - {extra})


@given(some_methods, some_methods)
def test_the_largest_selection_without_some_methods(methods: frozenset[str], gone: frozenset[str]) -> None:
    whole = with_required(methods)
    found = without(whole, gone)
    assert found <= whole - gone
    for more in whole - gone - found:
        with pytest.raises(ValueError, match="needs its own"):
            check_selection(found | {more})


def test_what_requires_an_exchanged_method_is_exchanged_with_it() -> None:
    assert without(EVERY_METHOD, ["forward"]) == EVERY_METHOD - {"forward", "kernels"}
    assert without(EVERY_METHOD, ["predict"]) == EVERY_METHOD - {"predict"}
    assert with_required(["kernels"]) == {"forward", "loss", "backward", "update", "kernels"}


def test_the_documentation_has_the_table() -> None:
    text = (Path(__file__).parents[2] / "docs" / "ladder.md").read_text(encoding="utf-8")
    for rung in RUNGS[1:]:
        methods = [method for method in METHODS.values() if method.rung == rung]
        own = ", ".join(f"`{method.name}`" for method in methods)
        replaced = ", ".join(f"`{method.replaces.rpartition('GPUTextAutoencoder.')[2]}`" for method in methods)
        assert f"| `{rung}` | {own} | {replaced} |\n" in text
