"""Checkpoint files: the legacy .npz and safetensors, written whole or not at all, and read as strangers' files.

Nothing of a file is executed: no pickle, ever. What a file claims of its own size is added up before an array is read,
so that neither a compressed bomb nor a header of gigabytes is taken at its word. A checkpoint holds `weight_0`,
`bias_0`, `weight_1`, … in float32, a loss, an epoch and parameters; in the .npz these are members `loss`, `epoch` and
`parameters` (JSON text), in safetensors they are JSON text in the header's metadata.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from basemodel.base import HostArray

MAX_BYTES = 2**31
"""A file above 2 GiB, or one that claims to hold more, is refused unread; the largest model of a plan takes 1 GiB."""

MAX_PARAMETERS_CHARACTERS = 2**20
_MAX_PARAMETERS_BYTES = 4 * MAX_PARAMETERS_CHARACTERS + 2**14
"""Four bytes a character, and the array's header."""
MAX_LAYERS = 512
_MAX_HEADER_BYTES = 2**24
_MAX_MEMBERS = 2 * MAX_LAYERS + 3
_MAX_DIRECTORY_BYTES = 2**8 * _MAX_MEMBERS
_MAX_AXES = 8
_MAX_REASON_CHARACTERS = 300
_BOMB_RATIO = 20
"""np.savez stores as it is, np.savez_compressed makes float32 weights a little smaller: nothing honest comes near."""

_ARRAY_NAME = re.compile(r"(weight|bias)_(0|[1-9][0-9]{0,5})")
_NPY_HEADER = re.compile(
    rb"\{'descr': '(?P<descr>[<>|=][biufcOSU][0-9]{0,9})', 'fortran_order': (?:True|False), "
    rb"'shape': \((?P<shape>[0-9, ]{0,200})\),? *\} *\n"
)
"""What NumPy writes. NumPy itself would take any Python literal and parse it, however deep."""

_DAMAGE = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    NotImplementedError,
    OverflowError,
    SystemError,  # NumPy's answer to text of characters that there are not
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
_PICKLE = "a pickled object, which is not read because reading it would run code from the file"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a file holds. `state` maps weight_i (fan_in, fan_out) and bias_i (fan_out,) to float32 arrays.

    `parameters` is `None` when the file has none or they are no JSON object; `unread` then says why ("" otherwise).
    """

    state: dict[str, HostArray]
    loss: float
    epoch: int
    parameters: dict[str, Any] | None = field(default=None)
    unread: str = ""


def write_checkpoint(
    path: Path, state: Mapping[str, HostArray], loss: float, epoch: int, parameters: Mapping[str, Any]
) -> None:
    """Write the file in one piece, in the format of its suffix, .npz or .safetensors.

    To a temporary name beside `path`, flushed to the disk, then renamed over it: a file that was there before is left
    whole when anything fails. Raises ValueError for another suffix, TypeError when `parameters` is no JSON, OSError.
    """
    writer = _of_suffix(path, _write_npz, _write_safetensors)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    try:
        with os.fdopen(descriptor, "wb") as file:
            writer(file, state, float(loss), int(epoch), json.dumps(dict(parameters), sort_keys=True))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_checkpoint(path: Path) -> Checkpoint:
    """Read the file, in the format of its suffix. Executes nothing from it.

    Raises FileNotFoundError where there is none; ValueError, naming the file and what is wrong, for one that is
    damaged, larger than it can be, of another kind, with a gap in its layers, or with arrays that are not float32.
    """
    _vet(path)
    checkpoint: Checkpoint = _of_suffix(path, _read_npz, _read_safetensors)(path)
    return checkpoint


def _vet(path: Path) -> None:
    """Refuse a file that is no checkpoint by what it says of itself, before an array of it is read."""
    headers = _of_suffix(path, _npz_shapes, _safetensors_shapes)
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path}: not a regular file")
    if status.st_size > MAX_BYTES:
        raise ValueError(f"{path}: {status.st_size:,} bytes; a checkpoint has at most {MAX_BYTES:,}")
    _check_layers(path, headers(path, status.st_size))


def _of_suffix(path: Path, npz: Any, safetensors: Any) -> Any:
    choice = {".npz": npz, ".safetensors": safetensors}.get(path.suffix)
    if choice is None:
        raise ValueError(f"{path}: a checkpoint ends in .npz or .safetensors, not {path.suffix!r}")
    return choice


# --- .npz -------------------------------------------------------------------------------------------------------------


def _write_npz(file: IO[bytes], state: Mapping[str, HostArray], loss: float, epoch: int, parameters: str) -> None:
    others = {"loss": np.float64(loss), "epoch": np.int64(epoch), "parameters": np.array(parameters)}
    members: dict[str, Any] = {**state, **others}
    np.savez(file, **members)


def _npz_shapes(path: Path, size: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the float32 arrays, from the members' headers."""
    try:
        _check_directory(path, size)
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _refuse_names(path, [member.filename for member in members])
            text = max((member.file_size for member in members if member.filename == "parameters.npy"), default=0)
            if text > _MAX_PARAMETERS_BYTES:
                raise ValueError(f"{path}: parameters has {text:,} bytes; at most {_MAX_PARAMETERS_BYTES:,}")
            claimed = sum(member.file_size for member in members)
            if claimed > min(_BOMB_RATIO * size + MAX_PARAMETERS_CHARACTERS, MAX_BYTES):
                raise ValueError(f"{path}: {size:,} bytes claim to hold {claimed:,}; refused as a decompression bomb")
            headers = {member.filename.removesuffix(".npy"): _header(path, archive, member) for member in members}
    except _DAMAGE as error:
        raise _named(path, "not an .npz checkpoint", error) from None
    arrays = {name: header for name, header in headers.items() if _ARRAY_NAME.fullmatch(name)}
    for name, (descr, shape) in arrays.items():
        _check_dtype(path, name, descr, "<f4", shape)
    for name in ("loss", "epoch"):
        if name not in headers:
            raise ValueError(f"{path}: {name} is missing")
        descr, shape = headers[name]
        if shape != ():
            raise ValueError(f"{path}: {name} is {descr} of shape {shape}, not one number")
    return {name: shape for name, (_, shape) in arrays.items()}


