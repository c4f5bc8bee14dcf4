"""Checkpoint files: what is written comes back to the last bit, and a stranger's file can do no harm."""

from __future__ import annotations

import io
import itertools
import json
import math
import os
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as save_tensors

from basemodel.checkpoints import MAX_BYTES, read_checkpoint, write_checkpoint
from service.parity.plan import ModelSpec, Plan
from service.ports import CheckpointMetadata, Subject
from service.subjects.basemodel import BaseModelSubject
from service.subjects.legacy import LegacySubject

FORMATS = pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
SIZES = (6, 4, 6)
PLAN = Plan(model=ModelSpec(vector_length=6, hidden_layers=1, bottleneck=4), device="cpu")
PARAMETERS = {"lr": 0.1, "third": 1 / 3, "names": ["ä", "b"], "nested": {"n": 2**60, "none": None, "yes": True}}


def draw_state(sizes: tuple[int, ...] = SIZES, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    state: dict[str, Any] = {}
    for i, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        state[f"weight_{i}"] = rng.standard_normal((fan_in, fan_out)).astype(np.float32)
        state[f"bias_{i}"] = rng.standard_normal(fan_out).astype(np.float32)
    return state


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return list(a) == list(b) and all(
        x.dtype == y.dtype and x.tobytes() == y.tobytes() for x, y in zip(a.values(), b.values(), strict=True)
    )


# --- what is written comes back ---------------------------------------------------------------------------------------


@FORMATS
@pytest.mark.parametrize("loss", [0.0, 1 / 3, 5e-324, math.inf, -0.0])
def test_everything_comes_back(tmp_path: Path, suffix: str, loss: float) -> None:
    path = tmp_path / f"model{suffix}"
    write_checkpoint(path, draw_state(), loss, 7, PARAMETERS)
    read = read_checkpoint(path)
    assert same(read.state, draw_state())
    assert (repr(read.loss), read.epoch, read.parameters, read.unread) == (repr(loss), 7, PARAMETERS, "")
    assert os.listdir(tmp_path) == [path.name]


@FORMATS
def test_bits_that_compare_strangely_come_back(tmp_path: Path, suffix: str) -> None:
    state = draw_state()
    state["bias_0"][:] = [np.nan, -0.0, np.float32(1e-45), np.inf]
    write_checkpoint(tmp_path / f"m{suffix}", state, math.nan, 0, {})
    read = read_checkpoint(tmp_path / f"m{suffix}")
    assert same(read.state, state)
    assert math.isnan(read.loss)


@FORMATS
def test_more_than_ten_layers_keep_their_order(tmp_path: Path, suffix: str) -> None:
    sizes = tuple(range(3, 16))
    write_checkpoint(tmp_path / f"deep{suffix}", draw_state(sizes), 0.5, 1, {})
    assert same(read_checkpoint(tmp_path / f"deep{suffix}").state, draw_state(sizes))


@FORMATS
def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    write_checkpoint(path, draw_state(), 0.5, 1, {})
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_checkpoint(path, draw_state(seed=1), 0.5, 1, {"object": object()})
    assert (path.read_bytes(), os.listdir(tmp_path)) == (before, [path.name])


@FORMATS
def test_a_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, real=real: (calls.append(name), real(*a))[1])
    write_checkpoint(tmp_path / f"m{suffix}", draw_state(), 0.5, 1, {})
    assert calls == ["fsync", "replace"]


def test_the_legacy_model_reads_ours_and_we_read_its(tmp_path: Path) -> None:
    plan = Plan(model=ModelSpec(12, 2, 4), device="cpu")
    legacy, ours = LegacySubject(plan), BaseModelSubject(plan)
    metadata = CheckpointMetadata(0.25, 3, PARAMETERS)
    for saver, loader in ((legacy, ours), (ours, legacy)):
        for suffix in (".npz", ".safetensors"):
            path = tmp_path / f"{saver.name}{suffix}"
            saver.save(path, metadata)
            loader.load_state({name: array + 1 for name, array in saver.state().items()})
            assert loader.load(path) == metadata
            assert same(dict(loader.state()), dict(saver.state()))


