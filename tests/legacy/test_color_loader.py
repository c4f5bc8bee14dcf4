"""Colour records, their vectors, the tokenizer, the padding, and the script that makes the lists."""

import csv
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from legacy import color_loader as cl
from legacy.tokenizer import Tokenizer

ABSOLUTE_ZERO = {
    "Name": "Absolute Zero",
    "Hex(RGB)": "#0048BA",
    "Red(RGB)": "0%",
    "Green(RGB)": "28%",
    "Blue(RGB)": "73%",
    "Hue(HSL/HSV)": "217°",
    "Satur.(HSL)": "100%",
    "Light(HSL)": "36%",
    "Satur.(HSV)": "100%",
    "Value(HSV)": "73%",
}


def fields(record: dict[str, str]) -> list[str]:
    return list(record.values())[2:]


def test_absolute_zero() -> None:
    assert cl.record_from_hex("Absolute Zero", "#0048ba") == ABSOLUTE_ZERO
    assert list(ABSOLUTE_ZERO) == list(cl.RECORD_FIELDS)


@pytest.mark.parametrize(
    ("hex_rgb", "expected"),
    [
        ("#000000", ["0%", "0%", "0%", "—°", "0%", "0%", "0%", "0%"]),
        ("#FFFFFF", ["100%", "100%", "100%", "—°", "0%", "100%", "0%", "100%"]),
        ("#808080", ["50%", "50%", "50%", "—°", "0%", "50%", "0%", "50%"]),
        ("#FF0000", ["100%", "0%", "0%", "0°", "100%", "50%", "100%", "100%"]),
        ("#00FF00", ["0%", "100%", "0%", "120°", "100%", "50%", "100%", "100%"]),
        ("#0000FF", ["0%", "0%", "100%", "240°", "100%", "50%", "100%", "100%"]),
        ("#FFBF00", ["100%", "75%", "0%", "45°", "100%", "50%", "100%", "100%"]),
        # the hue is 359.76°, which rounds to 360 and is written 0
        ("#FF0001", ["100%", "0%", "0%", "0°", "100%", "50%", "100%", "100%"]),
        ("#E32636", ["89%", "15%", "21%", "355°", "77%", "52%", "83%", "89%"]),
    ],
)
def test_computed_fields(hex_rgb: str, expected: list[str]) -> None:
    assert fields(cl.record_from_hex("x", hex_rgb)) == expected


@pytest.mark.parametrize(("name", "count"), [("colors-a-f", 264), ("colors", 31_881)])
def test_data_sets(name: str, count: int) -> None:
    records = cl.load_color_records(name)
    assert len(records) == count
    assert records[0] == ABSOLUTE_ZERO
    assert len({record["Name"] for record in records}) == count
    if name == "colors-a-f":
        assert {record["Name"][0] for record in records} == set("ABCDEF")
        assert any(record[cl.HUE_FIELD] == cl.ACHROMATIC_HUE for record in records)


def test_old_json_file_reads_as_the_computed_records(tmp_path: Path) -> None:
    records = cl.load_color_records("colors-a-f")[:5]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    assert cl.load_color_records(path) == records
    assert cl.load_color_records(str(path)) == records


def broken(field: str, value: object) -> list[object]:
    return [ABSOLUTE_ZERO, {**ABSOLUTE_ZERO, field: value}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (broken("Red(RGB)", "28"), r"record 1: field Red\(RGB\) is '28', not 0% to 100%"),
        (broken("Red(RGB)", "101%"), r"record 1: field Red\(RGB\)"),
        (broken("Red(RGB)", "-1%"), r"record 1: field Red\(RGB\)"),
        (broken("Red(RGB)", "nan%"), r"record 1: field Red\(RGB\)"),
        (broken("Red(RGB)", 28), r"record 1: field Red\(RGB\) is 28, not text"),
        (broken("Hue(HSL/HSV)", "217%"), r"record 1: field Hue\(HSL/HSV\) is '217%', not 0° to 360° or —°"),
        (broken("Hue(HSL/HSV)", "361°"), r"field Hue\(HSL/HSV\)"),
        (broken("Value(HSV)", "—°"), r"field Value\(HSV\)"),
        (broken("Hex(RGB)", "#0048B"), r"record 1: field Hex\(RGB\)"),
        (broken("Name", "  "), "record 1: field Name is empty"),
        ([{"Name": "x"}], r"record 0: field Hex\(RGB\) is missing"),
        (["x"], "record 0: is a str"),
        ([], "at least one colour"),
        ({}, "at least one colour"),
    ],
)
def test_malformed_record_is_named(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=message) as caught:
        cl.load_color_records(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"[{", b"\xff\xfe"])
