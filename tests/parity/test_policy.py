"""Policies: what each demands, and that a name decides."""

from __future__ import annotations

import json

import pytest

from service.parity.errors import UnknownName
from service.parity.policy import ALL_CHECKS, LEARNING_CHECKS, NUMERIC_CHECKS, POLICIES, Policy, named_policy


@pytest.mark.parametrize("name", ["default", "strict", "numerics"])
def test_named(name: str) -> None:
    assert named_policy(name).name == name


@pytest.mark.parametrize("name", ["", "Default", "default ", "lenient", "../default"])
def test_unknown_name_lists_what_there_is(name: str) -> None:
    with pytest.raises(UnknownName, match="choose from default, strict, numerics"):
        named_policy(name)


def test_what_is_required() -> None:
    required = {name: {c for c in ALL_CHECKS if policy.requirement(c) == "always"} for name, policy in POLICIES.items()}
    assert required["strict"] == set(ALL_CHECKS)
    assert required["default"] == {*NUMERIC_CHECKS, *LEARNING_CHECKS}
    assert required["numerics"] == set(NUMERIC_CHECKS)


def test_no_policy_names_a_check_that_does_not_exist() -> None:
    assert len(set(ALL_CHECKS)) == len(ALL_CHECKS)
    for policy in POLICIES.values():
        assert set(policy.required) <= set(ALL_CHECKS)


def test_the_limits_are_the_measured_ones() -> None:
    """Loosening one is a decision with a measured reason (docs/parity.md), not an edit in passing."""
    for policy in POLICIES.values():
        limits = (policy.error_ratio, policy.sign_bound, policy.band, policy.outputs_vary, policy.color_tolerance)
        assert limits == (4.0, 8.0, 3.0, 0.5, 0.05)
        assert (policy.precision_class, policy.confidence) == ("fp32", 0.99)
        assert (policy.loss_band_floor, policy.weights_band_floor) == (1e-7, 2.0**-24)


def test_document_is_plain_json() -> None:
    document = json.loads(json.dumps(named_policy("strict").as_document(), allow_nan=False))
    assert Policy(**document) == named_policy("strict")


def test_what_is_not_named_is_not_required() -> None:
    assert Policy("mine").requirement("numerics.synchronized") == "never"
