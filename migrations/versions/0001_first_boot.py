"""Machines, their interfaces, their boots and each boot's stages; views for people with ``sqlite3``."""

from datetime import UTC, datetime
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

MACHINE_OVERVIEW = """
CREATE VIEW machine_overview AS
SELECT
    (SELECT group_concat(mac, ' ')
        FROM (SELECT mac FROM interfaces WHERE machine_id = m.id ORDER BY position)) AS macs,
    coalesce(m.address, '') AS address,
    coalesce(m.arch, '') AS arch,
    m.firmware AS firmware,
    m.manufacturer AS manufacturer,
    m.product AS product,
    m.serial AS serial,
    m.generation AS boots,
    m.reached AS reached,
    substr(b.started_at, 1, 19) || 'Z' AS last_boot,
    substr(m.last_seen, 1, 19) || 'Z' AS last_seen,
    substr(m.first_seen, 1, 19) || 'Z' AS first_seen,
    coalesce(m.uuid, '') AS uuid,
    m.id AS id
FROM machines AS m
LEFT JOIN boots AS b ON b.machine_id = m.id AND b.generation = m.generation
ORDER BY m.last_seen DESC
"""

BOOT_TIMELINE = """
CREATE VIEW boot_timeline AS
SELECT
    e.at AS at,
    (SELECT mac FROM interfaces WHERE machine_id = e.machine_id ORDER BY position LIMIT 1) AS mac,
    e.generation AS boot,
    round((julianday(e.at) - julianday(b.started_at)) * 86400, 1) AS seconds,
    e.stage AS stage,
    e.bytes AS bytes,
    round(e.milliseconds, 1) AS milliseconds,
    e.detail AS detail,
    e.machine_id AS machine_id
FROM boot_events AS e
JOIN boots AS b ON b.machine_id = e.machine_id AND b.generation = e.generation
ORDER BY e.id
"""


def upgrade() -> None:
    _create_local_server()
    _create_machines()
    _create_boots()
    op.execute(MACHINE_OVERVIEW)
    op.execute(BOOT_TIMELINE)


def _create_local_server() -> None:
    table = op.create_table(
        "local_server",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("created_at", sa.Text, nullable=False),
    )
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    op.bulk_insert(table, [{"id": str(uuid4()), "created_at": now}])


def _create_machines() -> None:
    op.create_table(
        "machines",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("reached", sa.Text, nullable=False),
        sa.Column("firmware", sa.Text, nullable=False),
        sa.Column("arch", sa.Text),
        sa.Column("uuid", sa.Text),
        sa.Column("serial", sa.Text, nullable=False),
        sa.Column("manufacturer", sa.Text, nullable=False),
        sa.Column("product", sa.Text, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("first_seen", sa.Text, nullable=False),
        sa.Column("last_seen", sa.Text, nullable=False),
        sa.Column("server_id", sa.Text, nullable=False),
    )
    op.create_table(
        "interfaces",
        sa.Column("mac", sa.Text, primary_key=True),
        sa.Column("machine_id", sa.Text, sa.ForeignKey("machines.id", ondelete="CASCADE"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("server_id", sa.Text, nullable=False),
    )
    op.create_index("interfaces_of_machine", "interfaces", ["machine_id"])


def _create_boots() -> None:
    op.create_table(
        "boots",
        sa.Column("machine_id", sa.Text, sa.ForeignKey("machines.id", ondelete="CASCADE"), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("started_at", sa.Text, nullable=False),
        sa.Column("last_event_at", sa.Text, nullable=False),
        sa.Column("reached", sa.Text, nullable=False),
        sa.Column("server_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("machine_id", "generation"),
    )
    op.create_table(
        "boot_events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("machine_id", sa.Text, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("milliseconds", sa.Float, nullable=False),
        sa.Column("server_id", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id", "generation"], ["boots.machine_id", "boots.generation"], ondelete="CASCADE"
        ),
    )
    op.create_index("boot_events_of_boot", "boot_events", ["machine_id", "generation"])
