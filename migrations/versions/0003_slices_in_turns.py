"""Slices that were taken in turns: how many, and the seconds of their own.

Types are written out here, not taken from `service.store`: what a released migration does never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Those of revision 0002 were taken in one stretch.
    op.add_column("slices", sa.Column("turns", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("slices", sa.Column("own_s", sa.Double()))


def downgrade() -> None:
    with op.batch_alter_table("slices") as batch:
        for column in ("own_s", "turns"):
            batch.drop_column(column)
