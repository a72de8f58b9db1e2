"""NICs of which only the owner can tell whose they are."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("machines", sa.Column("unsure", sa.Text, nullable=False, server_default=""))
