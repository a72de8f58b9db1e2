"""As which Node of which cluster a machine was seen last."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("machines", sa.Column("reported_node", sa.Text, nullable=False, server_default=""))
