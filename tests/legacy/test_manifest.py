"""The reference is frozen: any change to a frozen file is seen."""

import shutil
from pathlib import Path

import pytest

from legacy.manifest import FOLDER, digests, verify_manifest, write_manifest


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "legacy"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_the_reference_is_as_frozen() -> None:
    assert verify_manifest() == [], "a frozen file changed; if that is meant: python -m legacy.manifest --write"


def test_kernels_data_and_licence_are_listed() -> None:
    wanted = {"matrix_kernels.cu", "gpu_text_autoencoder.py", "data/colors.csv", "data/LICENSE.color-name-list"}
    assert wanted <= set(digests())


@pytest.mark.parametrize("name", ["matrix_kernels.cu", "gpu_text_autoencoder.py", "data/colors_a_f.csv"])
def test_one_flipped_bit_is_seen(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    assert verify_manifest(copy) == [f"changed: {name}"]


def test_missing_and_unlisted_files_are_seen(copy: Path) -> None:
    (copy / "tokenizer.py").unlink()
    (copy / "extra.py").write_text("")
    assert verify_manifest(copy) == ["missing: tokenizer.py", "unlisted: extra.py"]
    write_manifest(copy)
    assert verify_manifest(copy) == []


def test_garbled_manifest_is_an_error(copy: Path) -> None:
    (copy / "MANIFEST.sha256").write_text("abc  tokenizer.py\n")
    with pytest.raises(ValueError, match=r"MANIFEST\.sha256"):
        verify_manifest(copy)
    (copy / "MANIFEST.sha256").unlink()
    with pytest.raises(FileNotFoundError):
        verify_manifest(copy)
