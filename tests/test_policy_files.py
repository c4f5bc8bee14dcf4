"""Policies by name and by file: what is read, and what is refused without waiting or filling the memory."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from service.parity.errors import InvalidConfiguration, InvalidPolicy, InvalidRequest, UnknownName
from service.parity.policy import POLICIES, named_policy
from service.policy_files import MAX_BYTES, is_path, read_policy

MINE = 'name = "mine"\nextends = "numerics"\n[limits]\nband = 5\n'


@pytest.mark.parametrize("name", POLICIES)
def test_a_built_in_name(name: str) -> None:
    assert read_policy(name) is named_policy(name)


@pytest.mark.parametrize("name", ["", "lenient", "Default", "defaulttoml"])
def test_an_unknown_name_says_what_there_is(name: str) -> None:
    with pytest.raises(UnknownName, match=r"choose from default, strict, numerics, or name a file that ends in \.toml"):
        read_policy(name)


def test_a_name_wins_over_a_file_beside_it_unless_it_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("default").write_text(MINE, encoding="utf-8")
    assert read_policy("default").name == "default"
    assert read_policy("./default").name == "mine"


@pytest.mark.parametrize(
    ("words", "path"),
    [("my.toml", True), ("my.TOML", True), ("my.json", True), ("a/b", True), ("a\\b", True), ("my.yaml", False)],
)
def test_what_is_a_path(words: str, path: bool) -> None:
    assert is_path(words) is path


def test_a_toml_file(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(MINE, encoding="utf-8")
    wanted = replace(named_policy("numerics"), name="mine", band=5.0)
    assert read_policy(str(tmp_path / "my.toml")) == wanted
    assert read_policy("my.toml", tmp_path) == wanted


def test_the_json_document_of_a_report(tmp_path: Path) -> None:
    policy = replace(named_policy("default"), name="mine", band=5.0)
    (tmp_path / "policy.json").write_text(json.dumps(policy.as_document()), encoding="utf-8")
    assert read_policy("policy.json", tmp_path) == policy


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.toml").write_text(MINE, encoding="utf-8")
    (tmp_path / "link.toml").symlink_to("real.toml")
    assert read_policy("link.toml", tmp_path).name == "mine"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("my.toml", b"", "name: is missing"),
        ("my.toml", b"name = ", "is not a TOML file"),
        ("my.toml", b"\xff\xfe", "is not a TOML file"),
        ("my.toml", b"x = 1\nx = 2", "is not a TOML file"),
        ("my.toml", b"x = " + b"9" * 5000, "is not a TOML file"),
        ("my.toml", b"x = " + b"[" * 20_000, "is not a TOML file"),
        ("my.toml", b"band = 0x" + b"f" * 5000, "a whole number beyond 64 bits"),
        ("my.toml", b"[limits]\nband = nan", "limits.band: is nan"),
        ("my.toml", b"[limits]\nband = 1979-05-27", "is a date"),
        ("my.json", b"", "is not a JSON file"),
        ("my.json", MINE.encode(), "is not a JSON file"),
        ("my.json", b"[" * 20_000, "is not a JSON file"),
        ("my.json", b'{"name": "a", "name": "b"}', "the same key twice"),
        ("my.json", b'{"name": "a", "band": NaN}', "band: is nan"),
        ("my.json", b'{"name": "a", "band": 1e999}', "band: is inf"),
        ("my.json", b"[]", "a policy is a table"),
        ("policy", MINE.encode().replace(b"mine", b"default"), "is a built-in policy"),
    ],
)
def test_what_a_file_may_not_hold(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidPolicy) as caught:
        read_policy(str(tmp_path / name))
    assert words in str(caught.value)
    assert all(problem.field.startswith(str(tmp_path / name)) for problem in caught.value.problems)


def test_the_size_limit(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_bytes(MINE.encode().ljust(MAX_BYTES, b"\n"))
    assert read_policy(str(path)).name == "mine"
    path.write_bytes(MINE.encode().ljust(MAX_BYTES + 1, b"\n"))
    with pytest.raises(InvalidConfiguration, match="is larger than 65,536 bytes"):
        read_policy(str(path))


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    for name in (
        "missing.toml",
        "pipe.toml",
        "folder.toml",
        "loop.toml",
        "a" * 300 + ".toml",
        "a\0b.toml",
        "/dev/zero",
    ):
        with pytest.raises(InvalidRequest, match=r"cannot be read|not a regular file|no name of a file"):
            read_policy(name, tmp_path)


@pytest.mark.parametrize("name", POLICIES)
def test_the_built_in_files_are_examples_to_start_from(name: str, tmp_path: Path) -> None:
    source = Path(__file__).parents[1] / "service" / "parity" / "policies" / f"{name}.toml"
    path = tmp_path / "mine.toml"
    path.write_text(source.read_text(encoding="utf-8").replace(f'name = "{name}"', 'name = "mine"'), encoding="utf-8")
    assert read_policy(str(path)) == replace(POLICIES[name], name="mine")
    assert tomllib.loads(path.read_text(encoding="utf-8"))["name"] == "mine"
