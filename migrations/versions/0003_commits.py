"""Which commit of the fleet was in force when, and what it changed for which machine."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

FLEET_HISTORY = """
CREATE VIEW fleet_history AS
SELECT
    substr(c.at, 1, 19) || 'Z' AS at,
    substr(c.commit_id, 1, 12) AS "commit",
    c.outcome || CASE WHEN c.rewritten THEN ' (rewritten)' ELSE '' END AS outcome,
    c.author AS author,
    c.subject AS subject,
    coalesce(d.machine, '') AS machine,
    coalesce(d.change, c.problem) AS change
FROM commits AS c
LEFT JOIN commit_changes AS d ON d.commit_row = c.id
ORDER BY c.id, d.id
"""


def upgrade() -> None:
    op.create_table(
        "commits",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("commit_id", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("committed_at", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("rewritten", sa.Integer, nullable=False),
        sa.Column("server_id", sa.Text, nullable=False),
    )
    op.create_table(
        "commit_changes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("commit_row", sa.Integer, sa.ForeignKey("commits.id", ondelete="CASCADE"), nullable=False),
        sa.Column("machine", sa.Text, nullable=False),
        sa.Column("change", sa.Text, nullable=False),
        sa.Column("server_id", sa.Text, nullable=False),
    )
    op.create_index("commit_changes_of_commit", "commit_changes", ["commit_row"])
    op.execute(FLEET_HISTORY)
