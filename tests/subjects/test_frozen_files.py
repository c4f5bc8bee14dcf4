"""The red line: legacy's files and the RTX 5090's kernels are what they were, byte for byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from service.subjects.legacy import FOLDER, KERNEL_FILES, RTX5090, changed_frozen_files


@pytest.fixture
def copies(tmp_path: Path) -> tuple[Path, Path]:
    """Legacy and the RTX 5090's kernels, to be spoilt."""
    legacy, kernels = tmp_path / "legacy", tmp_path / "rtx5090"
    shutil.copytree(FOLDER, legacy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(RTX5090, kernels, ignore=shutil.ignore_patterns("__pycache__"))
    return legacy, kernels


def test_nothing_has_changed(copies: tuple[Path, Path]) -> None:
    assert changed_frozen_files() == changed_frozen_files(*copies) == ()


@pytest.mark.parametrize("name", KERNEL_FILES)
def test_a_kernel_file_that_was_touched_or_is_gone_is_named(copies: tuple[Path, Path], name: str) -> None:
    moved = copies[1] / name
    moved.write_bytes(moved.read_bytes() + b"\n")
    assert changed_frozen_files(*copies) == (f"changed: kernels/rtx5090/{name}",)
    moved.unlink()
    assert changed_frozen_files(*copies) == (f"missing: kernels/rtx5090/{name}",)


def test_both_changed_alike_are_both_named(copies: tuple[Path, Path]) -> None:
    """A copy is held to the manifest and not to its original, which may have been touched with it."""
    for folder in copies:
        (folder / "matrix_kernels.cu").write_text("// faster\n")
    assert changed_frozen_files(*copies) == ("changed: matrix_kernels.cu", "changed: kernels/rtx5090/matrix_kernels.cu")
