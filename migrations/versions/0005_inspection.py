"""The hardware that was read before an install, and whether a reinstall may erase what is on the disk."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("machines", sa.Column("intent_wipes", sa.Integer, nullable=False, server_default="0"))
    op.add_column("machines", sa.Column("inspection", sa.Text, nullable=False, server_default=""))
