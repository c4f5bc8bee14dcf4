"""The device of a model, found through CuPy where there is one, and the array module that goes with it."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np


def resolve_device(asked: str | None) -> str:
    """'cpu' or 'cuda:N'; None is 'cuda:0' where it can be used. Raises ValueError for any other that cannot."""
    if asked == "cpu":
        return "cpu"
    count, reason = _count_devices()
    if asked is None:
        return "cuda:0" if count else "cpu"
    kind, _, number = asked.partition(":")
    if kind != "cuda" or (number and not number.isdecimal()) or asked == "cuda:":
        raise ValueError(f"unknown device {asked!r}: use 'cpu', 'cuda:0', 'cuda:1', … or None")
    if int(number or 0) >= count:
        raise ValueError(f"device {asked!r} cannot be used: {reason if count == 0 else f'there are {count} devices'}")
    return f"cuda:{int(number or 0)}"


def array_module(device: str) -> Any:
    """NumPy for 'cpu'; CuPy, with that device made current, for 'cuda:N'."""
    if device == "cpu":
        return np
    cupy = importlib.import_module("cupy")
    cupy.cuda.Device(int(device.partition(":")[2])).use()
    return cupy


def _count_devices() -> tuple[int, str]:
    """How many there are, and if none, why."""
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        return 0, f"CuPy is not installed or cannot be loaded ({error})"
    try:
        return int(cupy.cuda.runtime.getDeviceCount()), "CuPy sees no CUDA device"
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return 0, f"the CUDA runtime answers: {error}"