# --- hostile files ----------------------------------------------------------------------------------------------------

MARK = "lockstep-was-here"


def pickle_that_would_touch(path: Path) -> bytes:
    """Protocol-0 opcodes, by hand: call os.mkdir(path). Nothing here may import the module that writes such bytes."""
    return b"cos\nmkdir\n(V" + str(path).encode() + b"\ntR."


def npy(header: bytes, data: bytes, version: int = 1) -> bytes:
    padded = header + b" " * (64 - (len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(padded)) + padded + data


def pickled(path: Path) -> bytes:
    return npy(header_of("()", "'|O'"), pickle_that_would_touch(path.parent / MARK))


def header_of(shape: str, descr: str = "'<f4'", order: str = "False") -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()


def npz(path: Path, compress: bool = False, **changes: Any) -> Path:
    """A valid .npz with members replaced (arrays or bytes), or left out (None)."""
    members: dict[str, Any] = {**draw_state(), "loss": np.float64(0.5), "epoch": np.int64(3), **changes}
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, value in members.items():
            if value is None:
                continue
            if not isinstance(value, bytes):
                buffer = io.BytesIO()
                np.save(buffer, value, allow_pickle=False)
                value = buffer.getvalue()
            archive.writestr(name if name.endswith(".npy") else f"{name}.npy", value)
    return path


def tensors(path: Path, metadata: dict[str, str] | None = None, **changes: Any) -> Path:
    arrays = {name: array for name, array in {**draw_state(), **changes}.items() if array is not None}
    path.write_bytes(save_tensors(arrays, {"loss": "0.5", "epoch": "3", **(metadata or {})}))
    return path


WEIGHT = draw_state()["weight_0"]
HOSTILE_NPZ: dict[str, Callable[[Path], Any]] = {
    "empty file": lambda p: p.write_bytes(b""),
    "text": lambda p: p.write_text("weights"),
    "a single array": lambda p: p.write_bytes(npy(header_of("(6, 4)"), WEIGHT.tobytes())),
    "no members": lambda p: zipfile.ZipFile(p, "w").close(),
    "pickled weights": lambda p: npz(p, weight_0=pickled(p)),
    "pickled loss": lambda p: npz(p, loss=pickled(p)),
    "deep parameters": lambda p: npz(p, parameters=np.array("[" * 100_000)),
    "long parameters": lambda p: npz(p, parameters=np.array('"' + "x" * 2**20 + '"')),
    "missing weight": lambda p: npz(p, weight_0=None),
    "missing bias": lambda p: npz(p, bias_1=None),
    "missing loss": lambda p: npz(p, loss=None),
    "missing epoch": lambda p: npz(p, epoch=None),
    "a gap": lambda p: npz(p, weight_1=None, bias_1=None, weight_2=WEIGHT, bias_2=draw_state()["bias_0"]),
    "an unknown member": lambda p: npz(p, momentum=WEIGHT),
    "weights that do not fit": lambda p: npz(p, weight_1=np.zeros((5, 6), np.float32)),
    "a bias that does not fit": lambda p: npz(p, bias_0=np.zeros(5, np.float32)),
    "a weight of one axis": lambda p: npz(p, weight_0=np.zeros(24, np.float32)),
    "float64": lambda p: npz(p, weight_0=WEIGHT.astype(np.float64)),
    "big-endian": lambda p: npz(p, weight_0=WEIGHT.astype(">f4")),
    "no axes": lambda p: npz(p, weight_0=np.float32(1)),
    "a row for a bias": lambda p: npz(p, bias_0=draw_state()["bias_0"].reshape(1, -1)),
    "an unknown dtype": lambda p: npz(p, weight_0=npy(header_of("(6, 4)", "'<f3'"), WEIGHT.tobytes())),
    "a boolean of four bytes": lambda p: npz(p, loss=npy(header_of("()", "'<b4'"), b"1234")),
    "text of exabytes": lambda p: npz(p, parameters=npy(header_of("()", "'<U9999999999'"), b"1234")),
    "a deep header": lambda p: npz(p, weight_0=npy(b"(" * 9000, WEIGHT.tobytes())),
    "an axis in Python 2": lambda p: npz(p, weight_0=npy(header_of("(6L, 4L)"), WEIGHT.tobytes())),
    "integers": lambda p: npz(p, weight_0=np.zeros((6, 4), np.int32)),
    "text for weights": lambda p: npz(p, weight_0=np.full((6, 4), "1.0")),
    "structured": lambda p: npz(p, weight_0=np.zeros((6, 4), [("a", "f4")])),
    "text beyond Unicode": lambda p: npz(p, parameters=npy(header_of("()", "'<U1'"), b"\xff\xff\xff\x7f")),
    "epoch beyond 64 bits": lambda p: npz(p, epoch=np.uint64(2**63)),
    "parameters of many numbers": lambda p: npz(p, parameters=np.zeros(2**20)),
    "a comment": lambda p: commented(npz(p)),
    "a 64-bit directory": lambda p: with_64_bit_directory(npz(p)),
    "loss of two numbers": lambda p: npz(p, loss=np.zeros(2)),
    "epoch with a fraction": lambda p: npz(p, epoch=np.float64(1.5)),
    "a header that claims too much": lambda p: npz(p, weight_0=npy(header_of("(1000000, 4)"), WEIGHT.tobytes())),
    "a header that claims exabytes": lambda p: npz(p, weight_0=npy(header_of(f"({2**60}, {2**60})"), b"1234")),
    "a header that claims too little": lambda p: npz(p, weight_0=npy(header_of("(2, 4)"), WEIGHT.tobytes())),
    "a negative shape": lambda p: npz(p, weight_0=npy(header_of("(-6, -4)"), WEIGHT.tobytes())),
    "a header that is code": lambda p: npz(p, weight_0=npy(b"__import__('os').mkdir('x')", WEIGHT.tobytes())),
    "an unknown version": lambda p: npz(p, weight_0=npy(header_of("(6, 4)"), WEIGHT.tobytes(), version=9)),
    "a member that is no array": lambda p: npz(p, weight_0=b"not an array"),
    "a bomb": lambda p: npz(p, compress=True, weight_0=np.zeros((6, 8_000_000), np.float32)),
    "a bomb of many": lambda p: npz(p, compress=True, **zeros(40)),
    "a foreign compression": lambda p: recompress(npz(p), zipfile.ZIP_BZIP2),
    "a member twice": lambda p: twice(npz(p)),
    "a member without .npy": lambda p: unnamed(npz(p)),
    "the headers disagree": lambda p: p.write_bytes(npz(p).read_bytes().replace(b"weight_0", b"weight_1", 1)),
    "a path upwards": lambda p: npz(p, **{"../../weight_9": WEIGHT}),
    "an absolute path": lambda p: npz(p, **{"/tmp/weight_9": WEIGHT}),
    "a path with backslashes": lambda p: npz(p, **{"..\\weight_9": WEIGHT}),
    "a path to a known name": lambda p: npz(p, weight_0=None, **{"a/weight_0": WEIGHT}),
    "too many members": lambda p: npz(p, **{f"weight_{i}": np.float32(0) for i in range(3000)}),
}  # fmt: skip
HOSTILE_TENSORS: dict[str, Callable[[Path], Any]] = {
    "empty file": lambda p: p.write_bytes(b""),
    "a header of 4 GB": lambda p: p.write_bytes(struct.pack("<Q", 2**32) + b"{}"),
    "a header of exabytes": lambda p: p.write_bytes(struct.pack("<Q", 2**63) + b"{}"),
    "no header": lambda p: p.write_bytes(struct.pack("<Q", 0) + b"\0\0"),
    "a header that is no JSON": lambda p: p.write_bytes(struct.pack("<Q", 4) + b"abcd"),
    "a header that is a list": lambda p: p.write_bytes(struct.pack("<Q", 2) + b"[]"),
    "a deep header": lambda p: p.write_bytes(struct.pack("<Q", 200_000) + b"[" * 200_000),
    "offsets beyond the end": lambda p: raw(p, weight_0={"dtype": "F32", "shape": [6, 4], "data_offsets": [0, 96]}),
    "a shape that lies": lambda p: raw(p, weight_0={"dtype": "F32", "shape": [600, 4], "data_offsets": [0, 4]}),
    "negative offsets": lambda p: raw(p, weight_0={"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}),
    "a name twice": lambda p: headed(p, b'{"weight_0":{},"weight_0":{}}'),
    "an array twice": lambda p: doubled(tensors(p)),
    "a shape of fractions": lambda p: raw(p, weight_0={"dtype": "F32", "shape": [1.0, 1.0], "data_offsets": [0, 4]}),
    "a shape of truths": lambda p: raw(p, weight_0={"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}),
    "an array that is a number": lambda p: raw(p, weight_0=3),
    "metadata that is no object": lambda p: raw(p, __metadata__=[1]),
    "metadata that is no text": lambda p: raw(p, __metadata__={"loss": 1}),
    "a number of 5,000 digits": lambda p: headed(p, b"[" + b"9" * 5000 + b"]"),
    "bytes after the arrays": lambda p: p.write_bytes(tensors(p).read_bytes() + b"more"),
    "missing weight": lambda p: tensors(p, weight_0=None),
    "a gap": lambda p: tensors(p, weight_1=None, bias_1=None, weight_2=WEIGHT, bias_2=draw_state()["bias_0"]),
    "an unknown array": lambda p: tensors(p, momentum=WEIGHT),
    "a path for a name": lambda p: tensors(p, **{"../weight_9": WEIGHT}),
    "float64": lambda p: tensors(p, weight_0=WEIGHT.astype(np.float64)),
    "float16": lambda p: tensors(p, weight_0=WEIGHT.astype(np.float16)),
    "weights that do not fit": lambda p: tensors(p, weight_1=np.zeros((5, 6), np.float32)),
    "deep parameters": lambda p: tensors(p, {"parameters": "[" * 100_000}),
    "long parameters": lambda p: tensors(p, {"parameters": '"' + "x" * 2**20 + '"'}),
    "loss in words": lambda p: tensors(p, {"loss": "low"}),
    "loss true": lambda p: tensors(p, {"loss": "true"}),
    "epoch with a fraction": lambda p: tensors(p, {"epoch": "1.5"}),
    "loss beyond any float": lambda p: tensors(p, {"loss": "1" + "0" * 400}),
    "epoch beyond 64 bits": lambda p: tensors(p, {"epoch": str(2**63)}),
    "no metadata": lambda p: p.write_bytes(save_tensors(draw_state())),
}  # fmt: skip


def raw(path: Path, **arrays: Any) -> None:
    headed(path, json.dumps(arrays).encode(), b"\0" * 4)


def doubled(path: Path) -> None:
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    again = json.dumps({"weight_0": header["weight_0"]}).strip("{}").encode()
    headed(path, json.dumps(header).encode()[:-1] + b", " + again + b"}", content[8 + length :])


def headed(path: Path, header: bytes, data: bytes = b"") -> None:
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def zeros(layers: int) -> dict[str, Any]:
    """Layers of 1 MB each that fit together and compress a thousand times."""
    weights = {f"weight_{i}": np.zeros((500, 500), np.float32) for i in range(layers)}
    return {**weights, **{f"bias_{i}": np.zeros(500, np.float32) for i in range(layers)}}


def rezip(path: Path, kind: int, rename: Callable[[str], list[str]]) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", kind) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile's own, about a name that stands there twice
        for name, content in members.items():
            for other in rename(name):
                archive.writestr(other, content)


def recompress(path: Path, kind: int) -> None:
    rezip(path, kind, lambda name: [name])


def twice(path: Path) -> None:
    rezip(path, zipfile.ZIP_STORED, lambda name: [name, name] if name == "weight_0.npy" else [name])


def commented(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"PK"


def with_64_bit_directory(path: Path) -> None:
    """Where `zipfile` would take the directory's length from."""
    content = path.read_bytes()
    count, length, offset = struct.unpack("<10xHLL2x", content[-22:])
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(content) - 22, 1)
    path.write_bytes(content[:-22] + record + locator + content[-22:])


def unnamed(path: Path) -> None:
    rezip(path, zipfile.ZIP_STORED, lambda name: [name.removesuffix(".npy") if name == "weight_0.npy" else name])


HOSTILE = [(".npz", name, make) for name, make in HOSTILE_NPZ.items()] + [
    (".safetensors", name, make) for name, make in HOSTILE_TENSORS.items()
]


@pytest.mark.parametrize(("suffix", "name", "make"), HOSTILE, ids=[f"{s[1:]}: {n}" for s, n, _ in HOSTILE])
@pytest.mark.parametrize("kind", [LegacySubject, BaseModelSubject])
def test_refused_with_a_message_and_nothing_executed_or_changed(
    tmp_path: Path, suffix: str, name: str, make: Callable[[Path], Any], kind: Any
) -> None:
    path = tmp_path / f"strange{suffix}"
    make(path)
    subject: Subject = kind(PLAN)
    before = subject.state()
    with pytest.raises(ValueError, match="strange") as refused:
        subject.load(path)
    assert "Traceback" not in str(refused.value)
    assert ("pickled" in str(refused.value)) == name.startswith("pickled")
    assert same(dict(subject.state()), dict(before))
    assert not (tmp_path / MARK).exists()
    with pytest.raises(ValueError, match="strange"):
        read_checkpoint(path)


@pytest.mark.parametrize("sizes", [(12, 8, 4, 8), (12, 8, 4, 8, 12, 12), (12, 4, 12), (8, 12)])
@FORMATS
@pytest.mark.parametrize("kind", [LegacySubject, BaseModelSubject])
def test_another_model_is_refused(tmp_path: Path, suffix: str, sizes: tuple[int, ...], kind: Any) -> None:
    path = tmp_path / f"other{suffix}"
    write_checkpoint(path, draw_state(sizes), 0.5, 1, {})
    subject = kind(Plan(model=ModelSpec(12, 2, 4), device="cpu"))
    before = subject.state()
    with pytest.raises(ValueError, match="other"):
        subject.load(path)
    assert same(dict(subject.state()), dict(before))


def test_old_pickled_parameters_are_reported_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "old.npz"
    checkpoint = read_checkpoint(npz(path, parameters=pickled(path)))
    assert LegacySubject(PLAN).load(path) == BaseModelSubject(PLAN).load(path) == CheckpointMetadata(0.5, 3, {})
    assert checkpoint.parameters is None
    assert "pickled" in checkpoint.unread
    assert same(checkpoint.state, draw_state())
    assert not (tmp_path / MARK).exists()
    # The file is armed: read without our care, in a process of its own, it does run.
    unpickle = "import numpy, sys; numpy.load(sys.argv[1], allow_pickle=True)['parameters']"
    subprocess.run([sys.executable, "-c", unpickle, str(path)], timeout=100, check=True)
    assert (tmp_path / MARK).exists()


@pytest.mark.parametrize("text", ["not json", "[1]", '"text"', "null"])
@FORMATS
def test_parameters_that_are_no_object_are_unread(tmp_path: Path, suffix: str, text: str) -> None:
    path = tmp_path / f"m{suffix}"
    if suffix == ".npz":
        npz(path, parameters=np.array(text))
    else:
        tensors(path, {"parameters": text})
    assert (read_checkpoint(path).parameters, bool(read_checkpoint(path).unread)) == (None, True)


def test_the_hostile_files_are_valid_but_for_what_is_wrong(tmp_path: Path) -> None:
    for kind in (LegacySubject, BaseModelSubject):
        for path in (
            npz(tmp_path / "a.npz"),
            npz(tmp_path / "b.npz", compress=True),
            tensors(tmp_path / "c.safetensors"),
        ):
            subject = kind(PLAN)
            assert subject.load(path) == CheckpointMetadata(0.5, 3, {})
            assert same(dict(subject.state()), draw_state())


def test_columns_first_are_the_same_numbers(tmp_path: Path) -> None:
    path = npz(tmp_path / "m.npz", weight_0=np.asfortranarray(WEIGHT))
    for subject in (LegacySubject(PLAN), BaseModelSubject(PLAN)):
        subject.load(path)
        assert same(dict(subject.state()), draw_state())
    assert read_checkpoint(path).state["weight_0"].flags.c_contiguous


def test_a_file_larger_than_any_checkpoint_is_not_opened(tmp_path: Path) -> None:
    for suffix in (".npz", ".safetensors"):
        path = tmp_path / f"huge{suffix}"
        path.touch()
        os.truncate(path, MAX_BYTES + 1)
        with pytest.raises(ValueError, match="at most 2,147,483,648"):
            read_checkpoint(path)


def test_a_bomb_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = npz(tmp_path / "bomb.npz", compress=True, **zeros(4))
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    with pytest.raises(ValueError, match="decompression bomb"):
        read_checkpoint(path)


def test_a_long_directory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A directory of nothing but entries: 46 bytes in the file, and ten times that in memory."""
    entries = 300_000
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, entries * len(entry), 0, 0)
    path = tmp_path / "many.npz"
    path.write_bytes(entry * entries + end)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"many\.npz: a directory of 14,100,000 bytes"):
        read_checkpoint(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20


@pytest.mark.parametrize("changes", [{"loss": np.zeros(2**22)}, {"parameters": np.zeros(2**22)}])
def test_what_is_one_number_or_short_is_not_read_when_it_is_long(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = npz(tmp_path / "long.npz", **changes)
    tracemalloc.start()
    with pytest.raises(ValueError, match="long"):
        read_checkpoint(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20


@pytest.mark.parametrize("shape", [b"1," * 100_000 + b"1", b"9" * 4000 + b",4"])
def test_a_message_stays_short(tmp_path: Path, shape: bytes) -> None:
    path = tmp_path / "wordy.safetensors"
    headed(path, b'{"weight_0":{"dtype":"F32","shape":[' + shape + b']},"bias_0":{"dtype":"F32","shape":[4]}}')
    with pytest.raises(ValueError, match="wordy") as refused:
        read_checkpoint(path)
    assert len(str(refused.value)) < len(str(path)) + 200


def test_a_librarys_message_is_cut(tmp_path: Path) -> None:
    """A member whose name is 60,000 bytes where it lies, and 12 in the directory: `zipfile` repeats all of it."""
    path = npz(tmp_path / "wordy.npz", parameters=np.array("x" * 20_000))
    content = bytearray(path.read_bytes())
    assert content[26:42] == b"\x0c\0\0\0weight_0.npy"
    content[26:28] = struct.pack("<H", 60_000)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="wordy") as refused:
        read_checkpoint(path)
    assert len(str(refused.value)) < len(str(path)) + 400


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / "none.npz")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(ValueError, match="not a regular file"):
        read_checkpoint(tmp_path / "folder.npz")
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(ValueError, match="not a regular file"):
        read_checkpoint(tmp_path / "pipe.safetensors")
    with pytest.raises(ValueError, match=r"ends in \.npz or \.safetensors"):
        read_checkpoint(tmp_path / "model.pkl")
    link = tmp_path / "link.npz"
    link.symlink_to(npz(tmp_path / "real.npz"))
    assert same(read_checkpoint(link).state, draw_state())


@FORMATS
def test_every_truncation_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    write_checkpoint(path, draw_state(), 0.5, 1, PARAMETERS)
    whole = path.read_bytes()
    for length in {0, 1, 7, 8, 9, *range(10, len(whole), 61), len(whole) - 1}:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="cut"):
            read_checkpoint(path)


@FORMATS
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mutated_file_is_refused_or_a_valid_load(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    path = tmp_path / f"mutated{suffix}"
    write_checkpoint(path, draw_state(), 0.5, 1, PARAMETERS)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    answers = []
    for read in (read_checkpoint, LegacySubject(PLAN).load):
        try:
            answers.append(read(path))
        except ValueError as error:
            answers.append(str(path) in str(error))
    assert answers[0] is True or isinstance(answers[1], CheckpointMetadata)
    assert all(answers)
