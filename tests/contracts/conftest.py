"""What the contract suites share. Databases are migrated once and copied: tests never create tables themselves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.parity.plan import Plan
from service.parity.record import (
    BandMember,
    BatchLedger,
    CheckpointEvidence,
    CheckpointTrip,
    DiffStats,
    FreeRunningEvidence,
    IntegrityEvidence,
    LearnedModel,
    LearningEvidence,
    RunRecord,
    SignFlips,
    StepLosses,
    SubjectInfo,
    Swatch,
    SynchronizedEvidence,
    TapDiff,
    Trouble,
)
from service.parity.verdict import CheckResult, FirstDivergence, Verdict
from service.ports import RunStore
from service.store.connection import make_engine
from service.store.memory import MemoryRunStore
from service.store.migrate import migrate
from service.store.sql import SqlRunStore

NAN, INF = float("nan"), float("inf")


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("migrated") / "template.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(migrated_database: Path, tmp_path: Path) -> str:
    """The address of a migrated SQLite database of the test's own."""
    path = tmp_path / "runs.db"
    shutil.copy(migrated_database, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["memory", "sqlite"])
def run_store(request: pytest.FixtureRequest) -> Iterator[RunStore]:
    """Every implementation of the port, empty."""
    store: RunStore
    if request.param == "memory":
        store = MemoryRunStore()
    else:
        store = SqlRunStore(make_engine(request.getfixturevalue("sqlite_url")))
    yield store
    store.close()


@pytest.fixture
def stats() -> DiffStats:
    """Every field set, each to a value that a careless store would change."""
    return DiffStats(
        elements=2**40,
        reference_nan=1,
        reference_inf=2,
        candidate_nan=3,
        candidate_inf=4,
        mismatches=5,
        max_abs=1e-320,
        rms=NAN,
        cosine=-INF,
        max_ulp=2**64 - 1,
        worst_index=(31, 511),
        reference_error=0.1,
        candidate_error=INF,
        reference_error_rms=1.7976931348623157e308,
        candidate_error_rms=5e-324,
        candidate_worst_index=(),
        oracle_scale=3.0,
    )


@pytest.fixture
def full_record(stats: DiffStats) -> RunRecord:
    """A record in which every field of every part is filled."""
    losses = (StepLosses("synchronized", 0, 1.5, NAN), StepLosses("synchronized", 5, INF, None))
    trouble = Trouble("candidate", "synchronized", 5, "missing_tap", "no tap forward.layer1.output", "forward.layer1")
    synchronized = SynchronizedEvidence(
        expected_steps=(0, 5),
        expected_taps=("forward.layer0.output", "loss"),
        compared_steps=(0,),
        comparisons=2,
        reference_start_digest="aa",
        candidate_start_digest="bb",
        witness="float64 oracle",
        diffs=(
            TapDiff("synchronized", 0, 0, "forward.layer0.output", (32, 512), "float32", stats),
            TapDiff("synchronized", 0, 1, "loss", (), "float64", stats, floor_scale=128.0),
        ),
        signs=(SignFlips(0, "forward.layer0.pre", "reference", 16384, 1, 0.5),),
        losses=losses,
        troubles=(trouble,),
        seconds=1.25,
    )
    free_running = FreeRunningEvidence(
        expected_steps=2,
        reference_steps=2,
        candidate_steps=1,
        reference_start_digest="cc",
        candidate_start_digest="dd",
        weight_steps=(0, 1),
        candidate_weight_distances=(0.0, NAN),
        members=(BandMember((1.0, INF), (0.25, -INF), 0.99),),
        losses=(StepLosses("free_running", 0, 1.0, 1.0), StepLosses("free_running", 1, 0.5, NAN)),
        troubles=(trouble,),
        seconds=None,
    )
    learning = LearningEvidence(
        models=(LearnedModel("reference", 1398, 400, 0.25, 0.2, None, 0),),
        swatches=(Swatch("acid green", (0.7, 0.75, 0.1), (0.7, NAN, 0.1), None),),
        troubles=(trouble,),
    )
    checkpoint = CheckpointEvidence(
        trips=(
            CheckpointTrip(
                "reference", "candidate", "npz", 4, ("bias_1",), ("epoch",), stats, 7, NAN, ("bias_0",), INF
            ),
            CheckpointTrip("candidate", "reference", "safetensors", 4, (), (), None, 0, None, (), None),
        ),
        troubles=(trouble,),
        seconds=0.5,
    )
    ledger = BatchLedger("synchronized", 2, "ee", 2, "ee", 1, "ff")
    return RunRecord(
        plan=Plan(seed=2**32 - 1, phases=("synchronized", "free_running")),
        subjects={"reference": SubjectInfo("legacy", "1", "ab", 123, 456, "cpu", {"forward": "tiled, rung 0"})},
        environment={"gpu": None, "versions": {"numpy": "2.3"}, "clock_hz": NAN, "$odd": [INF, 1, True], "empty": {}},
        integrity=IntegrityEvidence("dd", 1398, (ledger,), ("matrix_kernels.py",)),
        synchronized=synchronized,
        free_running=free_running,
        learning=learning,
        checkpoint=checkpoint,
        troubles=(Trouble("reference", "setup", None, "exception", "no memory"),),
    )


@pytest.fixture
def full_verdict() -> Verdict:
    """A verdict in which every field is filled; two checks, so that order shows."""
    return Verdict(
        outcome="FAIL",
        summary="forward.layer0.output is 7.1 times further from the oracle",
        checks=(
            CheckResult(
                name="numerics.synchronized",
                outcome="fail",
                message="error ratio 7.1, limit 4",
                required=True,
                value=INF,
                limit=4.0,
                unit="ratio",
                evidence={"tap": "forward.layer0.output", "ratio": NAN, "steps": [0, 5]},
            ),
            CheckResult(name="learning.loss_falls", outcome="not_measured", message="the phase did not run", value=NAN),
        ),
        policy="default",
        first_divergence=FirstDivergence("synchronized", 0, "forward.layer0.output", None, "kernels/matmul.cu"),
    )
