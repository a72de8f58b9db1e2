"""What a machine's operating system has reported of itself."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("machines", sa.Column("reported_start", sa.Text, nullable=False, server_default=""))
    op.add_column("machines", sa.Column("reported_boot", sa.Integer, nullable=False, server_default="0"))
    op.add_column("machines", sa.Column("reported_faults", sa.Text, nullable=False, server_default=""))
