"""`lockstep train`'s configuration: a TOML file, strictly read into frozen values.

A key that is not known is refused: a misspelt one that was ignored would train something else than what was written.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.parity.errors import InvalidConfiguration, Problem
from service.parity.plan import (
    MAX_BATCH_SIZE,
    MAX_HIDDEN_LAYERS,
    MAX_PARAMETERS,
    MAX_SEED,
    MAX_STEPS,
    MAX_WIDTH,
    MIN_VECTOR_LENGTH,
    layer_sizes,
)
from service.toml_files import read_toml

MAX_BYTES = 64 * 1024
MAX_PATCH_SIDE = 64

Width = Annotated[int, Field(ge=1, le=MAX_WIDTH)]
Alpha = Annotated[float, Field(ge=0, lt=1)]
Above0 = Annotated[float, Field(gt=0)]
Epochs = Annotated[int, Field(ge=1, le=MAX_STEPS)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class TextModel(_Strict):
    """The text autoencoder; its widths follow from these three numbers."""

    type: Literal["text_autoencoder"]
    vector_length: Annotated[int, Field(ge=MIN_VECTOR_LENGTH, le=MAX_WIDTH)] = 512
    hidden_layers: Annotated[int, Field(ge=1, le=MAX_HIDDEN_LAYERS)] = 2
    bottleneck: Width = 128
    alpha: Alpha = 0.01

    def widths(self) -> Sequence[int]:
        return layer_sizes(self.vector_length, self.hidden_layers, self.bottleneck)


class ImageModel(_Strict):
    """The image autoencoder; its widths are written down."""

    type: Literal["image_autoencoder"]
    patch_side: Annotated[int, Field(ge=1, le=MAX_PATCH_SIDE)] = 6
    hidden_widths: Annotated[list[Width], Field(min_length=1, max_length=MAX_HIDDEN_LAYERS)] = [64, 48, 64]
    alpha: Alpha = 0.1

    def widths(self) -> Sequence[int]:
        numbers = 3 * self.patch_side**2
        return (numbers, *self.hidden_widths, numbers)


class Data(_Strict):
    """Which colours to make samples of; the model's type says what samples."""

    colors: str = "colors-a-f"


class Training(_Strict):
    """How to train."""

    epochs: Epochs
    batch_size: Annotated[int, Field(ge=1, le=MAX_BATCH_SIZE)] = 16
    learning_rate: Above0 = 0.02
    clip: Above0 = 1.0
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0
    device: str = "auto"


class EarlyStopping(_Strict):
    """When to end before the last epoch."""

    patience: Epochs
    min_improvement: Annotated[float, Field(ge=0)] = 0.0


class Checkpoints(_Strict):
    """Where the training is kept, and how often."""

    folder: Annotated[str, Field(min_length=1)]
    every: Epochs | None = None
    format: Literal["safetensors", "npz"] = "safetensors"


class TrainingConfig(_Strict):
    """One training, complete."""

    model: Annotated[TextModel | ImageModel, Field(discriminator="type")]
    data: Data = Data()
    training: Training
    early_stopping: EarlyStopping | None = None
    checkpoints: Checkpoints


def read_training_config(path: Path, flags: Mapping[str, Mapping[str, Any]] | None = None) -> TrainingConfig:
    """The file's training, with `flags` in place of its values: by table and key; those that are None are not given.

    Raises `InvalidConfiguration` with every problem found, each with the file's name.
    """
    document = read_toml(path, "name a file with --config", MAX_BYTES)
    for table, values in (flags or {}).items():
        if isinstance(document.setdefault(table, {}), dict):
            document[table].update({key: value for key, value in values.items() if value is not None})
    try:
        config = TrainingConfig.model_validate(document)
    except ValidationError as error:
        raise InvalidConfiguration(*_problems(path, error)) from error
    parameters = sum((a + 1) * b for a, b in itertools.pairwise(config.model.widths()))
    if parameters > MAX_PARAMETERS:
        message = f"would have {parameters:,} parameters; at most {MAX_PARAMETERS:,} are accepted"
        raise InvalidConfiguration(Problem(f"{path}: model", message))
    return config


_TABLES: Mapping[str, type[BaseModel]] = {
    "": TrainingConfig,
    "data": Data,
    "training": Training,
    "early_stopping": EarlyStopping,
    "checkpoints": Checkpoints,
    "model.text_autoencoder": TextModel,
    "model.image_autoencoder": ImageModel,
}


def _problems(path: Path, error: ValidationError) -> Iterator[Problem]:
    for item in error.errors():
        place = [str(part) for part in item["loc"]]
        table = ".".join(place[:-1])
        shown = ".".join(part for n, part in enumerate(place) if n != 1 or place[0] != "model")
        yield Problem(f"{path}: {shown}", _words(item, _TABLES.get(table), place[-1] if place else ""))


def _words(item: Any, table: type[BaseModel] | None, key: str) -> str:
    if item["type"] == "extra_forbidden" and table is not None:
        known = list(table.model_fields)
        near = difflib.get_close_matches(key, known, n=1)
        return "is not known here; " + (f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}")
    if item["type"] in ("missing", "union_tag_not_found"):
        return "is missing" + ("; name its type" if item["type"] != "missing" else "")
    if item["type"] == "union_tag_invalid":
        return f"type is {item['ctx']['tag']!r}; choose from {item['ctx']['expected_tags']}".replace("'", "")
    value = repr(item["input"])
    return f"is {value if len(value) <= 60 else value[:57] + '...'}; {item['msg'].lower()}"
