"""Every file that a gate leaves, and that none is left by a gate that did not run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from service.gate.loop import GateResult
from service.gate.outputs import Outputs, document
from service.parity.errors import InvalidConfiguration
from service.reports.cases import Case

RESULT = GateResult((Case("a", "PASS", "fine"), Case("b\ud800\x00", "FAIL", "not <fine>", "r1", 1.5)))
NAMES = ("junit", "markdown", "as_json", "badge", "shield")


def all_below(folder: Path, **others: Any) -> Outputs:
    return Outputs(**{name: folder / name for name in NAMES}, **others)


def test_every_output_is_written(tmp_path: Path) -> None:
    outputs = all_below(tmp_path / "new" / "folder", step_summary=tmp_path / "summary", step_output=tmp_path / "output")
    outputs.prepare(tmp_path / "parity.toml")
    assert outputs.write(RESULT, None) == []
    found = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "new" / "folder").iterdir()}
    assert sorted(found) == sorted(NAMES)
    assert found["junit"].startswith("<?xml")
    assert found["markdown"].startswith("## ✘ Lockstep: FAIL")
    assert "<title>lockstep: fail</title>" in found["badge"]
    assert json.loads(found["shield"])["isError"] is True
    told = json.loads(found["as_json"])
    assert (told["outcome"], told["exit_code"], told["interrupted"]) == ("FAIL", 1, False)
    assert [case["outcome"] for case in told["cases"]] == ["PASS", "FAIL"]


def test_the_steps_files_are_added_to(tmp_path: Path) -> None:
    summary, output = tmp_path / "summary", tmp_path / "output"
    summary.write_text("before\n", encoding="utf-8")
    output.write_text("other=1\n", encoding="utf-8")
    outputs = Outputs(step_summary=summary, step_output=output)
    outputs.prepare(tmp_path / "parity.toml")
    assert outputs.write(RESULT, None) == []
    assert summary.read_text(encoding="utf-8").startswith("before\n## ✘ Lockstep: FAIL")
    assert output.read_text(encoding="utf-8") == "other=1\noutcome=FAIL\n"


def test_what_an_earlier_gate_left_is_removed_before_anything_runs(tmp_path: Path) -> None:
    outputs = all_below(tmp_path)
    for name in NAMES:
        (tmp_path / name).write_text("pass", encoding="utf-8")
    outputs.prepare(tmp_path / "parity.toml")
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_emptied_and_written_through(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("lockstep: pass", encoding="utf-8")
    link.symlink_to(target)
    outputs = Outputs(shield=link)
    outputs.prepare(tmp_path / "parity.toml")
    assert target.read_text(encoding="utf-8") == ""
    assert outputs.write(RESULT, None) == []
    assert link.is_symlink()
    assert json.loads(target.read_text(encoding="utf-8"))["message"] == "fail"


def test_a_pipe_like_a_device_stays_one_and_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    outputs = Outputs(shield=pipe)
    outputs.prepare(tmp_path / "parity.toml")
    assert pipe.is_fifo()
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert outputs.write(RESULT, None) == []
        assert json.loads(os.read(reader, 1000))["message"] == "fail"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_two_outputs_of_one_name_are_refused_and_nothing_is_removed(tmp_path: Path) -> None:
    config = tmp_path / "parity.toml"
    config.write_text("precious", encoding="utf-8")
    with pytest.raises(InvalidConfiguration) as caught:
        Outputs(junit=tmp_path / "x", badge=tmp_path / "sub" / ".." / "x", as_json=config).prepare(config)
    assert [problem.field for problem in caught.value.problems] == ["--json", "--badge"]
    assert config.read_text(encoding="utf-8") == "precious"


def test_a_place_that_cannot_be_written_is_told_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidConfiguration) as caught:
        Outputs(junit=tmp_path / "file" / "x", badge=tmp_path / "folder").prepare(tmp_path / "parity.toml")
    assert [problem.field for problem in caught.value.problems] == ["--junit", "--badge"]


def test_one_output_that_fails_does_not_keep_the_others_from_being_written(tmp_path: Path) -> None:
    outputs = all_below(tmp_path, step_output=tmp_path / "missing" / "output")
    outputs.prepare(tmp_path / "parity.toml")
    (tmp_path / "markdown").mkdir()
    (tmp_path / "markdown" / "kept").write_text("", encoding="utf-8")
    failed = outputs.write(RESULT, None)
    assert [words.split(":")[0] for words in failed] == [
        f"cannot write {tmp_path / 'markdown'}",
        f"cannot write {tmp_path / 'missing' / 'output'}",
    ]
    assert {path.name for path in tmp_path.iterdir() if path.is_file() and not path.name.startswith(".")} == (
        set(NAMES) - {"markdown"}
    )


def test_the_document_holds_everything_and_no_number_that_json_lacks() -> None:
    case = Case("a", "ERROR", "m", seconds=float("nan"))
    told = document(GateResult((case,), interrupted=True))
    json.dumps(told, allow_nan=False)
    assert told["cases"] == [
        {"name": "a", "outcome": "ERROR", "message": "m", "run_id": None, "seconds": "NaN", "report": None}
    ]
    assert (told["exit_code"], told["summary"]) == (130, "1 case: 1 ERROR")
