"""Rows as CSV: what a spreadsheet and a data frame read is what was observed, and nothing in it is carried out."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from service.api.accept import preferred
from service.api.csv_rows import columns_of, csv_text
from service.parity.measurements import EdgeReading, Slice, TelemetrySample
from service.parity.record import DiffStats, StepLosses, TapDiff
from service.parity.verdict import CheckResult, Verdict
from service.store.memory import MemoryRunStore

RUNS = "/api/v1/runs"
AT = datetime(2030, 1, 1, tzinfo=UTC)
ROWS = ("steps", "diffs", "slices", "telemetry", "allocations", "checks")
STATS = DiffStats(6, 0, 0, 1, 0, 2, -1e-7, math.nan, None, 2**64 - 1, (1, 2))


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@dataclass(frozen=True)
class Cell:
    """One cell of every kind."""

    value: Any = None
    more: dict[str, Any] = field(default_factory=dict)


class TestCells:
    @pytest.mark.parametrize(
        ("value", "cell"),
        [
            (None, ""),
            (0, "0"),
            (0.0, "0.0"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (5e-324, "5e-324"),
            (math.nan, "NaN"),
            (math.inf, "Infinity"),
            (-math.inf, "-Infinity"),
            (True, "true"),
            ((1, 2), "[1, 2]"),
            ({"a": math.nan, "b": None}, '{"a": "NaN", "b": null}'),
            ("plain", "plain"),
            ('a "b", c\nd', 'a "b", c\nd'),
            ("ü 漢", "ü 漢"),
        ],
    )
    def test_is_written_as_it_is(self, value: object, cell: str) -> None:
        assert read(csv_text(Cell, [Cell(value)])) == [{"value": cell, "more": "{}"}]

    @pytest.mark.parametrize("text", ["=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("x")', "-Infinity"])
    def test_text_that_would_begin_a_formula_is_shown_instead(self, text: str) -> None:
        assert read(csv_text(Cell, [Cell(text)]))[0]["value"] == f"'{text}"


def test_columns_stand_without_rows() -> None:
    assert csv_text(StepLosses, []) == "phase,step,reference,candidate\r\n"


def test_a_dataclass_within_gives_columns_of_its_own() -> None:
    names = [name for name, _ in columns_of(TapDiff)]
    assert names[:6] == ["phase", "step", "position", "tap", "shape", "dtype"]
    assert {"stats.elements", "stats.max_abs", "stats.max_rel", "reference_slack"} <= set(names)
    (row,) = read(csv_text(TapDiff, [TapDiff("synchronized", 0, 1, "loss", (2, 3), "float32", STATS)]))
    assert (row["shape"], row["stats.max_abs"], row["stats.rms"], row["stats.cosine"]) == (
        "[2, 3]",
        "-1e-07",
        "NaN",
        "",
    )
    assert (row["stats.max_ulp"], row["stats.worst_index"]) == (str(2**64 - 1), "[1, 2]")


def test_what_is_read_at_an_edge_is_json() -> None:
    edge = EdgeReading(1.0, {"energy_j": math.nan})
    piece = Slice("a_a", 0, 0, 0, "reference", 5, 1.0, 1.0, 0.005, 1.0, 1.1, edge)
    (row,) = read(csv_text(Slice, [piece]))
    assert json.loads(row["before"])["values"] == {"energy_j": "NaN"}
    assert (row["after"], row["activity"]) == ("", "{}")


class TestByAccept:
    @pytest.fixture
    def run_id(self, store: MemoryRunStore, new_run: Callable[..., str]) -> str:
        run_id = new_run()
        store.claim(run_id, "worker", AT)
        store.add_losses(run_id, [StepLosses("synchronized", step, 0.5, math.nan) for step in range(5)])
        store.add_telemetry(run_id, [TelemetrySample(1.0, "power_w", None, "lost")])
        check = CheckResult("memory.leak", "fail", "=it grows", True, -math.inf, 1.0, None, {"worst": -math.inf})
        store.finish(run_id, Verdict("FAIL", "it is off", (check,), "default"), AT)
        return run_id

    def test_pages_follow_each_other(self, client: TestClient, run_id: str) -> None:
        address, seen = f"{RUNS}/{run_id}/steps?limit=2", []
        while address:
            response = client.get(address, headers={"Accept": "text/csv"})
            assert response.headers["content-type"] == "text/csv; charset=utf-8"
            assert response.headers["vary"] == "Accept"
            seen += [(row["step"], row["candidate"]) for row in read(response.text)]
            address = response.links.get("next", {}).get("url", "")
        assert seen == [(str(step), "NaN") for step in range(5)]

    @pytest.mark.parametrize("rows", ROWS)
    def test_every_list_has_both_forms(self, rows: str, client: TestClient, run_id: str) -> None:
        as_csv = client.get(f"{RUNS}/{run_id}/{rows}", headers={"Accept": "text/csv"})
        as_json = client.get(f"{RUNS}/{run_id}/{rows}")
        assert as_json.headers["content-type"] == "application/json"
        assert as_json.headers["vary"] == "Accept"
        assert len(read(as_csv.text)) == len(as_json.json()["items"])
        assert "," in as_csv.text.partition("\r\n")[0]

    def test_a_check(self, client: TestClient, run_id: str) -> None:
        (row,) = read(client.get(f"{RUNS}/{run_id}/checks", headers={"Accept": "text/csv"}).text)
        assert (row["message"], row["value"], row["limit"], row["unit"]) == ("'=it grows", "-Infinity", "1.0", "")
        assert json.loads(row["evidence"]) == {"worst": "-Infinity"}

    @pytest.mark.parametrize(
        ("accept", "form"),
        [
            ("", "json"),
            ("*/*", "json"),
            ("text/csv", "csv"),
            ("text/csv;q=0.5, application/json", "json"),
            ("application/json;q=0.5, text/csv", "csv"),
            ("text/csv;q=0", "json"),
            ("text/html,application/xhtml+xml,*/*;q=0.8", "json"),
        ],
    )
    def test_the_preferred_form(self, accept: str, form: str) -> None:
        offered = {"application/json": "json", "*/*": "json", "text/csv": "csv"}
        assert preferred(accept, offered, "json") == form
