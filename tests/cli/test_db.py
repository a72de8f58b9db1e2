"""``db upgrade|backup|restore|set-aside``, through a daemon and without one."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from support.command import Host
from support.daemon import Daemon

from iluvatar_pxe.inventory.database.read_only import read_only
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Assignment, Role
from iluvatar_pxe.values import replace

MAC = "52:54:00:00:00:01"
SEEN = datetime(2026, 1, 2, tzinfo=UTC)
MACHINE = Machine(
    id=UUID(int=1),
    macs=(MAC,),
    generation=1,
    reached=Stage.SCRIPT,
    furthest=Stage.SCRIPT,
    first_seen=SEEN,
    last_seen=SEEN,
    firmware=Firmware.UEFI_PXE,
)


def prepared(directory: Path) -> Host:
    host = Host(directory)
    host.know(MACHINE)
    return host


@pytest.fixture(params=["daemon", "alone"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    made = prepared(tmp_path)
    if request.param == "alone":
        yield made
        return
    with Daemon(tmp_path) as daemon:
        yield made
        assert daemon.logged("control"), "the daemon has done it"


def macs(file: Path) -> set[str]:
    return set(read_only(f"sqlite:///{file}").snapshot.owners)


def test_a_backup_is_restored(host: Host, tmp_path: Path) -> None:
    assert host.run("db", "upgrade").lines == ["the database is up to date"]
    copy = tmp_path / "copy.db"
    answer = host.run("db", "backup", str(copy))
    assert (answer.status, answer.error, answer.lines) == (0, "", [f"database backed up to {copy}"])
    assert macs(copy) == {MAC}
    again = host.run("db", "backup", str(copy))
    text = f"iluvatar-pxe: {copy}: already exists and is not overwritten; name another file\n"
    assert (again.status, again.error) == (1, text)

    assert host.run("machines", "forget", MAC, "--yes").status == 0
    assert macs(host.database) == set()
    answer = host.run("db", "restore", str(copy))
    assert answer.status == 0
    assert answer.output.startswith(
        f"database restored from {copy}; the old one is {host.state}/inventory.db."
    )
    assert macs(host.database) == {MAC}
    assert host.run("machines", "hold", MAC).status == 0


def test_a_relative_path_is_the_commands_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = prepared(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    assert host.run("db", "backup", "here.db").status == 0
    assert macs(tmp_path / "here.db") == {MAC}


def test_what_is_no_backup_changes_nothing(tmp_path: Path) -> None:
    host = prepared(tmp_path)
    (tmp_path / "no.db").write_bytes(b"nonsense" * 1000)
    assert host.run("db", "restore", str(tmp_path / "none.db")).error.endswith(
        "no such file; name a backup\n"
    )
    answer = host.run("db", "restore", str(tmp_path / "no.db"))
    assert (answer.status, "it is damaged or not a database" in answer.error) == (1, True)
    assert macs(host.database) == {MAC}


def test_a_damaged_database_is_set_aside_only_when_told_to(host: Host) -> None:
    healthy = "the database is healthy; machines and names are kept, the boot history stays in the old file"
    kept = host.database.read_bytes()
    refused = host.run("db", "set-aside")
    assert (refused.status, refused.output) == (2, "")
    assert refused.error == "iluvatar-pxe: there is no terminal to confirm on; add --yes\n"
    assert host.database.read_bytes() == kept
    answer = host.run("db", "set-aside", "--yes")
    assert answer.status == 0
    assert answer.lines[0].startswith(f"a new database is in use; the old one is {host.state}/inventory.db.")
    assert answer.lines[1:] == [healthy]
    aside = Path(answer.lines[0].rpartition(" ")[2])
    assert macs(aside) == macs(host.database) == {MAC}


def test_a_damaged_database_without_a_daemon(tmp_path: Path) -> None:
    host = prepared(tmp_path)
    host.database.write_bytes(b"nonsense" * 1000)
    refused = host.run("machines", "hold", MAC)
    assert (refused.status, "it is damaged or not a database" in refused.error) == (1, True)
    answer = host.run("db", "set-aside", "--yes")
    assert answer.status == 0
    assert answer.lines[1].startswith("a running daemon's machines are kept, and every name that can be read")
    assert macs(host.database) == set()
    assert host.run("machines", "list").lines == ["No machines yet; boot one from the network."]


def test_a_restore_tells_which_names_it_carried_over(tmp_path: Path) -> None:
    host = prepared(tmp_path)
    assert host.run("db", "backup", str(tmp_path / "copy.db")).status == 0
    given = Assignment(name="arda-07", layer="arda", role=Role.WORKER, rule="rule 1", at=SEEN)
    host.know(replace(MACHINE, id=UUID(int=2), macs=("52:54:00:00:00:02",), assignment=given))
    answer = host.run("db", "restore", str(tmp_path / "copy.db"))
    assert len(answer.lines) == 1
    assert answer.lines[0].endswith(".before-restore; names carried over: arda-07")
