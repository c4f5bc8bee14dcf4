"""Says whether the frozen reference is still what it was.

    python -m legacy.manifest            # check: prints what changed, exit status 1 if anything did
    python -m legacy.manifest --write    # make MANIFEST.sha256 anew, after a reviewed change

MANIFEST.sha256 is in sha256sum's format: `cd legacy && sha256sum -c MANIFEST.sha256` checks it too.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
MANIFEST_NAME = "MANIFEST.sha256"


def digests(folder: Path = FOLDER) -> dict[str, str]:
    """SHA-256, in hex, of every frozen file by its path in `folder`: code, kernels, data, licence; not the README."""
    found = {}
    for path in sorted(folder.rglob("*")):
        frozen = path.suffix in {".py", ".cu", ".csv"} or path.name.startswith("LICENSE")
        if path.is_file() and frozen and "__pycache__" not in path.parts:
            found[path.relative_to(folder).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def write_manifest(folder: Path = FOLDER) -> None:
    """Writes MANIFEST.sha256 for the files as they are now."""
    lines = [f"{digest}  {name}\n" for name, digest in digests(folder).items()]
    (folder / MANIFEST_NAME).write_text("".join(lines), encoding="utf-8", newline="\n")


def verify_manifest(folder: Path = FOLDER) -> list[str]:
    """One line for every file that is changed, missing or unlisted; an empty list means that all is as frozen.

    Raises FileNotFoundError when there is no manifest, ValueError for a line that is not in sha256sum's format.
    """
    listed = {}
    for line in (folder / MANIFEST_NAME).read_text(encoding="utf-8").splitlines():
        digest, separator, name = line.partition("  ")
        if len(digest) != 64 or not separator or not name:
            raise ValueError(f"{MANIFEST_NAME}: {line!r} is not a digest, two spaces and a name")
        listed[name] = digest
    present = digests(folder)
    problems = [f"missing: {name}" for name in listed if name not in present]
    problems += [f"unlisted: {name}" for name in present if name not in listed]
    problems += [f"changed: {name}" for name, digest in present.items() if listed.get(name, digest) != digest]
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="make the manifest anew")
    if parser.parse_args().write:
        write_manifest()
        return 0
    problems = verify_manifest()
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
