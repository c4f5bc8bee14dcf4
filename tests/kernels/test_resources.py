"""What is said of kernels that spill, or that do not fit as claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from kernels.compiler import Resources
from kernels.resources import CARDS, CudaSource, KernelLaunch, Row, complaints, examine, table

H100, RTX5090 = CARDS


class PlayedCompiler:
    version = "played"
    architectures = frozenset({"sm_90", "sm_120"})

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def resources(
        self, text: str, names: Sequence[str], options: Sequence[str], architecture: str
    ) -> Mapping[str, Resources]:
        return dict.fromkeys(names, self._resources)


def rows(registers: int, spills: tuple[int, int] = (0, 0), shared: int = 0) -> list[Row]:
    source = CudaSource("some/kernels.cu", "", (), (KernelLaunch("k", (32, 16), {"sm_90": 4, "sm_120": 3}),))
    compiler = PlayedCompiler(Resources(registers, shared, sum(spills), *spills))
    return [row for card in CARDS for row in examine(source, card, compiler)]


def test_as_claimed() -> None:
    assert complaints(rows(32)) == []


@pytest.mark.parametrize("spills", [(8, 8), (8, 0), (0, 4)])
def test_a_spill_is_a_complaint(spills: tuple[int, int]) -> None:
    expected = f"some/kernels.cu: k for sm_90 spills {spills[0]} bytes and loads {spills[1]} again"
    assert complaints(rows(32, spills))[0] == expected


def test_one_register_too_many_is_a_complaint() -> None:
    assert complaints(rows(33)) == [
        "some/kernels.cu: k for sm_90: 3 blocks of 512 threads fit on a multiprocessor, 4 are claimed; "
        "limited by registers"
    ]


def test_too_much_shared_memory_is_a_complaint() -> None:
    found = complaints(rows(32, shared=60 * 1024))
    assert [sentence.partition(": ")[2].partition(",")[0] for sentence in found] == [
        "k for sm_90: 3 blocks of 512 threads fit on a multiprocessor",
        "k for sm_120: 1 blocks of 512 threads fit on a multiprocessor",
    ]


def test_table() -> None:
    lines = table(rows(40, (8, 12), 2048), RTX5090).splitlines()
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|") == 10
    assert "resident on 170 SMs" in lines[0]
    expected = "| `k` | 32×16 | 40 | 2,048 | 20 | 3 / 3 | 100.0% | 510, 261,120 | threads, registers |"
    assert lines[2:] == [expected]
