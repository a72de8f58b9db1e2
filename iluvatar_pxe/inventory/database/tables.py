"""The database's tables. Named for people with ``sqlite3``; the views made for them are in the migrations.

Times are UTC ISO 8601 text with milliseconds (``2026-11-22T18:30:00.123Z``), so that they sort as text.
Ids are UUIDs as text. ``server_id`` is the server that wrote the row last. What may be missing is NULL; text that is
empty says nothing.
"""

from sqlalchemy import (
    CheckConstraint,
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
    UniqueConstraint,
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
    Column("furthest", Text, nullable=False, server_default="discover"),
    Column("board", Text, nullable=False, server_default=""),
    Column("phase", Text, nullable=False, server_default="discovered"),
    Column("intent", Text, nullable=False, server_default="boot"),
    Column("intent_by", Text, nullable=False, server_default=""),
    Column("intent_why", Text, nullable=False, server_default=""),
    Column("conflict", Text, nullable=False, server_default=""),
    Column("claimed", Text, nullable=False, server_default=""),
    Column("apart", Text, nullable=False, server_default=""),
    Column("attempt_chain", Text, nullable=False, server_default=""),
    Column("attempt_best", Text, nullable=False, server_default="discover"),
    Column("attempt_starts", Text, nullable=False, server_default=""),
    Column("attempt_boot", Integer, nullable=False, server_default="0"),
    Column("unsure", Text, nullable=False, server_default=""),
    Column("intent_wipes", Integer, nullable=False, server_default="0"),
    Column("inspection", Text, nullable=False, server_default=""),
    Column("reported_start", Text, nullable=False, server_default=""),
    Column("reported_boot", Integer, nullable=False, server_default="0"),
    Column("reported_faults", Text, nullable=False, server_default=""),
    Column("clean_up", Text, nullable=False, server_default=""),
    Column("seed_boot", Integer, nullable=False, server_default="0"),
    Column("seed_spent", Integer, nullable=False, server_default="0"),
    Column("reported_node", Text, nullable=False, server_default=""),
)
"""Each machine as last seen.

``generation`` counts its boots; ``reached`` is the stage of the last one, ``furthest`` the latest stage of any.
``phase`` is what was observed, ``intent`` what is wanted, by whom and why, and whether it may erase what is on the disk
(``intent_wipes``: ``machines.states.Wipe``); ``inspection`` is ``machines.inspection.Inspection`` as JSON, empty where there is none. ``conflict`` says why it is not clear which
machine this is. ``claimed`` are further MACs that firmware lists, ``apart`` those that somebody split off, ``unsure``
those of which only the owner can tell whose they are, with a space between them. ``reported_…`` is ``machines.report.Report``, a fault in each line. ``clean_up`` is ``machines.states.CleanUp`` as JSON, empty where nothing is left to do. ``seed_…`` is ``machines.seed.Seed``. ``attempt_…`` is ``machines.states.Attempts``, the starts as times with a space between them.
"""

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

assignments = Table(
    "assignments",
    metadata,
    Column("name", Text, nullable=False),
    Column("layer", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("machine_id", Text, ForeignKey("machines.id", ondelete="SET NULL")),
    Column("rule", Text, nullable=False),
    Column("assigned_at", Text, nullable=False),
    Column("server_id", Text, nullable=False),
    PrimaryKeyConstraint("layer", "name"),
    UniqueConstraint("machine_id"),
)
"""Each name that was ever given, and what gave it (``rule``).

A name without ``machine_id`` was that of a machine that was forgotten, renamed or merged: it stays taken.
"""

enrolment_window = Table(
    "enrolment_window",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="one_window"), primary_key=True),
    Column("remaining", Float, nullable=False),
    Column("ends_at", Text, nullable=False),
    Column("opened_by", Text, nullable=False),
    Column("server_id", Text, nullable=False),
)
"""One row, none before the first start: seconds that were left when it was written, and when that would end."""

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
"""Each boot of each machine and how far it came; the last 100 of each machine."""

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
    Column("cause", Text, nullable=False, server_default=""),
    ForeignKeyConstraint(
        ["machine_id", "generation"], ["boots.machine_id", "boots.generation"], ondelete="CASCADE"
    ),
    Index("boot_events_of_boot", "machine_id", "generation"),
)
"""Each stage of each boot, and what happened in it besides: what was served (``detail``), its size, how long it
took, and why (``cause``)."""

commits = Table(
    "commits",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("commit_id", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("committed_at", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Column("rewritten", Integer, nullable=False),
    Column("server_id", Text, nullable=False),
)
"""Each commit of the fleet that was applied (``outcome``: in force) or refused (``problem`` says why)."""

commit_changes = Table(
    "commit_changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("commit_row", Integer, ForeignKey("commits.id", ondelete="CASCADE"), nullable=False),
    Column("machine", Text, nullable=False),
    Column("change", Text, nullable=False),
    Column("server_id", Text, nullable=False),
    Index("commit_changes_of_commit", "commit_row"),
)
"""What a commit changed for which machine, in words."""
