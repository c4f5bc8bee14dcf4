"""Colour records in the legacy format, and the vectors that the autoencoder is trained on.

A record is a dict of strings with the fields of `RECORD_FIELDS`: percents as "28%", the hue as "217°", or "—°" for an
achromatic colour. Records come from an old JSON file or are computed from the names and hex values in `data/`.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from .tokenizer import Tokenizer

DATASETS = {"colors": "colors.csv", "colors-a-f": "colors_a_f.csv"}
DATA_FOLDER = Path(__file__).parent / "data"

HUE_FIELD = "Hue(HSL/HSV)"
ACHROMATIC_HUE = "—°"
# In the order of the vector's first eight numbers.
NUMERIC_FIELDS = (
    "Red(RGB)",
    "Green(RGB)",
    "Blue(RGB)",
    HUE_FIELD,
    "Satur.(HSL)",
    "Light(HSL)",
    "Satur.(HSV)",
    "Value(HSV)",
)
RECORD_FIELDS = ("Name", "Hex(RGB)", *NUMERIC_FIELDS)
NOISE_STANDARD_DEVIATION = 0.01

_HEX = re.compile(r"#[0-9A-Fa-f]{6}")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


def _rounded(numerator: int, denominator: int) -> int:
    """numerator / denominator to the nearest integer, halves up, without passing through floating point."""
    return (2 * numerator + denominator) // (2 * denominator)


def record_from_hex(name: str, hex_rgb: str) -> dict[str, str]:
    """The record of one colour, computed from its hex value, e.g. "#0048BA". Raises ValueError for any other text.

    Percents and degrees are rounded to integers, halves up; a hue that rounds to 360 is written 0. Formulas: the usual
    hexcone definitions of HSL and HSV.
    """
    if not _HEX.fullmatch(hex_rgb):
        raise ValueError(f"colour {name!r}: field Hex(RGB) is {hex_rgb!r}, not #RRGGBB")
    red, green, blue = (int(hex_rgb[start : start + 2], 16) for start in (1, 3, 5))
    largest, smallest = max(red, green, blue), min(red, green, blue)
    chroma, total = largest - smallest, largest + smallest
    if chroma == 0:
        hue = ACHROMATIC_HUE
    else:
        if largest == red:
            sixths = (green - blue) % (6 * chroma)
        elif largest == green:
            sixths = blue - red + 2 * chroma
        else:
            sixths = red - green + 4 * chroma
        hue = f"{_rounded(60 * sixths, chroma) % 360}°"
    saturation_hsl = _rounded(100 * chroma, 255 - abs(total - 255)) if chroma else 0
    saturation_hsv = _rounded(100 * chroma, largest) if chroma else 0
    return {
        "Name": name,
        "Hex(RGB)": hex_rgb.upper(),
        "Red(RGB)": f"{_rounded(100 * red, 255)}%",
        "Green(RGB)": f"{_rounded(100 * green, 255)}%",
        "Blue(RGB)": f"{_rounded(100 * blue, 255)}%",
        HUE_FIELD: hue,
        "Satur.(HSL)": f"{saturation_hsl}%",
        "Light(HSL)": f"{_rounded(100 * total, 510)}%",
        "Satur.(HSV)": f"{saturation_hsv}%",
        "Value(HSV)": f"{_rounded(100 * largest, 255)}%",
    }


def _number(record: Mapping[str, str], field: str, where: str) -> float:
    """The field's value as a fraction of its full scale, 0.0 to 1.0; an achromatic hue is 0.0."""
    text = record[field]
    is_hue = field == HUE_FIELD
    if is_hue and text == ACHROMATIC_HUE:
        return 0.0
    unit, full_scale = ("°", 360.0) if is_hue else ("%", 100.0)
    number = text.removesuffix(unit)
    if not text.endswith(unit) or not _NUMBER.fullmatch(number) or not float(number) <= full_scale:
        wanted = f"0{unit} to {full_scale:.0f}{unit}" + (f" or {ACHROMATIC_HUE}" if is_hue else "")
        raise ValueError(f"{where}: field {field} is {text!r}, not {wanted}")
    return float(number) / full_scale


