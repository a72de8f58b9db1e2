"""The SQLite file: what is written is read back, and what goes wrong is said in one line."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta, timezone
from ipaddress import IPv4Address
from pathlib import Path
from uuid import UUID

import pytest
from inventory.samples import NOW, batch, event, machine, rows, url_of

from iluvatar_pxe.errors import InventoryError, SettingsError
from iluvatar_pxe.inventory.database.batch import Batch
from iluvatar_pxe.inventory.database.queries import Stored
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.inspection import Content, Disk, Inspection, Nic
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.seed import Seed
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Assignment, Attempts, CleanUp, Directive, Intent, Phase, Role, Wipe
from iluvatar_pxe.wire.pxe import CpuArch

GIVEN = Assignment(name="arda-01", layer="arda", role=Role.WORKER, rule="rule 1", at=NOW)


INSPECTION = Inspection(
    at=NOW,
    boot=4,
    disks=(
        Disk(
            path="/dev/md0",
            size=2**41,
            serial='S1"\\',
            parts=("sda", "sdb"),
            contents=(Content(path="/dev/md0p1", name="ext4", label="Musik ä", is_partition=True),),
        ),
    ),
    nics=(Nic(name="enp1s0", mac="52:54:00:00:00:0b", speed_mbit=2500, is_up=True),),
    problem="it is off",
    given=("S1", "", ""),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "inventory.db"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    opened = Store(url_of(file))
    opened.open()
    yield opened
    opened.close()


def problem_of_opening(url: str) -> str:
    store = Store(url)
    with pytest.raises(InventoryError) as caught:
        store.open()
    store.close()
    return str(caught.value)


def test_machines_come_back_as_they_were(store: Store) -> None:
    bare = machine(1, generation=4, reached=Stage.IPXE_DISCOVER, firmware=Firmware.IPXE)
    full = machine(
        2,
        macs=("52:54:00:00:00:0b", "52:54:00:00:00:0a"),
        arch=CpuArch.ARM64,
        furthest=Stage.CONFIG,
        uuid=UUID(int=2**127 + 5),
        serial="CZ123",
        manufacturer="Großhändler",
        product="Thing 2",
        board="0A1B",
        address=IPv4Address("192.168.1.7"),
        last_seen=NOW + timedelta(hours=1),
        phase=Phase.FAILED,
        directive=Directive(Intent.REINSTALL, "anna", "broken", wipe=Wipe.ALLOWED),
        attempts=Attempts("talos", Stage.KERNEL, (NOW, NOW + timedelta(minutes=1)), 7),
        conflict="two machines in one",
        assignment=GIVEN,
        inspection=INSPECTION,
        clean_up=CleanUp("arda", "arda-02", boot=1, ends=3),
        seed=Seed(3, is_spent=True),
    )
    store.write(batch([bare, full]))
    assert store.load().snapshot == Snapshot.of([bare, full])


def test_an_empty_database_is_an_empty_snapshot(store: Store) -> None:
    assert store.load() == Stored(Snapshot(), None)


def test_writing_nothing_is_nothing(store: Store) -> None:
    store.write(Batch())
    assert store.load() == Stored(Snapshot(), None)


def test_a_machine_is_updated_not_doubled(store: Store) -> None:
    store.write(batch([machine()]))
    later = machine(generation=2, reached=Stage.DISCOVER, serial="now known")
    store.write(batch([later]))
    assert list(store.load().snapshot.by_id.values()) == [later]


def test_a_mac_belongs_to_the_machine_that_had_it_last(store: Store) -> None:
    store.write(batch([machine(1)]))
    other = machine(2, macs=machine(1).macs)
    store.write(batch([other]))
    assert list(store.load().snapshot.by_id.values()) == [other]


def test_events_are_kept_in_order_with_their_boots(store: Store, file: Path) -> None:
    second = NOW + timedelta(seconds=1)
    store.write(
        batch(
            [machine(generation=2, reached=Stage.DISCOVER, last_seen=second)],
            [
                event(stage=Stage.KERNEL),
                event(stage=Stage.NBP, detail="read again"),
                event(stage=Stage.DISCOVER, generation=2, at=second),
            ],
        )
    )
    assert rows(
        file, "SELECT generation, stage, detail, bytes, milliseconds FROM boot_events ORDER BY id"
    ) == [
        (1, "kernel", "ipxe.efi", 1024, 12.5),
        (1, "nbp", "read again", 1024, 12.5),
        (2, "discover", "ipxe.efi", 1024, 12.5),
    ]
    assert rows(file, "SELECT generation, started_at, reached FROM boots ORDER BY 1") == [
        (1, "2026-11-22T18:30:00.123Z", "kernel"),
        (2, "2026-11-22T18:30:01.123Z", "discover"),
    ]


def test_a_boot_keeps_its_start_and_its_furthest_stage(store: Store, file: Path) -> None:
    store.write(batch([machine(reached=Stage.KERNEL)], [event(stage=Stage.KERNEL)]))
    store.write(batch(events=[event(stage=Stage.NBP, at=NOW + timedelta(minutes=1))]))
    assert rows(file, "SELECT started_at, last_event_at, reached FROM boots") == [
        ("2026-11-22T18:30:00.123Z", "2026-11-22T18:31:00.123Z", "kernel")
    ]
    store.write(batch(events=[event(stage=Stage.CONFIG, at=NOW + timedelta(minutes=2))]))
    assert rows(file, "SELECT reached FROM boots") == [("config",)]


def test_a_boot_whose_events_were_dropped_is_still_there(store: Store, file: Path) -> None:
    store.write(batch([machine(generation=9)]))
    assert rows(file, "SELECT generation, reached FROM boots") == [(9, "nbp")]


def test_a_batch_is_written_whole_or_not_at_all(store: Store, file: Path) -> None:
    with pytest.raises(InventoryError):
        store.write(batch([machine(1)], [event(1), event(1, milliseconds=float("nan"))]))
    assert rows(file, "SELECT * FROM machines") == []


def test_times_are_utc_text(store: Store, file: Path) -> None:
    local = NOW.astimezone(timezone(timedelta(hours=5)))
    store.write(batch([machine(first_seen=local)]))
    assert rows(file, "SELECT first_seen FROM machines") == [("2026-11-22T18:30:00.123Z",)]


def test_text_that_is_no_utf8_does_not_stop_a_batch(store: Store, file: Path) -> None:
    store.write(batch([machine()], [event(detail="a\udcffb")]))
    assert rows(file, "SELECT detail FROM boot_events") == [("a?b",)]


def test_rows_carry_the_server_that_wrote_them(store: Store, file: Path) -> None:
    store.write(batch([machine()], [event()]))
    for table in ("machines", "interfaces", "boots", "boot_events"):
        assert rows(file, f"SELECT server_id FROM {table}") == [(store.server_id,)]
    first = UUID(store.server_id)
    store.open()
    assert UUID(store.server_id) == first


def test_the_file_is_in_wal_mode_with_foreign_keys(store: Store, file: Path) -> None:
    assert rows(file, "PRAGMA journal_mode") == [("wal",)]
    with pytest.raises(InventoryError, match="FOREIGN KEY"):
        store.write(batch(events=[event(5)]))


def test_a_reader_is_not_in_the_way(store: Store, file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM machines").fetchall()
        store.write(batch([machine()], [event()]))


def test_a_lock_is_named(store: Store, file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InventoryError) as caught:
            store.write(batch([machine()]))
    assert str(caught.value).startswith(f"{file}: it is locked by another program (")
    assert f"`fuser -v {file}`" in str(caught.value)
    store.write(batch([machine()]))


def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "inventory.db"
    file.write_bytes(b"holiday pictures" * 1000)
    problem = problem_of_opening(url_of(file))
    assert problem.startswith(f"{file}: it is damaged or not a database (")
    assert "\n" not in problem
    assert file.read_bytes() == b"holiday pictures" * 1000


def test_a_damaged_page_is_named(store: Store, file: Path) -> None:
    store.write(batch([machine(number) for number in range(1, 200)]))
    store.close()
    with file.open("r+b") as handle:
        handle.seek(4096)
        handle.write(b"\xff" * (file.stat().st_size - 4096))
    assert "it is damaged or not a database" in problem_of_opening(url_of(file))


def test_a_database_opened_for_reading_only_loads_and_says_so_when_writing(store: Store, file: Path) -> None:
    store.write(batch([machine()]))
    reader = Store(f"sqlite:///file:{file}?mode=ro&uri=true")
    reader.open()
    assert list(reader.load().snapshot.by_id.values()) == [machine()]
    with pytest.raises(InventoryError) as caught:
        reader.write(batch([machine()]))
    reader.close()
    assert str(caught.value).startswith(f"{file}: it cannot be written (")


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    problem = problem_of_opening(url_of(tmp_path / "file" / "inventory.db"))
    assert problem.startswith(f"{tmp_path}/file/inventory.db: ")
    assert f"make {tmp_path}/file a directory" in problem


def test_a_directory_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    assert problem_of_opening(url_of(tmp_path)).startswith(f"{tmp_path}: it cannot be opened (")


def test_a_row_changed_by_hand_is_named(store: Store, file: Path) -> None:
    store.write(batch([machine()]))
    with closing(sqlite3.connect(file)) as other:
        other.execute("UPDATE machines SET reached = 'heaven'")
        other.commit()
    with pytest.raises(InventoryError) as caught:
        store.load()
    assert str(caught.value) == (
        f"{file}: machines, id {machine().id}: 'heaven' is not a boot stage; correct that row"
    )


def test_a_time_written_by_hand_without_a_zone_is_utc(store: Store, file: Path) -> None:
    store.write(batch([machine()]))
    with closing(sqlite3.connect(file)) as other:
        other.execute("UPDATE machines SET last_seen = '2026-11-22 18:30:00.123'")
        other.commit()
    assert list(store.load().snapshot.by_id.values()) == [machine()]


@pytest.mark.parametrize(
    "url", ["", "inventory.db", "sqlite://", "sqlite:///:memory:", "postgresql://db/inventory"]
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(
        SettingsError, match=r"^database\.url: .* is not a SQLite file's URL; write sqlite:////"
    ):
        Store(url)


def test_a_store_that_is_not_open_says_so(file: Path) -> None:
    store = Store(url_of(file))
    with pytest.raises(InventoryError, match="not open"):
        store.load()
    store.close()
