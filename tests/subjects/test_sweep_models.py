"""A BaseModel in the legacy sweep leaves the same session as the legacy model, byte for byte."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basemodel.autoencoder import GpuTextAutoencoder
from legacy.gpu_text_autoencoder import GPUTextAutoencoder
from legacy.parameter_sweep import ParameterSweep
from service.parity.errors import DeviceUnavailable
from service.subjects.sweep_models import sweep_factory

AXES = {
    "vector_length": [16],
    "hidden_layer_count": [2],
    "bottleneck_size": [4, 24],
    "learning_rate": [0.01],
    "alpha": [0.1],
    "batch_size": [100],
    "grad_clip_norm": [0.5, 1.0],
}


def session(folder: Path, factory: Any) -> dict[str, bytes]:
    ticks = count()
    sweep = ParameterSweep(
        "colors-a-f", folder, axes=AXES, model_factory=factory, device="cpu", sample_count=270, max_epochs=4, seed=2,
        clock=lambda: float(next(ticks)),
    )  # fmt: skip
    assert sweep.run_time_limited_sweep()["run"] == [0, 1, 2, 3]
    assert sweep.session_folder is not None
    files = (path for path in sweep.session_folder.rglob("*") if path.is_file())
    return {path.relative_to(sweep.session_folder).as_posix(): path.read_bytes() for path in files}


def test_the_same_files_keys_and_results(tmp_path: Path) -> None:
    legacy = session(tmp_path / "legacy", GPUTextAutoencoder)
    assert len(legacy) == 4 * 4 + 2
    assert session(tmp_path / "basemodel", sweep_factory(GpuTextAutoencoder)) == legacy


def test_other_numbers_give_another_session(tmp_path: Path) -> None:
    """So that the comparison above can fail."""

    def other(*shape: Any, **options: Any) -> GpuTextAutoencoder:
        made = GpuTextAutoencoder(*shape, **options)
        made.load_state({name: array * np.float32(1.001) for name, array in made.state().items()})
        return made

    legacy = session(tmp_path / "legacy", GPUTextAutoencoder)
    changed = session(tmp_path / "other", sweep_factory(other))
    assert changed.keys() == legacy.keys()
    assert changed["exp_0000/training_history.json"] != legacy["exp_0000/training_history.json"]


def test_a_device_that_is_not_here_is_refused() -> None:
    with pytest.raises(DeviceUnavailable, match="cuda:99"):
        sweep_factory(GpuTextAutoencoder)(16, 2, 4, device="cuda:99")
