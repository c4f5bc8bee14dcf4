"""Spreading work over processes: every piece comes back once, whatever becomes of a process."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from service.campaigns import spread as module
from service.campaigns.spread import Died, Unrecorded, spread
from service.parity.errors import RunCancelled


def square(number: int) -> tuple[int, int]:
    return number**2, os.getpid()


def stumble(number: int) -> int:
    if number == 1:
        os._exit(9)
    return number


def run_until_stopped(folder: Path, number: int) -> int:
    """The second piece goes on until somebody stops it, as a run does, and leaves a note."""
    if number == 1:
        (folder / "began").touch()
        try:
            while True:
                Unrecorded().progress("synchronized", 0, 1)
        except RunCancelled as stopped:
            (folder / "stopped").write_text(str(stopped))
            raise
    while not (folder / "began").exists():
        os.sched_yield()
    return number


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_piece_comes_back(jobs: int) -> None:
    found = dict(spread(square, range(5), jobs))
    assert {piece: result[0] for piece, result in found.items()} == {0: 0, 1: 1, 2: 4, 3: 9, 4: 16}  # type: ignore[index]
    assert ({result[1] for result in found.values()} == {os.getpid()}) == (jobs == 1)  # type: ignore[index]


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_pieces(jobs: int) -> None:
    assert list(spread(square, [], jobs)) == []


def test_a_process_that_dies_takes_its_piece_along_and_is_told() -> None:
    found = dict(spread(stumble, [0, 1, 2], 2))
    assert found.keys() == {0, 1, 2}
    assert isinstance(found[1], Died)
    assert "died" in found[1].message


def test_closing_ends_what_is_under_way(tmp_path: Path) -> None:
    coming = spread(partial(run_until_stopped, tmp_path), [0, 1], 2)
    assert next(coming) == (0, 0)
    coming.close()  # type: ignore[attr-defined]
    assert "nobody waits" in (tmp_path / "stopped").read_text()


def test_an_error_is_raised_here() -> None:
    with pytest.raises(TypeError):
        list(spread(square, ["a", "b"], 2))  # type: ignore[list-item]


def test_an_observer_here_is_never_stopped() -> None:
    assert module._stop is None
    Unrecorded().progress("synchronized", 0, 1)
