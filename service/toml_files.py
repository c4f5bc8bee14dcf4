"""TOML files from outside: of a bounded size, and every trouble with one a sentence that names it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from service.parity.errors import InvalidConfiguration, Problem

MAX_BYTES = 1 << 20


def read_toml(path: Path, advice: str, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The file's document; `advice` says what to do where there is no such file. Raises `InvalidConfiguration`."""
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        message = f"cannot be read: {error.strerror}; {advice}"
        raise InvalidConfiguration(Problem(str(path), message)) from error
    if len(content) > max_bytes:
        raise InvalidConfiguration(Problem(str(path), f"is larger than {max_bytes:,} bytes"))
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # also UnicodeDecodeError, and whole numbers of absurd length
        raise InvalidConfiguration(Problem(str(path), f"is not a TOML file: {error}")) from error
