"""The database's tables. Named for people with ``sqlite3``; the views made for them are in the migrations.

Times are UTC ISO 8601 text with milliseconds (``2026-11-22T18:30:00.123Z``), so that they sort as text.
Ids are UUIDs as text. ``server_id`` is the server that wrote the row last.
"""

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

metadata = MetaData()

local_server = Table(
    "local_server",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created_at", Text, nullable=False),
)
"""One row: the server that this file belongs to; see ``store.Store.server_id``."""

machines = Table(
    "machines",
    metadata,
    Column("id", Text, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("reached", Text, nullable=False),
    Column("firmware", Text, nullable=False),
    Column("arch", Text),
    Column("uuid", Text),
    Column("serial", Text, nullable=False),
    Column("manufacturer", Text, nullable=False),
    Column("product", Text, nullable=False),
    Column("address", Text),
    Column("first_seen", Text, nullable=False),
    Column("last_seen", Text, nullable=False),
    Column("server_id", Text, nullable=False),
)
"""Each machine as last seen; ``generation`` counts its boots, ``reached`` is the stage of the last one."""

interfaces = Table(
    "interfaces",
    metadata,
    Column("mac", Text, primary_key=True),
    Column("machine_id", Text, ForeignKey("machines.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("server_id", Text, nullable=False),
    Index("interfaces_of_machine", "machine_id"),
)
"""Each MAC belongs to one machine; ``position`` counts that machine's MACs from 0, in the order of their being seen."""

boots = Table(
    "boots",
    metadata,
    Column("machine_id", Text, ForeignKey("machines.id", ondelete="CASCADE"), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("last_event_at", Text, nullable=False),
    Column("reached", Text, nullable=False),
    Column("server_id", Text, nullable=False),
    PrimaryKeyConstraint("machine_id", "generation"),
)
"""Each boot of each machine and how far it came."""

boot_events = Table(
    "boot_events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Text, nullable=False),
    Column("machine_id", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("stage", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("milliseconds", Float, nullable=False),
    Column("server_id", Text, nullable=False),
    ForeignKeyConstraint(
        ["machine_id", "generation"], ["boots.machine_id", "boots.generation"], ondelete="CASCADE"
    ),
    Index("boot_events_of_boot", "machine_id", "generation"),
)
"""Each stage of each boot: what was served (``detail``), its size and how long it took."""
