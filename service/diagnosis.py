"""What `lockstep doctor` looks at: Python, NumPy, CuPy, driver, GPU, frozen files, database; and what to do."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from service import bootstrap
from service.parity.errors import LockstepError
from service.settings import Settings
from service.subjects.devices import find_devices
from service.subjects.legacy import changed_frozen_files
from service.telemetry.environment import package_version
from service.telemetry.nvml import look_at_driver

OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `usable` is False only for what keeps Lockstep from working at all."""

    what: str
    found: str
    advice: str = ""
    usable: bool = True


def diagnose(settings: Settings) -> list[Finding]:
    """Look at everything; changes nothing."""
    return [*_software(), *_gpu(), _frozen_files(), _database(settings)]


def _software() -> Iterator[Finding]:
    here = platform.python_version()
    usable = sys.version_info[:2] >= OLDEST_PYTHON
    yield Finding("Python", here, "" if usable else "use Python 3.11 or newer", usable)
    yield Finding("Lockstep", package_version("lockstep") or "not installed, run from its folder")
    yield Finding("NumPy", package_version("numpy") or "missing")


def _gpu() -> Iterator[Finding]:
    driver = look_at_driver()
    if driver.driver_version is None:
        advice = "none needed for runs on the CPU; for a GPU, install NVIDIA's driver and look at nvidia-smi"
        yield Finding("NVIDIA driver", f"not usable: {driver.absent_reason}", advice)
    else:
        yield Finding("NVIDIA driver", driver.driver_version)
    for gpu in driver.gpus:
        yield Finding(f"GPU {gpu.index}", f"{gpu.name}, {gpu.memory_bytes / 2**30:.0f} GiB, {gpu.uuid}")
    cupy = package_version("cupy-cuda13x") or package_version("cupy-cuda12x")
    devices = find_devices()
    if devices.no_gpu_reason is None:
        yield Finding("CuPy", f"{cupy or 'built here'}; devices {', '.join(devices.names)}")
        return
    advice = "none needed for runs on the CPU"
    if driver.gpus and cupy is None:
        advice = "pip install '.[gpu-cuda13]' (driver 580 or newer) or '.[gpu-cuda12]'"
    yield Finding("CuPy", f"no GPU through it: {devices.no_gpu_reason}", advice)


def _frozen_files() -> Finding:
    changed = changed_frozen_files()
    if not changed:
        return Finding("frozen reference", "every file has the digest of legacy/MANIFEST.sha256")
    return Finding("frozen reference", "; ".join(changed), "restore legacy/: no verdict can be trusted", usable=False)


def _database(settings: Settings) -> Finding:
    where = settings.database_url
    try:
        current, newest = bootstrap.database_revisions(settings)
    except LockstepError as error:
        created = settings.migrates_itself()
        advice = "a first `lockstep run` creates an SQLite database" if created else "see the message"
        return Finding("database", str(error), advice)
    if current == newest:
        return Finding("database", f"{where} at revision {current}")
    return Finding("database", f"{where} at revision {current}, this version works with {newest}", "lockstep migrate")
