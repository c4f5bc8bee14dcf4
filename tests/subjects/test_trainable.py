"""What is trained is what was asked for, and the figures at the end are the model's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from basemodel.datasets import color_patches, text_vectors
from legacy.color_loader import load_color_records
from service.parity.errors import DeviceUnavailable, UnknownName
from service.subjects.trainable import Trainable, image_model, text_model

RECORDS = load_color_records("colors-a-f")


def text(colors: str = "colors-a-f", device: str = "cpu", seed: int = 3) -> Trainable:
    return text_model(colors, 12, 1, 4, 0.1, seed=seed, device=device, batch_size=2000)


def image(colors: str = "colors-a-f", device: str = "cpu", seed: int = 3) -> Trainable:
    return image_model(colors, 2, [5, 3, 5], 0.1, seed=seed, device=device, batch_size=2000)


def test_text_model() -> None:
    made = text()
    np.testing.assert_array_equal(made.samples, text_vectors(RECORDS, 12))
    assert [array.shape for array in made.model.state().values()] == [(12, 4), (4,), (4, 12), (12,)]
    assert made.parameter_count() == 12 * 4 + 4 + 4 * 12 + 12
    assert made.decides == {
        "model": "text_autoencoder", "vector_length": 12, "hidden_layers": 1, "bottleneck": 4, "alpha": 0.1
    }  # fmt: skip
    assert (made.names[0], made.device) == ("Absolute Zero", "cpu")


def test_image_model() -> None:
    made = image()
    np.testing.assert_array_equal(made.samples, color_patches(RECORDS, 2))
    assert [array.shape for array in made.model.state().values()][::2] == [(12, 5), (5, 3), (3, 5), (5, 12)]
    assert made.decides == {
        "model": "image_autoencoder", "patch_side": 2, "hidden_widths": [5, 3, 5], "alpha": 0.1
    }  # fmt: skip


@pytest.mark.parametrize("make", [text, image])
def test_what_both_share(make) -> None:
    made = make()
    with pytest.raises(ValueError, match="read-only"):
        made.samples[0, 0] = 1
    made.model.forward(np.zeros((2000, 12), np.float32))
    weights = [make(seed=seed).model.state()["weight_0"].tobytes() for seed in (3, 3, 4)]
    assert weights[0] == weights[1] != weights[2]
    with pytest.raises(UnknownName, match=r"data\.colors: 'colours' is unknown; choose from colors, colors-a-f"):
        make(colors="colours")
    with pytest.raises(DeviceUnavailable):
        make(device="cuda:99")


def test_figures() -> None:
    made = text()
    made = replace(made, samples=np.tile(made.samples, (5, 1)))  # more than go through at a time
    outputs = np.array(made.model.forward(made.samples[:264]), dtype=np.float64)
    figures = made.figures()
    assert (figures.name, figures.rgb_in) == ("Absolute Zero", tuple(float(v) for v in made.samples[0, :3]))
    assert figures.rgb_out == pytest.approx(tuple(outputs[0, :3]), rel=1e-5)
    errors = np.abs(outputs - made.samples[:264])
    assert figures.mean_rgb_error == pytest.approx(errors[:, :3].mean(), rel=1e-5)
    assert figures.mean_error == pytest.approx(errors.mean(), rel=1e-5)
    assert figures.mean_error != pytest.approx(figures.mean_rgb_error, rel=0.01)
