"""Policies: what each demands, that a name decides, and what a document may say."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
import tomllib
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.parity.errors import InvalidPolicy, UnknownName
from service.parity.policy import (
    ALL_CHECKS,
    CHECKPOINT_CHECKS,
    HARDWARE_CHECKS,
    LEARNING_CHECKS,
    LIMITS,
    NUMERIC_CHECKS,
    POLICIES,
    Policy,
    named_policy,
    policy_from_document,
)

FILES = resources.files("service.parity").joinpath("policies")
NUMERIC = {"numerics.synchronized": "always"}


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
        assert (policy.step_time_margin, policy.timing_alpha) == (0.05, 0.03)
        assert (policy.a_a_margin, policy.sampler_effect) == (0.025, 0.005)
        assert (policy.utilization_floor_pct, policy.utilization_drop_points, policy.fill_blocks_per_sm) == (80, 5, 4)
        assert (policy.peak_share, policy.peak_slack_bytes, policy.leak_bytes_per_step) == (0.05, 2**24, 1024)


def test_document_is_plain_json() -> None:
    document = json.loads(json.dumps(named_policy("strict").as_document(), allow_nan=False))
    assert Policy(**document) == named_policy("strict")


def test_what_is_not_named_is_not_required() -> None:
    assert Policy("mine").requirement("numerics.synchronized") == "never"


def document(**changes: Any) -> dict[str, Any]:
    return {"name": "mine", "required": NUMERIC, **changes}


def problems_of(written: object) -> dict[str, str]:
    with pytest.raises(InvalidPolicy) as caught:
        policy_from_document(written)
    return {problem.field: problem.message for problem in caught.value.problems}


def test_where_measurable_is_for_hardware_and_checkpoints_by_default() -> None:
    weaker = {check for check, word in POLICIES["default"].required.items() if word == "where_measurable"}
    assert weaker == {*CHECKPOINT_CHECKS, *HARDWARE_CHECKS}


@pytest.mark.parametrize("name", POLICIES)
def test_the_file_of_a_built_in_policy_states_every_limit_with_its_meaning(name: str) -> None:
    text = FILES.joinpath(f"{name}.toml").read_text(encoding="utf-8")
    written = tomllib.loads(text)
    assert set(written) == {"name", "limits", "required"}
    assert set(written["limits"]) == set(LIMITS)
    lines = text.splitlines()
    for limit in LIMITS:
        (line,) = (number for number, words in enumerate(lines) if words.startswith(f"{limit} = "))
        assert lines[line - 1].startswith("# ")
    assert policy_from_document(written) == POLICIES[name]


def test_every_file_of_the_folder_is_a_policy() -> None:
    assert {path.name for path in FILES.iterdir()} == {f"{name}.toml" for name in POLICIES}


def test_nothing_is_read_at_import() -> None:
    code = "from service.parity import checks, policy; print(policy._built_in.cache_info().currsize, *policy.POLICIES)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "0 default strict numerics\n"


@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
def test_there_and_back(policy: Policy) -> None:
    mine = dataclasses.replace(policy, name="mine", error_ratio=8.0, precision_class="tf32")
    assert policy_from_document(json.loads(json.dumps(mine.as_document()))) == mine
    assert policy_from_document(policy.as_document()) == policy


def test_a_document_that_extends_takes_the_rest() -> None:
    written = {
        "name": "mine",
        "extends": "numerics",
        "limits": {"error_ratio": 8, "precision_class": "bf16"},
        "required": {"checkpoint.transfer": "always", "numerics.free_running": "never"},
    }
    base = named_policy("numerics")
    required = {**base.required, **written["required"]}  # type: ignore[dict-item]
    found = policy_from_document(written)
    assert found == dataclasses.replace(base, name="mine", error_ratio=8.0, precision_class="bf16", required=required)
    assert isinstance(found.error_ratio, float)


def test_a_document_that_extends_nothing_requires_what_it_names_only() -> None:
    assert policy_from_document(document()) == Policy("mine", NUMERIC)  # type: ignore[arg-type]


def test_no_document_passes_itself_off_as_a_built_in_policy() -> None:
    weak = {**named_policy("default").as_document(), "error_ratio": 1e9}
    assert list(problems_of(weak)) == ["name"]
    assert "is a built-in policy" in problems_of({"name": "strict", "extends": "default"})["name"]


NO_NUMBERS = [True, False, None, "4", "", [4.0], {}, math.nan, math.inf, -math.inf, 0, 0.0, -1, -0.0, 2**64, 10**400]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: str(value)[:12])
@pytest.mark.parametrize("limit", [name for name in LIMITS if name != "precision_class"])
def test_a_limit_is_a_number_above_zero(limit: str, value: Any) -> None:
    assert list(problems_of(document(limits={limit: value}))) == [f"limits.{limit}"]
    assert list(problems_of(document(**{limit: value}))) == [limit]


@pytest.mark.parametrize(
    ("written", "field", "words"),
    [
        (None, "", "a policy is a table"),
        ([], "", "not a list"),
        ("default", "", "not 'default'"),
        ({"required": NUMERIC}, "name", "is missing"),
        (document(name=""), "name", "printable text"),
        (document(name="  "), "name", "printable text"),
        (document(name="a" * 101), "name", "1 to 100 characters"),
        (document(name="a\nb"), "name", "printable text"),
        (document(name="\u202emine"), "name", "printable text"),
        (document(name=5), "name", "is 5"),
        (document(extends="lenient"), "extends", "choose from default, strict, numerics"),
        (document(extends=["default"]), "extends", "is a list"),
        (document(extends=None), "extends", "is null"),
        (document(limits=4), "limits", "must be a table"),
        (document(limits={"eror_ratio": 4.0}), "limits.eror_ratio", "is not a field of a policy"),
        (document(eror_ratio=4.0), "eror_ratio", "did you mean error_ratio?"),
        (document(limits={"name": "x"}), "limits.name", "is not a field"),
        (document(error_ratio=4.0, limits={"error_ratio": 5.0}), "limits.error_ratio", "leave one of the two"),
        (document(limits={"confidence": 1.0}), "limits.confidence", "above 0 and below 1"),
        (document(limits={"confidence": 1}), "limits.confidence", "above 0 and below 1"),
        (document(limits={"step_time_margin": 1.0}), "limits.step_time_margin", "above 0 and below 1"),
        (document(limits={"timing_alpha": 0.5}), "limits.timing_alpha", "above 0 and below 0.5"),
        (document(limits={"utilization_floor_pct": 100}), "limits.utilization_floor_pct", "below 100"),
        (document(limits={"precision_class": "fp64"}), "limits.precision_class", "choose from fp32, tf32, bf16"),
        (document(limits={"precision_class": 32}), "limits.precision_class", "is 32"),
        (document(limits={"precision_class": ["fp32"]}), "limits.precision_class", "is a list"),
        (document(required=["numerics.synchronized"]), "required", "must be a table"),
        (document(required={"numerics.synchronised": "always"}), "required.numerics.synchronised", "did you mean"),
        (document(required={"numerics": "always"}), "required.numerics", "is not a check"),
        (document(required={"memory.leak": "sometimes"}), "required.memory.leak", "always, where_measurable, never"),
        (document(required={"memory.leak": True}), "required.memory.leak", "is true"),
        (document(required={"memory.leak": {"x": 1}}), "required.memory.leak", "is a table"),
        ({"name": "mine"}, "required", "demands no check, so nothing could pass"),
        (document(required={}), "required", "demands no check"),
        (document(required={"memory.leak": "never"}), "required", "demands no check"),
        (
            document(extends="numerics", required=dict.fromkeys(NUMERIC_CHECKS, "never")),
            "required",
            "demands no check",
        ),
    ],
)
def test_what_a_document_may_not_say(written: object, field: str, words: str) -> None:
    found = problems_of(written)
    assert list(found) == [field]
    assert words in found[field]


def test_every_problem_is_told_at_once() -> None:
    written = {"nam": 1, "limits": {"band": -1, "wide": 2}, "required": {"memory.leek": "always", "memory.leak": "x"}}
    assert set(problems_of(written)) == {
        *("nam", "name", "limits.band", "limits.wide", "required.memory.leek", "required.memory.leak")
    }


def test_a_value_from_outside_is_not_written_out_at_length() -> None:
    long = problems_of({"k" * 10_000: 1, "name": "n" * 10_000, "extends": {"a": [[]] * 10_000}})
    assert all(len(field) <= 100 and len(message) < 400 for field, message in long.items())
    assert "\x1b" not in "".join(problems_of({"\x1b[31m": 1}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(("name", "extends", "limits", "required", *LIMITS)) | st.text(max_size=8)
TABLES = st.dictionaries(st.sampled_from((*LIMITS, *ALL_CHECKS)), JSON | st.sampled_from(["always", 0.5]), max_size=4)


@given(st.dictionaries(KEYS, JSON | TABLES, max_size=6))
def test_any_document_is_a_usable_policy_or_refused(written: dict[str, Any]) -> None:
    try:
        policy = policy_from_document(written)
    except InvalidPolicy as error:
        problems = error.problems
    else:
        problems = None
        assert policy_from_document(policy.as_document()) == policy
        assert any(policy.requirement(check) != "never" for check in ALL_CHECKS)
        assert all(math.isfinite(getattr(policy, name)) for name in LIMITS if name != "precision_class")
    assert problems is None or problems
