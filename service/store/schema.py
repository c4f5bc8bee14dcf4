"""The tables. Every constraint has a name, so that a migration can change it on SQLite too.

A run is one row. The rows that come by the thousand, losses and diffs, have tables of their own, typed column by
column, so that they can be paged and queried; the rest of the record is one JSON document (see `codec`).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from service.store.column_types import IDENTIFIER, Measured, Ulps, UtcTime, Words


class Base(DeclarativeBase):
    """Holds the metadata that migrations are compared with."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(referred_table_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  (read once by SQLAlchemy's metaclass)
        str: Words,
        float: Measured,
        datetime: UtcTime,
    }


class Run(Base):
    """One dual run. `reference` and `candidate` repeat the plan's, to be listed by; the documents come last, because
    SQLite reads a row from its start."""

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'finished', 'failed', 'cancelled')", name="state"),
        CheckConstraint("outcome IN ('PASS', 'FAIL', 'INCONCLUSIVE')", name="outcome"),
        # By state and id: the oldest queued run is the first entry, and a listing by state reads backwards.
        Index(None, "state", "id"),
        Index(None, "outcome", "id"),
        Index(None, "reference", "id"),
        Index(None, "candidate", "id"),
    )

    id: Mapped[str] = mapped_column(IDENTIFIER, primary_key=True)
    state: Mapped[str]
    reference: Mapped[str]
    candidate: Mapped[str]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    summary: Mapped[str | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    progress_phase: Mapped[str | None]
    progress_done: Mapped[int | None] = mapped_column(BigInteger)
    progress_total: Mapped[int | None] = mapped_column(BigInteger)
    progress_message: Mapped[str | None]
    cancel_requested: Mapped[bool]
    worker: Mapped[str | None]
    plan_digest: Mapped[str]
    plan: Mapped[str] = mapped_column(Text)
    policy: Mapped[str] = mapped_column(Text)
    verdict: Mapped[str | None] = mapped_column(Text)
    record: Mapped[str | None] = mapped_column(Text)


class Step(Base):
    """The losses of one step."""

    __tablename__ = "steps"

    run_id: Mapped[str] = mapped_column(IDENTIFIER, ForeignKey(Run.id, ondelete="CASCADE"), primary_key=True)
    phase: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    reference_loss: Mapped[float | None]
    candidate_loss: Mapped[float | None]


class Diff(Base):
    """One tap compared at one step; shapes and indices are JSON lists of whole numbers."""

    __tablename__ = "diffs"

    run_id: Mapped[str] = mapped_column(IDENTIFIER, ForeignKey(Run.id, ondelete="CASCADE"), primary_key=True)
    phase: Mapped[str] = mapped_column(primary_key=True)
    step: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    tap: Mapped[str]
    shape: Mapped[str] = mapped_column(Text)
    dtype: Mapped[str]
    elements: Mapped[int] = mapped_column(BigInteger)
    reference_nan: Mapped[int] = mapped_column(BigInteger)
    reference_inf: Mapped[int] = mapped_column(BigInteger)
    candidate_nan: Mapped[int] = mapped_column(BigInteger)
    candidate_inf: Mapped[int] = mapped_column(BigInteger)
    mismatches: Mapped[int] = mapped_column(BigInteger)
    max_abs: Mapped[float | None]
    rms: Mapped[float | None]
    cosine: Mapped[float | None]
    max_ulp: Mapped[int | None] = mapped_column(Ulps)
    worst_index: Mapped[str | None] = mapped_column(Text)
    reference_error: Mapped[float | None]
    candidate_error: Mapped[float | None]
    reference_error_rms: Mapped[float | None]
    candidate_error_rms: Mapped[float | None]
    candidate_worst_index: Mapped[str | None] = mapped_column(Text)
    oracle_scale: Mapped[float | None]
    floor_scale: Mapped[float]
    # The order of a table's columns is that of its migrations.
    max_rel: Mapped[float | None]
    reference_spread: Mapped[float | None]
    reference_slack: Mapped[float] = mapped_column(server_default="1.0")


_ROLE = "role IN ('reference', 'candidate')"


class TimedSlice(Base):
    """One slice of a timing session; readings at its edges and its activity are JSON."""

    __tablename__ = "slices"
    __table_args__ = (CheckConstraint(_ROLE, name="role"),)

    run_id: Mapped[str] = mapped_column(IDENTIFIER, ForeignKey(Run.id, ondelete="CASCADE"), primary_key=True)
    session: Mapped[str] = mapped_column(primary_key=True)
    block: Mapped[int] = mapped_column(Integer, primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    pair: Mapped[int] = mapped_column(Integer)
    role: Mapped[str]
    steps: Mapped[int] = mapped_column(BigInteger)
    median_step_ms: Mapped[float]
    mean_step_ms: Mapped[float]
    steps_busy_s: Mapped[float]
    started_s: Mapped[float]
    ended_s: Mapped[float]
    sm_clock_mhz: Mapped[float | None]
    kernel_resident_pct: Mapped[float | None]
    thread_cpu_s: Mapped[float | None]
    turns: Mapped[int] = mapped_column(Integer, server_default="1")
    own_s: Mapped[float | None]
    activity: Mapped[str] = mapped_column(Text)
    before: Mapped[str | None] = mapped_column(Text)
    after: Mapped[str | None] = mapped_column(Text)


class Telemetry(Base):
    """One value of one field at one moment of the machine's monotonic clock."""

    __tablename__ = "telemetry"

    run_id: Mapped[str] = mapped_column(IDENTIFIER, ForeignKey(Run.id, ondelete="CASCADE"), primary_key=True)
    at_s: Mapped[float] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float | None]
    status: Mapped[str]


class Allocation(Base):
    """One allocation or release of a side, in the order in which they happened."""

    __tablename__ = "allocations"
    __table_args__ = (
        CheckConstraint(_ROLE, name="role"),
        CheckConstraint("operation IN ('malloc', 'free')", name="operation"),
    )

    run_id: Mapped[str] = mapped_column(IDENTIFIER, ForeignKey(Run.id, ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    step: Mapped[int] = mapped_column(BigInteger)
    operation: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)


class PromotionLine(Base):
    """One line of the ladder's history. No cascade: a run that is evidence here cannot be deleted."""

    __tablename__ = "promotions"
    __table_args__ = (CheckConstraint("action IN ('promote', 'rollback')", name="action"),)

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    action: Mapped[str]
    rung: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    run_id: Mapped[str | None] = mapped_column(IDENTIFIER, ForeignKey(Run.id))
    source_digest: Mapped[str | None]
    note: Mapped[str]


class Check(Base):
    """One check of a finished run's verdict."""

    __tablename__ = "checks"
    __table_args__ = (
        CheckConstraint(
            "outcome IN ('pass', 'fail', 'inconclusive', 'not_measured', 'not_applicable')",
            name="outcome",
        ),
    )

    run_id: Mapped[str] = mapped_column(IDENTIFIER, ForeignKey(Run.id, ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str]
    outcome: Mapped[str]
    required: Mapped[bool]
    value: Mapped[float | None]
    limit: Mapped[float | None]
    unit: Mapped[str | None]
    message: Mapped[str]
    evidence: Mapped[str] = mapped_column(Text)
