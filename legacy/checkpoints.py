"""The legacy checkpoint file: an .npz with weight_0, bias_0, weight_1, …, loss, epoch and sometimes parameters.

Files are untrusted. NumPy is always told `allow_pickle=False`, so an array of Python objects is refused before a byte
of it is interpreted. Old files under the models folder hold such an array, `parameters`: it is reported as unread.
New files hold `parameters` as JSON text in a unicode array.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_PARAMETER_NAME = re.compile(r"(weight|bias)_(0|[1-9][0-9]*)")
_DAMAGE = (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError)


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds. Lists are in layer order; arrays are float32.

    `parameters` is None when the file has none, or when they could not be read; `unread` then says why ('' otherwise).
    """

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    loss: float
    epoch: int
    parameters: dict[str, Any] | None
    unread: str


def write_checkpoint(
    path: str | os.PathLike[str],
    weights: Sequence[np.ndarray],
    biases: Sequence[np.ndarray],
    loss: float,
    epoch: int,
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Writes the file in one piece: to a temporary name beside `path`, flushed to the disk, then renamed over it.

    `weights[i]` (fan_in, fan_out) and `biases[i]` (fan_out,), float32. `parameters` must be JSON-able. The name is used
    as it is, with no .npz added. Raises ValueError when the lists differ in length, TypeError when `parameters` cannot
    be written as JSON, OSError; a file that was there before is left whole in each case.
    """
    members: dict[str, Any] = {}
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        members[f"weight_{index}"] = weight
        members[f"bias_{index}"] = bias
    members["loss"] = np.float64(loss)
    members["epoch"] = np.int64(epoch)
    if parameters is not None:
        members["parameters"] = np.array(json.dumps(dict(parameters), sort_keys=True))
    target = Path(path)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".partial")
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.savez(file, **members)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _scalar(members: Mapping[str, np.ndarray], name: str, source: str) -> Any:
    if name not in members:
        raise ValueError(f"{source}: {name} is missing")
    value = members[name]
    if value.size != 1 or value.dtype.kind not in "fiu":
        raise ValueError(f"{source}: {name} is {value.dtype} of shape {value.shape}, not one number")
    return value.item()


def _layers(members: Mapping[str, np.ndarray], kind: str, source: str) -> list[np.ndarray]:
    """The arrays of one kind by number: sorting by text would put weight_10 before weight_2."""
    matches = [match for name in members if (match := _PARAMETER_NAME.fullmatch(name))]
    numbers = sorted(int(match[2]) for match in matches if match[1] == kind)
    if not numbers or numbers != list(range(len(numbers))):
        raise ValueError(f"{source}: needs {kind}_0, {kind}_1, … without a gap, has the numbers {numbers}")
    arrays = [members[f"{kind}_{number}"] for number in numbers]
    dimensions = 2 if kind == "weight" else 1
    for number, array in enumerate(arrays):
        if array.ndim != dimensions or array.dtype.kind != "f":
            raise ValueError(f"{source}: {kind}_{number} is {array.dtype} of shape {array.shape}")
    return [np.ascontiguousarray(array, dtype=np.float32) for array in arrays]


def _read_members(archive: Any, source: str) -> dict[str, np.ndarray]:
    """All arrays but `parameters`; members of other names are left alone."""
    members = {}
    for name in archive.files:
        if _PARAMETER_NAME.fullmatch(name) or name in ("loss", "epoch"):
            try:
                members[name] = archive[name]
            except _DAMAGE as error:
                raise ValueError(f"{source}: member {name} cannot be read ({error})") from None
    return members


def _read_parameters(archive: Any) -> tuple[dict[str, Any] | None, str]:
    if "parameters" not in archive.files:
        return None, ""
    try:
        text = archive["parameters"]
    except ValueError:
        # NumPy's answer to an array of objects under allow_pickle=False; nothing of it was interpreted.
        return None, "parameters is a pickled object, which is not read because reading it would run code from the file"
    if text.shape != () or text.dtype.kind != "U":
        return None, f"parameters is {text.dtype} of shape {text.shape}, not JSON text"
    try:
        parameters = json.loads(text.item())
    except ValueError as error:
        return None, f"parameters is not JSON: {error}"
    if not isinstance(parameters, dict):
        return None, f"parameters is a JSON {type(parameters).__name__}, not an object"
    return parameters, ""


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Reads an old or new file. Executes nothing from it.

    Raises FileNotFoundError when there is none, and ValueError, naming the file and the member, when it is damaged,
    has a gap in its layers, holds something that is no float array, or lacks loss or epoch.
    """
    source = os.fspath(path)
    # Opened here and not by NumPy, which leaves a damaged file open.
    with open(source, "rb") as file:
        try:
            archive = np.load(file, allow_pickle=False)
        except _DAMAGE as error:
            raise ValueError(f"{source}: not an .npz checkpoint ({error})") from None
        if not isinstance(archive, np.lib.npyio.NpzFile):  # a damaged file, not a caller's mistake
            raise ValueError(f"{source}: a single array, not an .npz checkpoint")  # noqa: TRY004
        with archive:
            members = _read_members(archive, source)
            parameters, unread = _read_parameters(archive)
    weights, biases = _layers(members, "weight", source), _layers(members, "bias", source)
    if [w.shape[1] for w in weights] != [b.shape[0] for b in biases]:
        raise ValueError(f"{source}: shapes of weights {[w.shape for w in weights]} and biases do not fit")
    loss, epoch = _scalar(members, "loss", source), _scalar(members, "epoch", source)
    return Checkpoint(weights, biases, float(loss), int(epoch), parameters, unread)
