"""Makes colors.csv, colors_a_f.csv and LICENSE.color-name-list from the npm package color-name-list (MIT).

    python legacy/data/make_colors.py                      # fetches the pinned version with `npm pack`
    python legacy/data/make_colors.py --package FOLDER     # reads a package that is already unpacked

colors.csv holds every name, Absolute Zero first, then in the package's order. colors_a_f.csv holds 264 plain names from
A to F, by the rule in `plain_subset`. Same package, same bytes.
"""

from __future__ import annotations

import argparse
import csv
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "color-name-list"
VERSION = "14.29.0"
FIRST_NAME = "Absolute Zero"
SUBSET_SIZE = 264
OUTPUT_FOLDER = Path(__file__).parent

# The words that make a name plain.
COLOR_WORDS = frozenset({
    "Amber", "Aqua", "Azure", "Beige", "Black", "Blue", "Bronze", "Brown", "Copper", "Coral", "Cream", "Crimson",
    "Cyan", "Fuchsia", "Gold", "Gray", "Green", "Grey", "Indigo", "Ivory", "Lavender", "Lilac", "Lime", "Magenta",
    "Maroon", "Mauve", "Mint", "Navy", "Ochre", "Olive", "Orange", "Peach", "Pink", "Plum", "Purple", "Red", "Rose",
    "Ruby", "Scarlet", "Silver", "Tan", "Teal", "Turquoise", "Umber", "Vermilion", "Violet", "White", "Yellow",
})  # fmt: skip
_PLAIN = re.compile(r"[A-F][a-z]+( [A-Z][a-z]+)?")


def plain_subset(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """264 of `rows` (name, hex): Absolute Zero; then, in alphabetical order, plain names with an initial from A to F.

    A name is plain when it is one colour word ("Azure"), or one word and a colour word ("Alpine Green"), in ASCII
    letters. All single colour words are taken; the places left go to the two-word names, evenly spaced through their
    alphabetical order (the k-th of p places takes the name at floor(k * count / p)).
    """
    by_name = dict(rows)
    plain = sorted(name for name in by_name if _PLAIN.fullmatch(name) and name.split()[-1] in COLOR_WORDS)
    single = [name for name in plain if " " not in name]
    double = [name for name in plain if " " in name]
    places = SUBSET_SIZE - 1 - len(single)
    chosen = sorted(single + [double[k * len(double) // places] for k in range(places)])
    return [(name, by_name[name]) for name in [FIRST_NAME, *chosen]]


def read_package(folder: Path | None) -> tuple[str, str]:
    """The text of dist/colornames.csv and of LICENSE, from `folder` or from the pinned package."""
    if folder is not None:
        return tuple((folder / name).read_text(encoding="utf-8") for name in ("dist/colornames.csv", "LICENSE"))
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"], cwd=scratch, check=True)
        with tarfile.open(Path(scratch) / f"{PACKAGE}-{VERSION}.tgz") as archive:
            texts = [
                archive.extractfile(f"package/{name}").read().decode("utf-8")
                for name in ("dist/colornames.csv", "LICENSE")
            ]
    return texts[0], texts[1]


def write_csv(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("name", "hex"))
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path, help="an unpacked color-name-list to read in place of npm's")
    parser.add_argument("--output", type=Path, default=OUTPUT_FOLDER, help="where to write (default: here)")
    options = parser.parse_args()
    table, license_text = read_package(options.package)
    rows = [(name, hex_rgb.upper()) for name, hex_rgb in list(csv.reader(table.splitlines()))[1:]]
    rows.sort(key=lambda row: row[0] != FIRST_NAME)
    write_csv(options.output / "colors.csv", rows)
    write_csv(options.output / "colors_a_f.csv", plain_subset(rows))
    (options.output / "LICENSE.color-name-list").write_text(license_text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
