"""The ladder's history: who promoted or rolled back to which rung, when, and by which run.

Types are written out here, not taken from `service.store`: what a released migration does never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# As in revision 0001.
IDENTIFIER = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "promotions",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("rung", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("run_id", IDENTIFIER),
        sa.Column("source_digest", sa.Text()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("action IN ('promote', 'rollback')", name=op.f("ck_promotions_action")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_promotions_runs")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_promotions")),
    )


def downgrade() -> None:
    op.drop_table("promotions")
