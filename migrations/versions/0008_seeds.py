"""In which boot a machine got its cloud-init documents, and whether it has its secrets."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("machines", sa.Column("seed_boot", sa.Integer, nullable=False, server_default="0"))
    op.add_column("machines", sa.Column("seed_spent", sa.Integer, nullable=False, server_default="0"))
