"""The .npz checkpoint: round trip, order by number, damage, and files that would run code if unpickled."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from legacy import checkpoints as cp
from legacy.gpu_text_autoencoder import GPUTextAutoencoder


def model(*sizes: int, seed: int = 1) -> GPUTextAutoencoder:
    return GPUTextAutoencoder(*(sizes or (12, 2, 4)), seed=seed, device="cpu", max_batch_size=8)


def members(layers: int = 2) -> dict[str, np.ndarray]:
    named: dict[str, np.ndarray] = {"loss": np.float64(0.5), "epoch": np.int64(3)}
    for i in range(layers):
        named[f"weight_{i}"] = np.full((2, 2), i, np.float32)
        named[f"bias_{i}"] = np.full(2, i, np.float32)
    return named


class Malicious:
    """Unpickling an instance makes the folder `target`."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.target,)


@pytest.mark.parametrize("sizes", [(12, 2, 4), (40, 6, 4)])
def test_round_trip_is_bit_equal(tmp_path: Path, sizes: tuple[int, int, int]) -> None:
    saved, loaded = model(*sizes), model(*sizes, seed=2)
    assert len(saved.weights_gpu) == {12: 4, 40: 12}[sizes[0]]
    for i, bias in enumerate(saved.biases_gpu):
        bias[:] = i + 1
    path = tmp_path / "best_model.npz"
    saved.save_checkpoint(path, 0.25, 17, {"alpha": 0.01, "note": "blå"})
    checkpoint = loaded.load_checkpoint(path)
    assert (checkpoint.loss, checkpoint.epoch, checkpoint.unread) == (0.25, 17, "")
    assert checkpoint.parameters == {"alpha": 0.01, "note": "blå"}
    for left, right in zip((*saved.weights_gpu, *saved.biases_gpu), (*loaded.weights_gpu, *loaded.biases_gpu)):  # noqa: B905
        np.testing.assert_array_equal(left, right)
    assert os.listdir(tmp_path) == ["best_model.npz"]


def test_twelve_layers_of_one_shape_keep_their_order(tmp_path: Path) -> None:
    # All shapes are equal: order by text would swap layers without any error.
    np.savez(tmp_path / "c.npz", **members(12))
    checkpoint = cp.read_checkpoint(tmp_path / "c.npz")
    assert [w[0, 0] for w in checkpoint.weights] == list(range(12))
    assert [b[0] for b in checkpoint.biases] == list(range(12))


def test_names_on_disk_are_the_legacy_ones(tmp_path: Path) -> None:
    model().save_checkpoint(tmp_path / "c.npz", 0.5, 1, {"a": 1})
    with np.load(tmp_path / "c.npz", allow_pickle=False) as archive:
        layers = [f"{kind}_{i}" for i in range(4) for kind in ("weight", "bias")]
        assert archive.files == [*layers, "loss", "epoch", "parameters"]
        assert archive["parameters"].dtype.kind == "U"


def test_pickled_parameters_are_reported_and_not_run(tmp_path: Path) -> None:
    target = tmp_path / "pwned"
    parameters = np.array(Malicious(target), dtype=object)
    np.savez(tmp_path / "old.npz", **members(), parameters=parameters)
    checkpoint = cp.read_checkpoint(tmp_path / "old.npz")
    assert not target.exists()
    assert checkpoint.parameters is None
    assert "pickled" in checkpoint.unread
    assert len(checkpoint.weights) == 2
    # The file is armed: the same array, unpickled in a process of its own, does run.
    unpickle = "import numpy, sys; numpy.load(sys.argv[1], allow_pickle=True)['parameters']"
    subprocess.run([sys.executable, "-c", unpickle, str(tmp_path / "old.npz")], timeout=100, check=True)
    assert target.exists()


