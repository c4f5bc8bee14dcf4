"""The first record: runs, the losses of their steps, their diffs and their checks.

Types are written out here, not taken from `service.store`: what a released migration does never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Ids sort by creation, byte by byte, whatever the server's locale. SQLite's text does so by itself.
IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.Text()),
        sa.Column("summary", sa.Text()),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_message", sa.Text()),
        sa.Column("progress_phase", sa.Text()),
        sa.Column("progress_done", sa.BigInteger()),
        sa.Column("progress_total", sa.BigInteger()),
        sa.Column("progress_message", sa.Text()),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("worker", sa.Text()),
        sa.Column("plan_digest", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text()),
        sa.Column("record", sa.Text()),
        sa.CheckConstraint("outcome IN ('PASS', 'FAIL', 'INCONCLUSIVE')", name=op.f("ck_runs_outcome")),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'finished', 'failed', 'cancelled')", name=op.f("ck_runs_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_candidate_id"), "runs", ["candidate", "id"], unique=False)
    op.create_index(op.f("ix_runs_outcome_id"), "runs", ["outcome", "id"], unique=False)
    op.create_index(op.f("ix_runs_reference_id"), "runs", ["reference", "id"], unique=False)
    op.create_index(op.f("ix_runs_state_id"), "runs", ["state", "id"], unique=False)
    op.create_table(
        "steps",
        sa.Column("run_id", IDENTIFIER, nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("reference_loss", sa.Double()),
        sa.Column("candidate_loss", sa.Double()),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_steps_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "phase", "step", name=op.f("pk_steps")),
    )
    op.create_table(
        "diffs",
        sa.Column("run_id", IDENTIFIER, nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("tap", sa.Text(), nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("dtype", sa.Text(), nullable=False),
        sa.Column("elements", sa.BigInteger(), nullable=False),
        sa.Column("reference_nan", sa.BigInteger(), nullable=False),
        sa.Column("reference_inf", sa.BigInteger(), nullable=False),
        sa.Column("candidate_nan", sa.BigInteger(), nullable=False),
        sa.Column("candidate_inf", sa.BigInteger(), nullable=False),
        sa.Column("mismatches", sa.BigInteger(), nullable=False),
        sa.Column("max_abs", sa.Double()),
        sa.Column("rms", sa.Double()),
        sa.Column("cosine", sa.Double()),
        sa.Column("max_ulp", sa.Text()),
        sa.Column("worst_index", sa.Text()),
        sa.Column("reference_error", sa.Double()),
        sa.Column("candidate_error", sa.Double()),
        sa.Column("reference_error_rms", sa.Double()),
        sa.Column("candidate_error_rms", sa.Double()),
        sa.Column("candidate_worst_index", sa.Text()),
        sa.Column("oracle_scale", sa.Double()),
        sa.Column("floor_scale", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_diffs_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "phase", "step", "position", name=op.f("pk_diffs")),
    )
    op.create_table(
        "checks",
        sa.Column("run_id", IDENTIFIER, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("value", sa.Double()),
        sa.Column("limit", sa.Double()),
        sa.Column("unit", sa.Text()),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('pass', 'fail', 'inconclusive', 'not_measured', 'not_applicable')",
            name=op.f("ck_checks_outcome"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_checks_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_checks")),
    )


def downgrade() -> None:
    for table in ("checks", "diffs", "steps", "runs"):
        op.drop_table(table)
