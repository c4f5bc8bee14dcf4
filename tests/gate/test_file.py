"""Reading the gate's file, and the one of this repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.gate.file import check_cases, read_cases
from service.parity.errors import DeviceUnavailable, InvalidConfiguration, Problem
from service.parity.plan import Plan
from service.parity.policy import Policy, named_policy
from service.policy_files import read_policy
from service.toml_files import MAX_BYTES

ROOT = Path(__file__).resolve().parents[2]
GOOD = '[[plan]]\nname = "a"\npolicy = "mine.toml"\n'


def by_name(name: str, _: Path) -> Policy:
    return named_policy(name)


def test_a_policy_is_looked_for_beside_the_file(tmp_path: Path) -> None:
    asked: list[tuple[str, Path]] = []

    def read(name: str, folder: Path) -> Policy:
        asked.append((name, folder))
        return named_policy("numerics")

    path = tmp_path / "gate.toml"
    path.write_text(GOOD + '[[plan]]\nname = "b"\npolicy = "mine.toml"\n', encoding="utf-8")
    found = read_cases(path, read)
    assert [case.policy.name for case in found] == ["numerics", "numerics"]
    assert asked == [("default", tmp_path), ("mine.toml", tmp_path)]


def test_what_is_wrong_in_a_policy_file_is_told_with_that_file_and_where_it_was_named(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('name = "mine"\n[limits]\nbands = 3\n', encoding="utf-8")
    path = tmp_path / "gate.toml"
    path.write_text(GOOD, encoding="utf-8")
    with pytest.raises(InvalidConfiguration) as caught:
        read_cases(path, read_policy)
    [problem] = [p for p in caught.value.problems if "bands" in p.field]
    assert problem.field == f"{path}: plan 'a'.policy: {tmp_path / 'mine.toml'}: limits.bands"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file or directory; name the gate's file with --config"),
        (b"[[plan", "is not a TOML file"),
        (b"\xff\xfe", "is not a TOML file"),
        (b"a = " + b"[" * 100_000, "is not a TOML file"),
        (b"a = " + b"9" * 5000, "is not a TOML file"),
        (b"# " + b"x" * MAX_BYTES, "is larger than 1,048,576 bytes"),
        (b"", "there is no [[plan]], so nothing would be gated"),
    ],
    ids=["missing", "cut", "not-utf-8", "nested", "long-number", "large", "empty"],
)
def test_a_file_that_is_none_is_told_by_its_name(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "gate.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidConfiguration) as caught:
        read_cases(path, by_name)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="cannot be read"):
        read_cases(tmp_path, by_name)


def test_what_this_machine_lacks_is_told_for_every_case() -> None:
    cases = read_cases(ROOT / "parity.toml", by_name)

    def refuse(plan: Plan) -> None:
        raise DeviceUnavailable(Problem("device", f"{plan.device} is not here"))

    with pytest.raises(InvalidConfiguration) as caught:
        check_cases(cases, refuse)
    assert [str(problem) for problem in caught.value.problems] == [f"{case.name}: device: auto is not here"
                                                                   for case in cases]  # fmt: skip


def test_this_repository_gates_the_replacement_by_the_default_policy() -> None:
    cases = read_cases(ROOT / "parity.toml", by_name)
    assert (cases[0].name, cases[0].plan, cases[0].policy) == ("wrapper", Plan(), named_policy("default"))
    assert {(case.plan.reference, case.plan.candidate) for case in cases} == {("legacy", "basemodel")}
    assert sorted(case.plan.training.batch_size for case in cases[1:]) == [1, 64, 250]