@pytest.mark.parametrize("name", ["weight_0", "bias_1", "loss", "epoch"])
def test_pickled_member_is_refused_and_not_run(tmp_path: Path, name: str) -> None:
    target = tmp_path / "pwned"
    np.savez(tmp_path / "bad.npz", **{**members(), name: np.array([Malicious(target)], dtype=object)})
    with pytest.raises(ValueError, match=f"bad.npz: member {name} cannot be read"):
        cp.read_checkpoint(tmp_path / "bad.npz")
    assert not target.exists()


def test_bare_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    target = tmp_path / "pwned"
    path = tmp_path / "bad.npz"
    np.array([Malicious(target)], dtype=object).dump(path)
    with pytest.raises(ValueError, match=r"bad\.npz: not an \.npz checkpoint"):
        cp.read_checkpoint(path)
    assert not target.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_1": None}, r"needs weight_0, weight_1, … without a gap, has the numbers \[0\]|shapes"),
        ({"weight_0": None}, r"without a gap, has the numbers \[1\]"),
        ({"loss": None}, "loss is missing"),
        ({"epoch": None}, "epoch is missing"),
        ({"loss": np.zeros(2)}, "loss is float64 of shape"),
        ({"loss": np.array("x")}, "loss is <U1"),
        ({"weight_0": np.zeros((2, 2), np.int32)}, "weight_0 is int32"),
        ({"weight_0": np.zeros(2, np.float32)}, "weight_0 is float32 of shape"),
        ({"bias_0": np.zeros(3, np.float32)}, "do not fit"),
    ],
)
def test_damaged_members(tmp_path: Path, change: dict[str, np.ndarray | None], message: str) -> None:
    changed = {name: array for name, array in {**members(), **change}.items() if array is not None}
    np.savez(tmp_path / "c.npz", **changed)
    with pytest.raises(ValueError, match=message):
        cp.read_checkpoint(tmp_path / "c.npz")


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04 cut off"])
def test_damaged_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"c\.npz"):
        cp.read_checkpoint(tmp_path / "c.npz")


def test_truncated_and_flipped_files(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    model().save_checkpoint(path, 0.5, 1)
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2], whole[:100] + b"\xff" * 60 + whole[160:]):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"c\.npz"):
            cp.read_checkpoint(path)


def test_missing_file_and_single_array(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        cp.read_checkpoint(tmp_path / "none.npz")
    with (tmp_path / "one.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match="single array"):
        cp.read_checkpoint(tmp_path / "one.npz")


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [(np.array("{"), "not JSON"), (np.array("[1]"), "not an object"), (np.zeros(3), "not JSON text")],
)
def test_other_unreadable_parameters(tmp_path: Path, parameters: np.ndarray, reason: str) -> None:
    np.savez(tmp_path / "c.npz", **members(), parameters=parameters)
    checkpoint = cp.read_checkpoint(tmp_path / "c.npz")
    assert checkpoint.parameters is None
    assert reason in checkpoint.unread


def test_checkpoint_of_another_model_changes_nothing(tmp_path: Path) -> None:
    model(12, 2, 5).save_checkpoint(tmp_path / "other.npz", 0.5, 1)
    made = model()
    before, _ = made.get_weights_cpu()
    with pytest.raises(ValueError, match=r"other\.npz: this model has"):
        made.load_checkpoint(tmp_path / "other.npz")
    np.testing.assert_array_equal(made.weights_gpu[0], before[0])


def test_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.npz"
    model().save_checkpoint(path, 0.5, 1)
    before = path.read_bytes()

    def full_disk(file, **arrays) -> None:
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="no space"):
        model(seed=2).save_checkpoint(path, 0.1, 2)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["c.npz"]


def test_parameters_that_are_no_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        model().save_checkpoint(tmp_path / "c.npz", 0.5, 1, {"a": object()})
    assert os.listdir(tmp_path) == []


def test_no_pickle_in_the_source() -> None:
    folder = Path(cp.__file__).parent
    for path in folder.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert "import pickle" not in source
        assert "allow_pickle=True" not in source
