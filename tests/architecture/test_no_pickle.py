"""No module of ours, tests included, can run code that a file brought along: no pickle under any name, anywhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("service", "basemodel", "kernels", "legacy", "benchmarks", "migrations", "tests")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
MODULES = frozenset(
    {"pickle", "_pickle", "cPickle", "pickletools", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"}
)
READERS = frozenset({"load", "loads", "read_pickle", "open_memmap", "read_array"})


def offences(source: str) -> Iterator[str]:
    """What a module does that could unpickle: an import under any spelling, or NumPy not told to refuse objects."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _banned(alias.name))
        elif isinstance(node, ast.ImportFrom):
            yield from (name for name in [node.module or "", *(a.name for a in node.names)] if _banned(name))
        elif isinstance(node, ast.Call):
            yield from _calls(node)


def _banned(name: str) -> bool:
    return not MODULES.isdisjoint(name.split("."))


def _calls(node: ast.Call) -> Iterator[str]:
    called = ast.unparse(node.func)
    first = node.args[0] if node.args else None
    if (
        called.endswith(("import_module", "__import__"))
        and isinstance(first, ast.Constant)
        and _banned(str(first.value))
    ):
        yield f"{called}({first.value!r})"
    told = [keyword.value for keyword in node.keywords if keyword.arg == "allow_pickle"]
    if any(not (isinstance(value, ast.Constant) and value.value is False) for value in told):
        yield f"{called}(allow_pickle=…)"
    numpy_load = called.split(".")[0] in ("np", "numpy") and called.split(".")[-1] in READERS
    if called.endswith("read_pickle") or (numpy_load and not told):
        yield f"{called} is not told allow_pickle=False"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_pickle(path: Path) -> None:
    assert list(offences(path.read_text(encoding="utf-8"))) == []


def test_every_folder_is_looked_at() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in SOURCES} == set(FOLDERS)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import os, marshal as m",
        "import joblib.numpy_pickle",
        "from dill import loads",
        "from six.moves import cPickle",
        "def f():\n    import shelve",
        "importlib.import_module('cloudpickle')",
        "__import__('pickle')",
        "np.load(path)",
        "np.load(path, None, True)",
        "np.load(path, allow_pickle=True)",
        "numpy.load(path, allow_pickle=trusted)",
        "np.lib.format.read_array(file)",
        "archive.read(name, allow_pickle=1)",
        "pd.read_pickle(path)",
    ],
)
def test_the_rule_sees(source: str) -> None:
    assert list(offences(source))


def test_the_rule_lets_pass() -> None:
    assert not list(
        offences("import json\nnp.load(f, allow_pickle=False)\njson.load(f)\nsubject.load(path)\npickled = 1")
    )
