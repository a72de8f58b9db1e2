"""What is left to do in a cluster after a machine that is installed again."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("machines", sa.Column("clean_up", sa.Text, nullable=False, server_default=""))
