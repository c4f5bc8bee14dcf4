"""Digests: equal for equal bytes, and for nothing else."""

from __future__ import annotations

import numpy as np

from service.parity.digest import digest_of, state_digest


def test_digest_knows_dtype_shape_and_order() -> None:
    a = np.arange(6, dtype=np.float32)
    alike = [(a,), (a.reshape(2, 3),), (a.astype(np.float64),), (a.view(np.int32),), (a, a), (a[:3], a[3:]), (a[::-1],)]
    assert len({digest_of(*arrays) for arrays in alike}) == len(alike)
    assert digest_of(np.asfortranarray(a.reshape(2, 3))) == digest_of(a.reshape(2, 3))
    assert digest_of(np.zeros((0, 3))) != digest_of(np.zeros((3, 0)))
    assert digest_of(np.float32(1).reshape(())) == digest_of(np.float32(1).reshape(()))
    assert digest_of(np.array([0.0])) != digest_of(np.array([-0.0]))


def test_state_digest_knows_names_and_not_their_order() -> None:
    a, b = np.ones(3, np.float32), np.zeros(3, np.float32)
    assert state_digest({"weight_0": a, "bias_0": b}) == state_digest({"bias_0": b, "weight_0": a})
    alike = [
        {"weight_0": a, "bias_0": b},
        {"weight_0": b, "bias_0": a},
        {"weight_0": a, "bias_1": b},
        {"a": b, "b": a},
        {"weight_0": a},
        {},
        {"weight_0": a, "bias_0": b, "steps": np.zeros(0, np.int64)},
        {"weight_0": a, "bias_0": -b},
        {"weight_0": a.astype(np.float64), "bias_0": b},
    ]
    assert len({state_digest(state) for state in alike}) == len(alike)
