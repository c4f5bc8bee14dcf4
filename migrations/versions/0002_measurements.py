"""Spread, slack and relative difference of a diff; slices, telemetry and allocation events.

Types are written out here, not taken from `service.store`: what a released migration does never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    # Plain ADD COLUMN: a batch would copy the largest table there is.
    op.add_column("diffs", sa.Column("max_rel", sa.Double()))
    op.add_column("diffs", sa.Column("reference_spread", sa.Double()))
    # Rows of revision 0001 were judged without slack.
    op.add_column("diffs", sa.Column("reference_slack", sa.Double(), nullable=False, server_default="1.0"))
    op.create_table(
        "slices",
        sa.Column("run_id", IDENTIFIER, nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("block", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("pair", sa.Integer(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("steps", sa.BigInteger(), nullable=False),
        sa.Column("median_step_ms", sa.Double(), nullable=False),
        sa.Column("mean_step_ms", sa.Double(), nullable=False),
        sa.Column("steps_busy_s", sa.Double(), nullable=False),
        sa.Column("started_s", sa.Double(), nullable=False),
        sa.Column("ended_s", sa.Double(), nullable=False),
        sa.Column("sm_clock_mhz", sa.Double()),
        sa.Column("kernel_resident_pct", sa.Double()),
        sa.Column("thread_cpu_s", sa.Double()),
        sa.Column("activity", sa.Text(), nullable=False),
        sa.Column("before", sa.Text()),
        sa.Column("after", sa.Text()),
        sa.CheckConstraint("role IN ('reference', 'candidate')", name=op.f("ck_slices_role")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_slices_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "session", "block", "position", name=op.f("pk_slices")),
    )
    op.create_table(
        "telemetry",
        sa.Column("run_id", IDENTIFIER, nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Double()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_telemetry_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "at_s", "field", name=op.f("pk_telemetry")),
    )
    op.create_table(
        "allocations",
        sa.Column("run_id", IDENTIFIER, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("role IN ('reference', 'candidate')", name=op.f("ck_allocations_role")),
        sa.CheckConstraint("operation IN ('malloc', 'free')", name=op.f("ck_allocations_operation")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_allocations_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "role", "position", name=op.f("pk_allocations")),
    )


def downgrade() -> None:
    for table in ("allocations", "telemetry", "slices"):
        op.drop_table(table)
    with op.batch_alter_table("diffs") as batch:
        for column in ("reference_slack", "reference_spread", "max_rel"):
            batch.drop_column(column)