def test_malformed_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "old.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"old\.json: not"):
        cl.load_color_records(path)


def test_unknown_data_set() -> None:
    with pytest.raises(ValueError, match="'colours' is neither a data set"):
        cl.load_color_records("colours")
    with pytest.raises(FileNotFoundError):
        cl.load_color_records("no-such-file.json")


def test_vector_of_a_colour() -> None:
    records = [ABSOLUTE_ZERO, cl.record_from_hex("Absolute Black", "#000000")]
    vectors = cl.color_vectors(records, 12)
    assert vectors.dtype == np.float32
    assert vectors.shape == (2, 12)
    assert vectors.flags.c_contiguous
    zero = [0, 0.28, 0.73, 217 / 360, 1, 0.36, 1, 0.73, 1 / 3, 2 / 3, 0, 0]
    np.testing.assert_array_equal(vectors[0], np.array(zero, np.float32))
    # achromatic: the hue is 0.0
    np.testing.assert_array_equal(vectors[1], np.array([0] * 8 + [1 / 3, 1, 0, 0], np.float32))


def test_vector_is_cut() -> None:
    np.testing.assert_array_equal(cl.color_vectors([ABSOLUTE_ZERO], 3)[0], np.array([0, 0.28, 0.73], np.float32))
    with pytest.raises(ValueError, match="vector_length"):
        cl.color_vectors([ABSOLUTE_ZERO], 0)
    with pytest.raises(ValueError, match="no colour records"):
        cl.color_vectors([], 8)


def test_tokenizer_numbers_words_in_order_of_first_sight() -> None:
    tokenizer = Tokenizer().fit(["Acid Green", "Army  Green", "acid"])
    assert tokenizer.vocabulary == {"Acid": 1, "Green": 2, "Army": 3, "acid": 4}
    assert tokenizer.encode("Green Acid\tGreen") == [2, 1, 2]
    assert tokenizer.largest_id == 4
    with pytest.raises(ValueError, match="'Blue'"):
        tokenizer.encode("Acid Blue")


def test_padding_is_seeded_and_keeps_the_originals() -> None:
    vectors = cl.color_vectors(cl.load_color_records("colors-a-f")[:7], 64)
    padded = cl.pad_with_noise(vectors, 1000, seed=3)
    assert padded.shape == (1000, 64)
    assert padded.dtype == np.float32
    np.testing.assert_array_equal(padded[:7], vectors)
    noise = padded[7:] - vectors[np.arange(7, 1000) % 7]
    assert abs(noise.std() - 0.01) < 2e-4
    assert abs(noise.mean()) < 2e-4
    np.testing.assert_array_equal(padded, cl.pad_with_noise(vectors, 1000, seed=3))
    assert (padded[7:] != cl.pad_with_noise(vectors, 1000, seed=4)[7:]).any()
    np.testing.assert_array_equal(cl.pad_with_noise(vectors, 7, seed=3), vectors)


@pytest.mark.parametrize("size", [6, 0])
def test_padding_to_fewer_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="cannot pad 7 vectors"):
        cl.pad_with_noise(np.zeros((7, 4), np.float32), size, seed=0)


def test_subset_follows_from_the_full_list() -> None:
    spec = importlib.util.spec_from_file_location("make_colors", cl.DATA_FOLDER / "make_colors.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    def rows(name: str) -> list[tuple[str, str]]:
        with (cl.DATA_FOLDER / name).open(encoding="utf-8", newline="") as file:
            return [(row[0], row[1]) for row in list(csv.reader(file))[1:]]

    assert script.plain_subset(rows("colors.csv")) == rows("colors_a_f.csv")
