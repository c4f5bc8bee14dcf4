"""Importing the packages needs no GPU, no CuPy and no driver, and does nothing besides."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("service", "kernels", "basemodel", "legacy")
SOURCES = sorted(path for package in (*PACKAGES, "migrations", "benchmarks") for path in (ROOT / package).rglob("*.py"))

BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Block())
"""


def in_a_bare_process(code: str, blocked: tuple[str, ...] = ("cupy",)) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BLOCKED.format(blocked=blocked) + code],
        capture_output=True, text=True, cwd=ROOT, timeout=100, check=False,
    )  # fmt: skip


def test_packages_import_without_cupy() -> None:
    done = in_a_bare_process("import service, kernels, basemodel, legacy; print('imported')")
    assert (done.stdout, done.stderr) == ("imported\n", "")


def test_the_whole_command_line_imports_without_cupy() -> None:
    done = in_a_bare_process("import service.cli, service.bootstrap; print('imported')")
    assert (done.stdout, done.stderr) == ("imported\n", "")


@pytest.mark.parametrize("package", ["service.parity.checks", "service.pipeline", "service.reports.html"])
def test_the_core_imports_without_web_database_or_validation(package: str) -> None:
    blocked = ("cupy", "fastapi", "sqlalchemy", "pydantic", "pynvml")
    done = in_a_bare_process(f"import {package}; print('imported')", blocked)
    assert (done.stdout, done.stderr) == ("imported\n", "")


def test_an_import_creates_nothing(tmp_path: Path) -> None:
    code = "import service.cli, service.bootstrap"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=100, check=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_pickle_and_no_open_ended_evaluation(path: Path) -> None:
    forbidden = {"pickle", "dill", "marshal", "shelve", "cloudpickle"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not forbidden & {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] not in forbidden
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec"}
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert isinstance(node.value, ast.Constant)
            assert node.value.value is False


TRAINS = """
import numpy as np
from basemodel.autoencoder import GpuTextAutoencoder
model = GpuTextAutoencoder(12, 2, 4, seed=1, device="cpu", max_batch_size=8, rung={rung!r})
batch = np.ones((8, 12), dtype=np.float32)
losses = [model.train_step(batch, batch, 0.05) for _ in range(3)]
model.save_checkpoint(__import__("pathlib").Path({folder!r}) / "model.npz", losses[-1], 3, {{}})
model.load_checkpoint(__import__("pathlib").Path({folder!r}) / "model.npz")
model.predict(batch)
model.close()
print("learns" if losses[0] > losses[1] > losses[2] else losses)
"""


def test_the_top_rung_trains_without_legacy(tmp_path: Path) -> None:
    done = in_a_bare_process(TRAINS.format(rung="kernels", folder=str(tmp_path)), ("cupy", "legacy"))
    assert (done.stdout, done.stderr) == ("learns\n", "")


@pytest.mark.parametrize("rung", ["wrapper", "memory"])
def test_the_rungs_below_do_not(rung: str, tmp_path: Path) -> None:
    done = in_a_bare_process(TRAINS.format(rung=rung, folder=str(tmp_path)), ("cupy", "legacy"))
    assert "No module named 'legacy'" in done.stderr


def test_one_file_of_basemodel_imports_legacy() -> None:
    found = set()
    for path in (ROOT / "basemodel").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found |= {path.name for name in names if name.partition(".")[0] == "legacy"}
    assert found == {"legacy_parts.py"}


def test_only_their_owners_import_cupy_pynvml_and_sqlalchemy() -> None:
    owners = {
        "pynvml": ("service/telemetry/nvml",),
        "sqlalchemy": ("service/store/", "migrations/"),
        "alembic": ("service/store/", "migrations/"),
        "cupy": (
            "legacy/",
            "kernels/",
            "basemodel/devices.py",
            "service/differs/cupy_differ.py",
            "service/subjects/devices.py",
            "benchmarks/differ.py",
        ),
    }
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        for module, allowed in owners.items():
            imports = f"import {module}" in text or f"from {module}" in text or f'import_module("{module}")' in text
            assert not imports or name.startswith(allowed), f"{name} imports {module}"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_pin_with_hashes_and_name_no_index(lock: str) -> None:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert pins
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert not any("://" in line or "index" in line.lower().split("=")[0] for line in lines)
