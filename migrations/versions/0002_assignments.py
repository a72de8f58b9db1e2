"""Names and roles, the enrolment window, what is wanted of each machine and how far it came."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

MACHINE_OVERVIEW = """
CREATE VIEW machine_overview AS
SELECT
    coalesce(a.name, '') AS name,
    coalesce(a.layer, '') AS layer,
    coalesce(a.role, '') AS role,
    m.phase AS phase,
    CASE
        WHEN m.intent = 'boot' THEN 'boot'
        WHEN m.intent_why = '' THEN m.intent || ' (' || m.intent_by || ')'
        ELSE m.intent || ' (' || m.intent_by || ': ' || m.intent_why || ')'
    END AS intent,
    CASE WHEN length(m.conflict) > 40 THEN substr(m.conflict, 1, 39) || '…' ELSE m.conflict END AS conflict,
    (SELECT group_concat(mac, ' ')
        FROM (SELECT mac FROM interfaces WHERE machine_id = m.id ORDER BY position)) AS macs,
    coalesce(m.address, '') AS address,
    substr(trim(m.manufacturer || ' ' || m.product), 1, 30) AS make,
    m.serial AS serial,
    m.generation AS boots,
    m.reached AS reached,
    substr(m.last_seen, 1, 19) || 'Z' AS last_seen,
    m.furthest AS furthest,
    coalesce(m.arch, '') AS arch,
    m.firmware AS firmware,
    m.board AS board,
    substr(b.started_at, 1, 19) || 'Z' AS last_boot,
    substr(m.first_seen, 1, 19) || 'Z' AS first_seen,
    coalesce(m.uuid, '') AS uuid,
    m.id AS id
FROM machines AS m
LEFT JOIN assignments AS a ON a.machine_id = m.id
LEFT JOIN boots AS b ON b.machine_id = m.id AND b.generation = m.generation
ORDER BY a.name IS NULL, a.layer, a.name, m.last_seen DESC
"""

BOOT_TIMELINE = """
CREATE VIEW boot_timeline AS
SELECT
    coalesce(
        (SELECT name FROM assignments WHERE machine_id = e.machine_id),
        (SELECT mac FROM interfaces WHERE machine_id = e.machine_id ORDER BY position LIMIT 1)
    ) AS machine,
    e.generation AS boot,
    round((julianday(e.at) - julianday(b.started_at)) * 86400, 1) AS seconds,
    e.stage AS stage,
    CASE WHEN e.stage IN ('kernel', 'initramfs')
        THEN replace(e.detail, rtrim(e.detail, replace(e.detail, '/', '')), '')
        ELSE e.detail
    END AS detail,
    e.bytes AS bytes,
    round(e.milliseconds, 1) AS ms,
    e.cause AS cause,
    e.at AS at,
    (SELECT mac FROM interfaces WHERE machine_id = e.machine_id ORDER BY position LIMIT 1) AS mac,
    e.machine_id AS machine_id
FROM boot_events AS e
JOIN boots AS b ON b.machine_id = e.machine_id AND b.generation = e.generation
ORDER BY e.id
"""

STAGES = (
    "discover",
    "boot-server",
    "nbp",
    "ipxe-discover",
    "first-script",
    "script",
    "kernel",
    "initramfs",
    "config",
)
"""As revision 0001 wrote them, in their order."""


def upgrade() -> None:
    op.execute("DROP VIEW machine_overview")
    op.execute("DROP VIEW boot_timeline")
    _add_columns()
    _tell_how_far_each_machine_came()
    _create_assignments()
    _create_enrolment_window()
    op.execute(MACHINE_OVERVIEW)
    op.execute(BOOT_TIMELINE)


def _add_columns() -> None:
    for name, value in (
        ("furthest", "discover"),
        ("board", ""),
        ("phase", "discovered"),
        ("intent", "boot"),
        ("intent_by", ""),
        ("intent_why", ""),
        ("conflict", ""),
        ("claimed", ""),
        ("apart", ""),
        ("attempt_chain", ""),
        ("attempt_best", "discover"),
        ("attempt_starts", ""),
    ):
        op.add_column("machines", sa.Column(name, sa.Text, nullable=False, server_default=value))
    op.add_column("machines", sa.Column("attempt_boot", sa.Integer, nullable=False, server_default="0"))
    op.add_column("boot_events", sa.Column("cause", sa.Text, nullable=False, server_default=""))


def _tell_how_far_each_machine_came() -> None:
    for stage in STAGES:
        op.execute(
            f"UPDATE machines SET furthest = '{stage}' WHERE reached = '{stage}' OR EXISTS "  # noqa: S608 - ours
            f"(SELECT 1 FROM boots WHERE machine_id = machines.id AND reached = '{stage}')"
        )
    op.execute("UPDATE machines SET phase = 'booting' WHERE furthest IN ('script', 'kernel', 'initramfs')")
    op.execute("UPDATE machines SET phase = 'installing' WHERE furthest = 'config'")


def _create_assignments() -> None:
    op.create_table(
        "assignments",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("layer", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("machine_id", sa.Text, sa.ForeignKey("machines.id", ondelete="SET NULL")),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("assigned_at", sa.Text, nullable=False),
        sa.Column("server_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("layer", "name"),
        sa.UniqueConstraint("machine_id"),
    )


def _create_enrolment_window() -> None:
    op.create_table(
        "enrolment_window",
        sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1", name="one_window"), primary_key=True),
        sa.Column("remaining", sa.Float, nullable=False),
        sa.Column("ends_at", sa.Text, nullable=False),
        sa.Column("opened_by", sa.Text, nullable=False),
        sa.Column("server_id", sa.Text, nullable=False),
    )
