"""The page: self-contained, well-formed, escaped, and saying what the report says, for whole and for broken runs."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from typing import Any

import pytest
from html_page import Page

from service.parity.verdict import CheckResult, Verdict
from service.reports.html import render_html, style_source
from service.reports.report import build_report

BARE = ["passing", "failing", "nan_losses", "partial", "hostile"]
KINDS = [*BARE, "measured", "leaking", "timed_on_cpu"]


def page_of(sample: Any) -> str:
    report = build_report(sample.run, sample.record, sample.verdict)
    return render_html(json.loads(json.dumps(report, allow_nan=False)))


@pytest.fixture
def page(request: pytest.FixtureRequest) -> str:
    return page_of(request.getfixturevalue(request.param))


everywhere = pytest.mark.parametrize("page", KINDS, indirect=True)


@everywhere
def test_well_formed(page: str) -> None:
    found = Page(page)
    assert [tag for tag, _ in found.elements].count("h1") == 1
    ids = [attrs["id"] for _, attrs in found.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {attrs["href"] for _, attrs in found.elements if "href" in attrs}
    assert targets <= {f"#{name}" for name in ids}


@everywhere
def test_self_contained(page: str) -> None:
    found = Page(page)
    names = {tag for tag, _ in found.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    for _, attrs in found.elements:
        assert "style" not in attrs
        assert "src" not in attrs
        assert not any(name.startswith("on") for name in attrs)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", page)
    assert sum(tag == "style" for tag, _ in found.elements) == 1


@everywhere
def test_what_is_no_number_is_never_shown_as_one(page: str) -> None:
    assert not re.search(r"\bNone\b|\bnan\b|\binf\b|Undefined", Page(page).text)


@pytest.mark.parametrize("page", BARE, indirect=True)
def test_what_was_not_measured_is_never_a_number(page: str) -> None:
    text = Page(page).text
    assert "not measured: the plan does not ask for the memory phase; --phases " in text
    assert '<section id="memory"' not in page


def test_hostile_names_and_messages_are_never_markup(hostile: Any, builders: Any) -> None:
    text = page_of(hostile)
    assert builders.HOSTILE not in text
    assert "<img" not in text.lower()
    assert "onerror=alert" in Page(text).text
    check = CheckResult(builders.HOSTILE, "fail", builders.HOSTILE, True, 1.0, 2.0, builders.HOSTILE,
                        {builders.HOSTILE: builders.HOSTILE})  # fmt: skip
    verdict = Verdict("FAIL", builders.HOSTILE, (check,), builders.HOSTILE)
    run = builders.make_run(id=builders.HOSTILE)
    text = page_of(builders.Sample(run, None, verdict))
    assert builders.HOSTILE not in text
    Page(text)


def test_a_passing_page(passing: Any) -> None:
    text = Page(page_of(passing)).text
    assert "basemodel may replace legacy." in text
    assert "All 10 required checks pass." in text
    assert "Not measured, and not required by the policy: 6 checks of performance" in text
    assert "First divergence" not in text
    assert passing.run.plan.digest() in text


def test_a_failing_page_says_where_and_opens_the_first_failure_only(failing: Any) -> None:
    text = page_of(failing)
    page = Page(text)
    assert "basemodel may not replace legacy." in page.text
    assert "First divergence: step 0, backward.layer3.bias_grad" in page.text
    assert "Look at Autoencoder.backward (rung backward)" in page.text
    rows = re.findall(r'<tr class="(\w+)">.*?<code>([\w.]+)</code>.*?<details( open)?>', text, re.S)
    assert rows[0] == ("fail", "numerics.synchronized", " open")
    assert [opened for _, _, opened in rows].count(" open") == 1
    assert [kind for kind, _, _ in rows] == sorted((kind for kind, _, _ in rows), key=["fail", "pass", "none"].index)


def test_a_failing_page_counts_the_later_taps(failing: Any) -> None:
    assert "7 later taps exceed the limit too" in Page(page_of(failing)).text


def test_losses_that_are_no_numbers_say_from_which_step(nan_losses: Any) -> None:
    assert "candidate: NaN at 412" in Page(page_of(nan_losses)).text


def test_colours_taken_for_others_are_listed(passing: Any) -> None:
    text = page_of(passing)
    row = text.split("Colours taken for others", 1)[1].split("Acid Green</th><td>", 1)[1].split("</tr>", 1)[0]
    assert row.startswith("itself<")
    assert "<td>Bitter Lemon</td>" in row
    assert "no finite colour" in text


def test_swatches_show_three_colours_and_their_numbers(passing: Any) -> None:
    text = page_of(passing)
    assert 'aria-label="input #0047BA, reference #0344BC, candidate #0443BC"' in text
    assert "0.016 0.264 0.738" in Page(text).text


def test_a_cancelled_page_shows_what_there_is(partial: Any) -> None:
    text = Page(page_of(partial)).text
    assert "the run was cancelled" in text
    assert "none of it is a verdict" in text
    assert "not measured: the free_running phase did not end" in text
    assert "PASS" not in text
    assert "backward.layer3.bias_grad" in text


@pytest.mark.parametrize("state", ["queued", "running", "failed", "cancelled", "finished"])
def test_a_run_without_a_record(state: str, builders: Any) -> None:
    run = builders.make_run(state=state, started_at=None, finished_at=None)
    if state == "failed":
        run = dataclasses.replace(run, error_code="out_of_memory", error_message="cuda:0 ran out of memory")
    text = Page(page_of(builders.Sample(run, None, None))).text
    assert "not measured: nothing was recorded" in text
    assert "PASS" not in text
    assert ("cuda:0 ran out of memory." in text) == (state == "failed")
    assert ("out_of_memory" in text) == (state == "failed")


def test_troubles_stand_at_the_top(hostile: Any) -> None:
    assert "What went wrong inside a side" in Page(page_of(hostile)).text


def test_changed_frozen_files_are_named(builders: Any) -> None:
    record = builders.make_record()
    integrity = dataclasses.replace(record.integrity, changed_files=("legacy/tokenizer.py",))
    text = Page(page_of(builders.judged(dataclasses.replace(record, integrity=integrity)))).text
    assert "Frozen files that changed: legacy/tokenizer.py" in text


def test_differing_batches_are_shown_as_differing(builders: Any) -> None:
    record = builders.make_record()
    first, *others = record.integrity.batches
    batches = (dataclasses.replace(first, candidate_digest="0" * 64), *others)
    integrity = dataclasses.replace(record.integrity, batches=batches)
    text = Page(page_of(builders.judged(dataclasses.replace(record, integrity=integrity)))).text
    assert "000000000000… differ" in text


def test_a_policy_without_a_finite_limit_renders(builders: Any) -> None:
    record = builders.make_record()
    policy = dataclasses.replace(builders.make_run().policy, error_ratio=float("inf"), color_tolerance=float("inf"))
    Page(page_of(builders.judged(record, policy)))


def test_the_style_source_is_the_hash_of_the_style_element(passing: Any) -> None:
    style = re.search(r"<style>(.*?)</style>", page_of(passing), re.S)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert style_source() == f"'sha256-{digest}'"


def test_an_undecided_page_says_what_could_not_be_decided(builders: Any) -> None:
    record = builders.make_record()
    record = dataclasses.replace(record, free_running=dataclasses.replace(record.free_running, members=()))
    text = Page(page_of(builders.judged(record))).text
    assert "Not decided whether basemodel may replace legacy." in text
    assert "1 of 10 required checks could not be decided. numerics.free_running : The perturbation band" in text
    assert "not measured: no perturbed reference was trained" in text


def test_checkpoints_are_a_row_a_trip(passing: Any) -> None:
    text = Page(page_of(passing)).text
    assert "8 of 8 trips were made" in text
    assert "reference reference .npz 8 bit-equal kept 640 bit-equal bit-equal" in text
    assert "reference candidate .safetensors 8 bit-equal kept 71 differ, error ratio 1.5 bit-equal" in text


def test_checkpoints_that_broke_or_changed_something(builders: Any) -> None:
    record = builders.make_record()
    first, second, *others = record.checkpoint.trips
    names = ("weight_0", "weight_1", "bias_0", builders.HOSTILE)
    first = dataclasses.replace(first, differing_arrays=names, lost_metadata=("epoch",))
    second = dataclasses.replace(second, resumed_distance=1e-3, resumed_differing=("bias_0",), output=None)
    checkpoint = dataclasses.replace(record.checkpoint, trips=(first, second, *others[:-1]))
    text = Page(page_of(builders.judged(dataclasses.replace(record, checkpoint=checkpoint)))).text
    assert "7 of 8 trips were made" in text
    assert "differ: weight_0, weight_1, bias_0 and 1 more lost: epoch 640 bit-equal" in text
    assert "8 bit-equal kept not measured 0.001 apart; two from one state 0" in text
    assert "candidate candidate .safetensors not measured: the trip broke" in text


def test_a_measured_page_shows_the_ratio_the_slices_and_why_one_block_is_out(measured: Any) -> None:
    made = page_of(measured)
    text = Page(made).text
    assert "Step time, candidate ÷ reference." in text
    assert re.search(r"Comparison judged: t and bootstrap 11 of 12 \S+ \S+ to \S+", text)
    assert "Process pair 2 3 blocks, t 3" in text
    assert "Reference ÷ reference band ±2.5 % 12 of 12" in text
    assert "Comparison, block 5 thermal throttling for 40.0% of a slice" in text
    assert "5 ✕" in text
    assert "Kernel-resident time 88 % 88 %" in text
    assert "What was not there temperature_c no such sensor" in text
    assert "Peak of the pool 110 MiB 110 MiB" in text
    assert 'id="absent"' not in made
    assert {"#performance", "#utilization", "#memory"} <= set(re.findall(r'href="(#\w+)"', made))


def test_the_finding_of_a_section_is_its_gravest_check(leaking: Any) -> None:
    text = Page(page_of(leaking)).text
    assert re.search(r"Memory FAIL Step 10 is the first to allocate otherwise", text)
    assert "steady steps malloc of 2 KiB 0 30" in text
    assert "cand. 4 KiB [4 KiB to 4 KiB]" in text


def test_a_side_that_broke_and_a_cpu_are_not_measured_rather_than_zero(timed_on_cpu: Any) -> None:
    text = Page(page_of(timed_on_cpu)).text
    assert "the run was on a CPU, where there is no kernel-resident time" in text.replace("The run", "the run")
    assert "Kernel-resident time not measured not measured" in text
    assert "Peak of the arrays 110 MiB not measured" in text
    assert "SM active" not in text
    assert "Outside the pool" not in text
    assert "Samples over the phase, one clock." in text


def test_the_table_of_checks_leaves_figures_by_side_to_their_section(measured: Any) -> None:
    text = Page(page_of(measured)).text
    assert "figures by side: in the section Performance" in text
    assert "t_interval" not in text
    assert "limit_bytes" not in text
