"""The inventory's SQLite file."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, case, select
from sqlalchemy.dialects.sqlite import insert

from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory import migrate, tables
from iluvatar_pxe.inventory.engine import file_url, make_engine, writing
from iluvatar_pxe.inventory.failures import reported
from iluvatar_pxe.inventory.rows import Row, boot_rows, event_row, interface_rows, machine_of, machine_row
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import BootEvent, Machine, Snapshot

_STAGE_ORDER = {stage.label: int(stage) for stage in Stage}


class Store:
    """Reads and writes one SQLite file. Methods block, so they belong in a thread, one call at a time.

    Errors are InventoryError: one line naming the file, the cause and the remedy. After one, ``open`` may be
    called again. A damaged file is never moved or deleted.
    """

    def __init__(self, url: str) -> None:
        """Take a SQLAlchemy URL and touch nothing yet; raises SettingsError when it names no SQLite file."""
        self._url = file_url(url)
        self._engine: Engine | None = None
        self._server_id = ""
        self.path = Path((self._url.database or "").removeprefix("file:"))

    @property
    def server_id(self) -> str:
        """This server's UUID, made with the database and kept in it.

        Not beside it: the id then is there exactly when rows can be written, it cannot be lost apart from them,
        and a Pi that is replaced by restoring its database goes on as the same server.
        """
        return self._server_id

    def open(self) -> None:
        """Create the directory and the file if need be, and bring the tables up to date."""
        self.close()
        with reported(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._engine = engine = make_engine(self._url)
            with engine.connect() as connection:
                current = migrate.is_current(connection, self.path)
            if not current:
                migrate.upgrade(engine)
            with engine.connect() as connection:
                self._server_id = connection.scalars(select(tables.local_server.c.id)).one()

    def load(self) -> Snapshot:
        """Return all machines by MAC."""
        macs: defaultdict[str, list[str]] = defaultdict(list)
        with reported(self.path), self._opened().connect() as connection:
            for mac, machine_id in connection.execute(
                select(tables.interfaces.c.mac, tables.interfaces.c.machine_id).order_by(
                    tables.interfaces.c.position
                )
            ):
                macs[machine_id].append(mac)
            rows = [row._asdict() for row in connection.execute(select(tables.machines))]
        found = [self._machine(row, macs[row["id"]]) for row in rows]
        return Snapshot(MappingProxyType({mac: machine for machine in found for mac in machine.macs}))

    def write(self, machines: Collection[Machine], events: Sequence[BootEvent]) -> None:
        """Insert or update the machines and add the events, all or nothing.

        The machine of every event is among ``machines`` or in the database already.
        """
        with reported(self.path), writing(self._opened()).begin() as connection:
            self._upsert(connection, tables.machines, [machine_row(machine) for machine in machines])
            self._upsert(connection, tables.interfaces, [row for m in machines for row in interface_rows(m)])
            self._upsert(connection, tables.boots, boot_rows(machines, events))
            if events:
                rows = [event_row(event) | {"server_id": self._server_id} for event in events]
                connection.execute(tables.boot_events.insert(), rows)

    def close(self) -> None:
        """Close the file; harmless when it is not open."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _opened(self) -> Engine:
        if self._engine is None:
            raise InventoryError(f"{self.path}: not open; open it first")
        return self._engine

    def _machine(self, row: Mapping[str, Any], macs: Sequence[str]) -> Machine:
        try:
            return machine_of(row, macs)
        except (TypeError, ValueError) as error:
            raise InventoryError(
                f"{self.path}: machines, id {row['id']}: {error}; correct that row"
            ) from error

    def _upsert(self, connection: Connection, table: Table, rows: list[Row]) -> None:
        if not rows:
            return
        statement = insert(table)
        keys = [column.name for column in table.primary_key]
        new: dict[str, ColumnElement[Any]] = {
            name: statement.excluded[name] for name in [*rows[0], "server_id"] if name not in keys
        }
        if table is tables.boots:
            del new["started_at"]  # the first to tell is right: a Pi's clock may have been set back since
            new["reached"] = _later_stage(table.c.reached, statement.excluded.reached)
        statement = statement.on_conflict_do_update(index_elements=keys, set_=new)
        connection.execute(statement, [row | {"server_id": self._server_id} for row in rows])


def _later_stage(old: ColumnElement[str], new: ColumnElement[str]) -> ColumnElement[str]:
    return case((case(_STAGE_ORDER, value=new) > case(_STAGE_ORDER, value=old), new), else_=old)
