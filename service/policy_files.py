"""Reading a policy that somebody named: a built-in one, or a file of their own, as TOML or as the JSON of a report.

Files are read here and nowhere else; what they must say is `parity.policy`'s.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from service.parity.errors import InvalidConfiguration, InvalidPolicy, Problem, UnknownName
from service.parity.policy import POLICIES, Policy, policy_from_document

MAX_BYTES = 64 * 1024
"""A policy is a page of text; what is larger is another file."""

SUFFIXES = (".toml", ".json")


def read_policy(name_or_path: str, base: Path | None = None) -> Policy:
    """The built-in policy of that name or, for what ends in .toml or .json or has a slash, the file's.

    A relative path begins at `base`, or at the working folder. Raises `UnknownName`, `InvalidConfiguration` for a file
    that cannot be read, or `InvalidPolicy` with every problem found in it.
    """
    if is_path(name_or_path):
        return _read_file((base or Path()) / name_or_path)
    if name_or_path not in POLICIES:
        names = ", ".join(POLICIES)
        message = f"{name_or_path!r} is unknown; choose from {names}, or name a file that ends in .toml or .json"
        raise UnknownName(Problem("policy", message))
    return POLICIES[name_or_path]


def is_path(name_or_path: str) -> bool:
    """Whether this names a file and not a built-in policy."""
    return name_or_path.lower().endswith(SUFFIXES) or "/" in name_or_path or "\\" in name_or_path


def _read_file(path: Path) -> Policy:
    content = _content(path)
    read = _json if path.suffix.lower() == ".json" else tomllib.loads
    kind = "JSON" if read is _json else "TOML"
    try:
        document = read(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # also UnicodeDecodeError, and whole numbers of absurd length
        raise InvalidPolicy(Problem(str(path), f"is not a {kind} file: {error}")) from error
    try:
        return policy_from_document(document)
    except InvalidPolicy as error:
        problems = (
            Problem(f"{path}: {problem.field}" if problem.field else str(path), problem.message)
            for problem in error.problems
        )
        raise InvalidPolicy(*problems) from error


def _content(path: Path) -> bytes:
    try:
        # A pipe or a device would be waited for, or never end.
        if path.exists() and not path.is_file():
            raise InvalidConfiguration(Problem(str(path), "is not a regular file; name the policy's file"))
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"cannot be read: {error.strerror}; name a built-in policy ({', '.join(POLICIES)}) or its file"
        raise InvalidConfiguration(Problem(str(path), message)) from error
    except ValueError as error:  # a NUL in the name
        raise InvalidConfiguration(Problem(ascii(str(path)), f"is no name of a file: {error}")) from error
    if len(content) > MAX_BYTES:
        raise InvalidConfiguration(Problem(str(path), f"is larger than {MAX_BYTES:,} bytes; is it the right file?"))
    return content


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("an object has the same key twice")
    return document