def _check_directory(path: Path, size: int) -> None:
    """`zipfile` reads the whole directory and keeps some 400 bytes of each entry, however many there are."""
    with open(path, "rb") as file:
        file.seek(max(0, size - 42))
        locator, end = file.read(20), file.read(22)
    # No comment and no 64-bit record: then `zipfile` looks for no other end, and takes the length from this one.
    if not (end.startswith(b"PK\5\6") and end.endswith(b"\0\0")) or locator.startswith(b"PK\6\7"):
        raise zipfile.BadZipFile("it does not end as a zip of NumPy's does")
    length = int.from_bytes(end[12:16], "little")
    if length > _MAX_DIRECTORY_BYTES:
        raise ValueError(f"{path}: a directory of {length:,} bytes; a checkpoint has at most {_MAX_DIRECTORY_BYTES:,}")


def _refuse_names(path: Path, names: list[str]) -> None:
    """Also refuses every path, absolute or upwards: none of the known names holds a separator."""
    if len(names) > _MAX_MEMBERS:
        raise ValueError(f"{path}: {len(names)} members; a checkpoint has at most {_MAX_MEMBERS}")
    if len(set(names)) != len(names):
        raise ValueError(f"{path}: two members have one name")
    for name in names:
        array = name.removesuffix(".npy")
        if array == name or not (_ARRAY_NAME.fullmatch(array) or array in ("loss", "epoch", "parameters")):
            raise ValueError(f"{path}: holds {name[:80]!r}, which no checkpoint has")


