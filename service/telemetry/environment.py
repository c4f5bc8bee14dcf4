"""The environment fingerprint of a run: versions, processor, GPU, driver, revision. What is unknown is None."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

import service
from service.telemetry.nvml import look_at_driver

_CREDENTIALS = re.compile(r"(\w://)\S*@")
_PACKAGES = ("lockstep", "numpy", "scipy", "cupy-cuda12x", "cupy-cuda13x", "nvidia-ml-py", "sqlalchemy", "fastapi")


def describe_environment(device: str) -> Mapping[str, Any]:
    """JSON-ready facts about this machine; `device` is where the subjects run, `cpu` or `cuda:N`."""
    driver = look_at_driver()
    return {
        "device": device,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": int(psutil.virtual_memory().total),
        "gpus": [gpu.name for gpu in driver.gpus],
        "driver": driver.driver_version,
        "no_gpu_reason": driver.absent_reason,
        "packages": {name: version for name in _PACKAGES if (version := package_version(name)) is not None},
        "git_revision": _git_revision(),
        "command": without_credentials(sys.argv),
    }


def without_credentials(arguments: Sequence[str]) -> list[str]:
    """The command line with the program's bare name, and `***` for user and password of an address in it."""
    words = [_CREDENTIALS.sub(r"\1***@", word) for word in arguments]
    return [Path(words[0]).name, *words[1:]] if words else []


def package_version(name: str) -> str | None:
    """The installed version, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str | None:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or None


def _git_revision() -> str | None:
    """The checkout's commit, with `+changes` where files differ from it; None outside a checkout or without git."""
    root = Path(str(service.__file__)).resolve().parent.parent
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return None
    commit = _ask(git, root, "rev-parse", "HEAD")
    changes = _ask(git, root, "status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return None
    return f"{commit}+changes" if changes else commit


def _ask(git: str, root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run([git, "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
