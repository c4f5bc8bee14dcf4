"""Every .cu compiles for both cards, spills nothing and fits as claimed; the page says what the compiler says."""

from __future__ import annotations

import dataclasses
import re
import subprocess

import pytest

from benchmarks import kernel_resources
from kernels.compiler import Compiler, find_compiler
from kernels.resources import CARDS, Card, CudaSource, complaints, examine

SOURCES = kernel_resources.sources()
FOLDERS = ("basemodel", "benchmarks", "kernels", "legacy", "migrations", "service")


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    found = find_compiler()
    if found is None:
        pytest.skip("CUDA C was not compiled: neither nvcc (with c++filt) nor an NVRTC library was found")
    missing = {card.architecture for card in CARDS} - found.architectures
    if missing:
        pytest.skip(f"CUDA C was not compiled: {found.version} does not know {', '.join(sorted(missing))}")
    return found


def test_every_cu_file_is_declared() -> None:
    root = kernel_resources.ROOT
    found = {path.relative_to(root).as_posix() for folder in FOLDERS for path in (root / folder).rglob("*.cu")}
    assert {source.path for source in SOURCES} == found
    for source in SOURCES:
        assert source.text == (root / source.path).read_text(encoding="utf-8")


def test_every_cu_file_lies_where_the_test_above_looks() -> None:
    root = kernel_resources.ROOT
    done = subprocess.run(["git", "ls-files", "*.cu"], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is not a git checkout")
    assert {path.partition("/")[0] for path in done.stdout.split()} <= set(FOLDERS)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.path)
@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.architecture)
def test_no_spill_and_as_many_blocks_as_claimed(source: CudaSource, card: Card, compiler: Compiler) -> None:
    rows = examine(source, card, compiler)
    assert len(rows) == len(source.launches)
    assert complaints(rows) == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.path)
def test_every_kernel_of_a_file_is_declared(source: CudaSource) -> None:
    declared = {launch.name.partition("<")[0] for launch in source.launches}
    written = re.findall(r"__global__ void (?:__launch_bounds__\(.*\) )?(\w+)\(", source.text)
    assert declared == set(written)
    assert len(written) == source.text.count("__global__")


def test_the_differ_spilled_on_sm_120_with_the_launch_bounds_of_an_h100(compiler: Compiler) -> None:
    (differ,) = (source for source in SOURCES if source.path.endswith("fused_diff.cu"))
    before = differ.text.replace("__CUDA_ARCH__ >= 1200", "__CUDA_ARCH__ >= 9999")
    assert before != differ.text
    found = complaints(examine(dataclasses.replace(differ, text=before), CARDS[1], compiler))
    assert found
    assert all("spills" in complaint for complaint in found)


def test_the_page_names_every_launch_on_every_card() -> None:
    page = kernel_resources.committed()
    for source in SOURCES:
        for launch in source.launches:
            block = "×".join(map(str, launch.block))
            assert page.count(f"| `{launch.name}` | {block} |") == len(CARDS)
    for card in CARDS:
        assert f"### {card.name}: {card.architecture}, {card.sm_count} SMs" in page


def test_the_page_is_what_this_compiler_says(compiler: Compiler) -> None:
    page = kernel_resources.committed()
    if f"Compiled by {compiler.version}." not in page:
        pytest.skip(f"the page was written with another compiler than {compiler.version}; claims are tested above")
    assert page == kernel_resources.report(compiler)[1]