def _header(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[str, tuple[int, ...]]:
    """NumPy's name of the dtype, and the shape; held to the bytes that the member says it has."""
    name = member.filename.removesuffix(".npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & 1:
        raise ValueError(f"{path}: {name} is encrypted or compressed in a way that NumPy does not write")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"{path}: {name} is of the .npy version {version}")
        length = int.from_bytes(file.read(2 if version == (1, 0) else 4), "little")
        found = _NPY_HEADER.fullmatch(file.read(length)) if length <= 10_000 else None
        if found is None:
            raise ValueError(f"{path}: {name} has no header of an array")
        data = member.file_size - file.tell()
    descr, shape = found["descr"].decode(), tuple(int(part) for part in found["shape"].split(b",") if part.strip())
    if descr == "|O":
        if name != "parameters":
            raise ValueError(f"{path}: {name} is {_PICKLE}")
        return descr, shape
    try:
        claimed = math.prod(shape) * np.dtype(descr).itemsize
    except TypeError as error:
        raise ValueError(f"{path}: {name} is of no dtype ({error})") from None
    if claimed != data:
        raise ValueError(f"{path}: {name} claims {claimed:,} bytes of data and has {data:,}")
    return descr, shape


def _read_npz(path: Path) -> Checkpoint:
    try:
        # Opened here and not by NumPy, which leaves a damaged file open.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            state = {name: archive[name] for name in _in_order(archive.files)}
            loss, epoch = _scalar(path, archive, "loss", "fiu"), _scalar(path, archive, "epoch", "iu")
            if epoch >= 2**63:
                raise ValueError(f"{path}: epoch is {epoch}, beyond 64 bits")
            parameters, unread = _npz_parameters(path, archive)
    except _DAMAGE as error:
        raise _named(path, "not an .npz checkpoint", error) from None
    return Checkpoint(_contiguous(state), float(loss), int(epoch), parameters, unread)


def _scalar(path: Path, archive: Any, name: str, kinds: str) -> Any:
    array = archive[name]
    if array.shape != () or array.dtype.kind not in kinds:
        raise ValueError(f"{path}: {name} is {array.dtype} of shape {array.shape}, not one number")
    return array.item()


def _npz_parameters(path: Path, archive: Any) -> tuple[dict[str, Any] | None, str]:
    if "parameters" not in archive.files:
        return None, ""
    try:
        text = archive["parameters"]
    except ValueError:
        # NumPy's answer to an array of objects under allow_pickle=False; nothing of it was interpreted.
        return None, f"parameters is {_PICKLE}"
    if text.shape != () or text.dtype.kind != "U":
        return None, f"parameters is {text.dtype} of shape {text.shape}, not JSON text"
    return _json_object(path, text.item())


# --- safetensors ------------------------------------------------------------------------------------------------------


def _write_safetensors(
    file: IO[bytes], state: Mapping[str, HostArray], loss: float, epoch: int, parameters: str
) -> None:
    arrays = {name: np.ascontiguousarray(array) for name, array in state.items()}
    # JSON text, so that NaN, infinities and every last bit come back: repr() of a float is exact.
    file.write(save(arrays, {"loss": json.dumps(loss), "epoch": json.dumps(epoch), "parameters": parameters}))


def _safetensors_shapes(path: Path, size: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the float32 arrays, from the header; its offsets are left to the library, which checks them all."""
    what = "not a safetensors checkpoint"
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(size - 8, _MAX_HEADER_BYTES):
            raise ValueError(f"{path}: {what} (a header of {length:,} bytes in a file of {size:,})")
        text = file.read(length)
    try:
        header = json.loads(text, object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as error:
        raise _named(path, what, error) from None
    if not isinstance(header, dict) or len(header) > _MAX_MEMBERS:
        raise ValueError(f"{path}: {what} (its header is no object of at most {_MAX_MEMBERS} arrays)")
    shapes = {}
    for name, array in header.items():
        if name == "__metadata__":
            continue
        if not _ARRAY_NAME.fullmatch(name):
            raise ValueError(f"{path}: holds {name[:80]!r}, which no checkpoint has")
        shape = array.get("shape") if isinstance(array, dict) else None
        # Held small here, because messages tell it.
        if not (isinstance(shape, list) and len(shape) <= _MAX_AXES and all(map(_is_axis, shape))):
            raise ValueError(f"{path}: {name} has no header of an array")
        _check_dtype(path, name, str(array.get("dtype"))[:20], "F32", tuple(shape))
        shapes[name] = tuple(shape)
    return shapes


def _is_axis(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_BYTES


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice in its header")
    return document


def _read_safetensors(path: Path) -> Checkpoint:
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in _in_order(file.keys())}
    except (SafetensorError, *_DAMAGE) as error:
        raise _named(path, "not a safetensors checkpoint", error) from None
    loss, epoch = _metadata_number(path, metadata, "loss"), _metadata_number(path, metadata, "epoch")
    if not isinstance(epoch, int):
        raise ValueError(f"{path}: epoch is {epoch!r}, not a whole number")  # noqa: TRY004 - the file's fault
    parameters, unread = _json_object(path, metadata["parameters"]) if "parameters" in metadata else (None, "")
    return Checkpoint(_contiguous(state), float(loss), epoch, parameters, unread)


def _metadata_number(path: Path, metadata: Mapping[str, str], name: str) -> Any:
    if name not in metadata:
        raise ValueError(f"{path}: {name} is missing")
    try:
        value = json.loads(metadata[name])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {name} is not a number ({error})") from None
    # As wide as the .npz has it: beyond 64 bits a whole number is no longer a float either.
    if type(value) not in (int, float) or (type(value) is int and not -(2**63) <= value < 2**63):
        raise ValueError(f"{path}: {name} is {metadata[name][:80]!r}, not a number")
    return value


# --- both -------------------------------------------------------------------------------------------------------------


def _check_dtype(path: Path, name: str, dtype: str, wanted: str, shape: tuple[int, ...]) -> None:
    dimensions = 2 if name.startswith("weight") else 1
    if dtype != wanted or len(shape) != dimensions:
        raise ValueError(f"{path}: {name} is {dtype} of shape {shape}, not {wanted} (float32) of {dimensions} axes")


def _check_layers(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Layers without a gap, each taking what the one before gives."""
    weights, biases = (
        sorted(int(name.split("_")[1]) for name in shapes if name.startswith(kind)) for kind in ("weight", "bias")
    )
    if not weights or weights != list(range(len(weights))) or biases != weights:
        raise ValueError(
            f"{path}: needs weight_0, bias_0, weight_1, … without a gap; has weights {weights[:12]} and biases "
            f"{biases[:12]}"
        )
    for layer in weights:
        weight, bias = shapes[f"weight_{layer}"], shapes[f"bias_{layer}"]
        if weight[1] != bias[0]:
            raise ValueError(f"{path}: weight_{layer} has shape {weight} and bias_{layer} {bias}")
        if layer and weight[0] != shapes[f"bias_{layer - 1}"][0]:
            raise ValueError(f"{path}: weight_{layer} of shape {weight} does not take what weight_{layer - 1} gives")


def _in_order(names: Iterable[str]) -> list[str]:
    """weight_0, bias_0, weight_1, … by number: sorting by text would put weight_10 before weight_2."""
    arrays = [found for name in names if (found := _ARRAY_NAME.fullmatch(name))]
    return [found[0] for found in sorted(arrays, key=lambda found: (int(found[2]), found[1] == "bias"))]


def _contiguous(state: Mapping[str, Any]) -> dict[str, HostArray]:
    """In row order: an .npz may hold an array in column order."""
    return {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in state.items()}


def _json_object(path: Path, text: str) -> tuple[dict[str, Any] | None, str]:
    if len(text) > MAX_PARAMETERS_CHARACTERS:
        raise ValueError(f"{path}: parameters has {len(text):,} characters; at most {MAX_PARAMETERS_CHARACTERS:,}")
    try:
        parameters = json.loads(text)
    except ValueError as error:
        return None, f"parameters is not JSON: {error}"
    except RecursionError:
        raise ValueError(f"{path}: parameters is nested too deep") from None
    if not isinstance(parameters, dict):
        return None, f"parameters is a JSON {type(parameters).__name__}, not an object"
    return parameters, ""


def _named(path: Path, what: str, error: Exception) -> ValueError:
    """The error with the file's name, once. A library's text may repeat as much of the file as it likes."""
    text = str(error)
    if text.startswith(f"{path}: "):
        return ValueError(text)
    return ValueError(f"{path}: {what} ({text[:_MAX_REASON_CHARACTERS] or type(error).__name__})")
