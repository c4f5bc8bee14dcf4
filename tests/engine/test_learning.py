"""What trained models do with the data: spread on features that vary, NaN counted, other shapes refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.engine.learning import CONFUSIONS, SWATCHES, confusions, examine, measure, nearest_colours
from service.parity.learning import check_color_reconstruction, check_outputs_vary
from service.parity.policy import named_policy
from service.parity.record import SIDES, RunRecord

POLICY = named_policy("default")
BLAME = {"reference": "inconclusive", "candidate": "fail"}


def rows(count: int = 6) -> Any:
    data = np.random.default_rng(0).random((count, 5)).astype(np.float32)
    data[:, 4] = 0.5  # constant, as padding is
    return data


def test_the_data_itself_has_its_own_spread() -> None:
    data = rows()
    model = measure("candidate", data, data.astype(np.float64))
    assert (
        model.output_spread
        == model.data_spread
        == pytest.approx(float(np.sqrt(data[:, :4].astype(float).var(axis=0).mean())))
    )
    assert (model.varying_features, model.rows, model.nonfinite, model.mean_rgb_error) == (4, 6, 0, 0.0)


@pytest.mark.parametrize("constant", [0.0, 0.5, 1e30])
def test_collapsed_outputs_have_no_spread(constant: float) -> None:
    assert measure("candidate", rows(), np.full((6, 5), constant)).output_spread == 0.0


def test_constant_features_do_not_count() -> None:
    outputs = np.zeros((6, 5))
    outputs[:, 4] = np.arange(6) * 100
    assert measure("candidate", rows(), outputs).output_spread == 0.0


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("feature", [0, 3, 4])
def test_nonfinite_outputs_are_counted_wherever_they_are(value: float, feature: int) -> None:
    outputs = rows().astype(np.float64)
    outputs[2, feature] = value
    assert measure("candidate", rows(), outputs).nonfinite == 1


def test_mean_error_of_colours_does_not_cancel() -> None:
    outputs = rows().astype(np.float64)
    outputs[:3, :3] += 0.1
    outputs[3:, :3] -= 0.1
    assert measure("candidate", rows(), outputs).mean_rgb_error == pytest.approx(0.1)


def test_data_without_variation() -> None:
    same = np.ones((4, 3), np.float32)
    model = measure("reference", same, np.zeros((4, 3)))
    assert (model.varying_features, model.data_spread, model.output_spread) == (0, 0.0, 0.0)


def judged(lab: Any, evidence: Any) -> tuple[str, str]:
    record = RunRecord(lab.plan, {}, {}, free_running=lab.free_running().free_running, learning=evidence)
    return check_outputs_vary(record, POLICY).outcome, check_color_reconstruction(record, POLICY).outcome


def identity(lab: Any) -> Any:
    stub = lab.Stub()
    stub.forward = lambda batch: batch
    return stub


def test_a_perfect_pair(lab: Any) -> None:
    evidence = examine(lab.dataset, {side: identity(lab) for side in SIDES})
    assert judged(lab, evidence) == ("pass", "pass")
    assert len(evidence.swatches) == min(SWATCHES, lab.dataset.rows)
    first = evidence.swatches[0]
    assert first.name == "0"
    assert first.target == first.reference == first.candidate == tuple(float(v) for v in lab.dataset.vectors[0, :3])


FORWARDS: dict[str, Any] = {
    "zeros": lambda batch: np.zeros_like(batch),
    "mean": lambda batch: np.broadcast_to(batch.mean(axis=0), batch.shape),
    "nan": lambda batch: np.full_like(batch, np.nan),
    "rows out of order": lambda batch: batch[::-1],
    "one row": lambda batch: batch[:1],
    "flat": lambda batch: batch.reshape(-1),
    "transposed": lambda batch: batch.T,
    "nothing": lambda batch: None,
    "text": lambda batch: np.full(batch.shape, "x"),
    "raises": lambda batch: 1 / 0,
    "writes": lambda batch: batch.__imul__(2),
}


@pytest.mark.parametrize("name", FORWARDS)
@pytest.mark.parametrize("side", SIDES)
def test_a_model_that_did_not_learn(lab: Any, side: str, name: str) -> None:
    subjects = {other: identity(lab) for other in SIDES}
    subjects[side].forward = FORWARDS[name]
    vary, colour = judged(lab, examine(lab.dataset, subjects))
    assert BLAME[side] in (vary, colour)
    assert "pass" not in (colour,)
    if name != "rows out of order":
        assert vary == BLAME[side]


def test_the_first_colour_right_and_every_other_another_rows(lab: Any) -> None:
    """The outputs vary as they should, and the colour that is looked at most closely is right."""
    subjects = {side: identity(lab) for side in SIDES}
    subjects["candidate"].forward = lambda batch: np.concatenate([batch[:1], batch[:0:-1]])
    assert judged(lab, examine(lab.dataset, subjects)) == ("pass", "fail")


def test_padding_is_not_examined(lab: Any) -> None:
    dataset = replace(lab.dataset, rows=10)
    seen: list[int] = []
    subjects = {side: identity(lab) for side in SIDES}
    for stub in subjects.values():
        stub.forward = lambda batch: seen.append(len(batch)) or batch
    evidence = examine(dataset, subjects)
    assert seen == [10, 10]
    assert {model.rows for model in evidence.models} == {10}


def test_many_rows_go_through_in_chunks(lab: Any) -> None:
    vectors = np.random.default_rng(0).random((2500, 16)).astype(np.float32)
    dataset = replace(lab.dataset, vectors=vectors, rows=2500, names=tuple(map(str, range(2500))))
    buffer = np.empty((1024, 16), np.float32)

    def reused(batch: Any) -> Any:
        buffer[: len(batch)] = batch
        return buffer[: len(batch)]

    subjects = {side: identity(lab) for side in SIDES}
    subjects["candidate"].forward = reused
    evidence = examine(dataset, subjects)
    assert [model.mean_rgb_error for model in evidence.models] == [0.0, 0.0]
    assert all(swatch.candidate == swatch.target for swatch in evidence.swatches)
    assert evidence.swatches[-1].name == "2499"


def nearest_of(outputs: Any, colours: Any) -> Any:
    return nearest_colours(np.asarray(colours, np.float32), np.asarray(outputs, np.float64))


def test_the_nearest_colour_is_found_and_a_tie_is_no_confusion() -> None:
    colours = [[0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0]]
    found = nearest_of([[0.1, 0, 0], [0.2, 0, 0], [0.0, 0.1, 0], [0, 0.4, 0]], colours)
    assert found.right.tolist() == [True, False, True, False]
    assert found.row[0] == 0
    assert found.row[2] == 2  # not the first of two of the same colour
    assert colours[found.row[1]] == colours[found.row[3]] == [0, 0, 0]
    assert found.distance.tolist() == pytest.approx([0.1, 0.2, 0.1, 0.4])
    assert found.own_distance.tolist() == pytest.approx([0.1, 0.8, 0.1, 0.6])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_an_output_that_is_no_colour_is_not_named_right(value: float) -> None:
    found = nearest_of([[value, 0, 0], [1, 1, 1]], [[0, 0, 0], [1, 1, 1]])
    assert found.right.tolist() == [False, True]


def test_confusions_on_which_the_models_disagree_come_first_then_the_farthest_off() -> None:
    colours = [[0.0, 0, 0], [0.5, 0, 0], [1.0, 0, 0], [0, 0.5, 0]]
    reference = nearest_of([[0.9, 0, 0], [0.5, 0, 0], [0.6, 0, 0], [0, 0.5, 0]], colours)
    candidate = nearest_of([[0.9, 0, 0], [0.1, 0, 0], [0.6, 0, 0], [np.nan, 0, 0]], colours)
    found = confusions(("a", "b", "c", "d"), {"reference": reference, "candidate": candidate})
    assert [confusion.name for confusion in found] == ["d", "b", "a", "c"]
    by_name = {confusion.name: confusion for confusion in found}
    assert by_name["d"].candidate is None
    assert by_name["b"].candidate is not None
    assert (by_name["b"].candidate.name, by_name["b"].candidate.own_distance) == ("a", pytest.approx(0.4))
    assert by_name["b"].reference is not None
    assert by_name["b"].reference.name == "b"


def test_the_list_is_cut_and_the_count_is_not(lab: Any) -> None:
    wrong = lab.Stub()
    wrong.forward = lambda batch: batch[::-1]
    evidence = examine(lab.dataset, {"reference": identity(lab), "candidate": wrong})
    reference, candidate = evidence.models
    assert reference.named_right == reference.rows
    assert candidate.named_right is not None
    assert candidate.rows - candidate.named_right >= len(evidence.confusions) > 0
    assert len(evidence.confusions) <= CONFUSIONS


def test_no_outputs_no_confusions() -> None:
    assert confusions(("a",), {}) == ()