def _check_record(record: object, where: str) -> dict[str, str]:
    """The record with exactly the known fields. Raises ValueError naming `where` and the field."""
    if not isinstance(record, Mapping):
        raise ValueError(f"{where}: is a {type(record).__name__}, not the fields of a colour")  # noqa: TRY004
    for field in RECORD_FIELDS:
        if field not in record:
            raise ValueError(f"{where}: field {field} is missing")
        if not isinstance(record[field], str):
            raise ValueError(f"{where}: field {field} is {record[field]!r}, not text")  # noqa: TRY004
    if not record["Name"].strip():
        raise ValueError(f"{where}: field Name is empty")
    if not _HEX.fullmatch(record["Hex(RGB)"]):
        raise ValueError(f"{where}: field Hex(RGB) is {record['Hex(RGB)']!r}, not #RRGGBB")
    for field in NUMERIC_FIELDS:
        _number(record, field, where)
    return {field: record[field] for field in RECORD_FIELDS}


def _read_json(path: Path) -> list[dict[str, str]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON ({error.msg} at line {error.lineno}, column {error.colno})") from None
    if not isinstance(content, list) or not content:
        raise ValueError(f"{path}: must be a JSON list of at least one colour")
    return [_check_record(record, f"{path}, record {index}") for index, record in enumerate(content)]


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if not rows or rows[0] != ["name", "hex"]:
        raise ValueError(f"{path}: the header must be name,hex")
    records = []
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != 2:
            raise ValueError(f"{path}, line {line}: has {len(row)} values, not name and hex")
        records.append(record_from_hex(*row))
    return records


def load_color_records(name_or_path: str | Path) -> list[dict[str, str]]:
    """The records of a data set, 'colors-a-f' (264) or 'colors' (all), or of an old JSON file, in file order.

    A text that is no data set's name and does not end in .json is refused. Raises ValueError naming the file, the
    record (counted from 0) and the field; OSError when the file cannot be read.
    """
    if isinstance(name_or_path, str) and name_or_path in DATASETS:
        return _read_csv(DATA_FOLDER / DATASETS[name_or_path])
    path = Path(name_or_path)
    if path.suffix.lower() != ".json":
        raise ValueError(f"{str(name_or_path)!r} is neither a data set ({', '.join(DATASETS)}) nor a .json file")
    return _read_json(path)


def color_vectors(records: Sequence[Mapping[str, str]], vector_length: int) -> np.ndarray:
    """The training vectors, float32, shape (len(records), vector_length), C-contiguous.

    Numbers 0 to 7: red, green, blue (percent / 100), hue (degrees / 360; an achromatic colour has 0.0), saturation and
    lightness of HSL, saturation and value of HSV. Then the name's token ids over the largest id of these records.
    Zero-padded, or cut, to `vector_length`. Raises ValueError for no records, a length below 1, or a malformed record.
    """
    if vector_length < 1:
        raise ValueError(f"vector_length must be at least 1, got {vector_length}")
    if not records:
        raise ValueError("no colour records: nothing to make vectors of")
    checked = [_check_record(record, f"record {index}") for index, record in enumerate(records)]
    tokenizer = Tokenizer().fit(record["Name"] for record in checked)
    vectors = np.zeros((len(checked), vector_length), dtype=np.float32)
    for index, record in enumerate(checked):
        values = [_number(record, field, f"record {index}") for field in NUMERIC_FIELDS]
        values += [token / tokenizer.largest_id for token in tokenizer.encode(record["Name"])]
        values = values[:vector_length]
        vectors[index, : len(values)] = values
    return vectors


def pad_with_noise(vectors: np.ndarray, size: int, seed: int) -> np.ndarray:
    """`size` rows, float32: the n given ones, then copies of row 0, 1, … in turn, each plus N(0, 0.01) noise.

    The noise has a standard deviation of 0.01 and falls on all elements, the zero padding included, as the old sweep's
    did; it comes from `seed` alone. Raises ValueError for no vectors, or when `size` is smaller than n.
    """
    count = len(vectors)
    if count == 0 or size < count:
        raise ValueError(f"cannot pad {count} vectors to {size}: needs at least one vector, and a size no smaller")
    padded = np.asarray(vectors, dtype=np.float32)[np.arange(size) % count]
    noise = np.random.default_rng(seed).normal(0.0, NOISE_STANDARD_DEVIATION, size=(size - count, padded.shape[1]))
    padded[count:] += noise.astype(np.float32)
    return np.ascontiguousarray(padded)
