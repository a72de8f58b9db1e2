import json
import subprocess
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.assets.unpack.partitions import Partition
from iluvatar_pxe.layers.ainur.installer.layout import Installation, Layout, grown, least_size

MIB = 1 << 20
IMAGE = Layout(Partition(MIB, 512 * MIB), Partition(513 * MIB, 3000 * MIB))
OWN = Installation("pi-1", 4)


def sfdisk(path: Path) -> dict[str, Any]:
    done = subprocess.run(["sfdisk", "--json", path], capture_output=True, check=True)
    table: dict[str, Any] = json.loads(done.stdout)["partitiontable"]
    return table


def test_sfdisk_reads_the_table_that_is_written(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.touch()
    size = 32 * 10**9
    with disk.open("r+b") as file:
        file.truncate(size)
        file.write(grown(IMAGE, size).table(OWN, bootable=True))
    table = sfdisk(disk)
    assert table["label"] == "dos"
    assert table["id"] == f"0x{OWN.disk_id}"
    last = size // 512 // 2048 * 2048 - 2048
    assert table["partitions"] == [
        {"node": f"{disk}1", "start": 2048, "size": 1048576, "type": "c"},
        {"node": f"{disk}2", "start": 1050624, "size": last - 1050624, "type": "83"},
    ]


def test_until_it_is_complete_there_is_no_partition_to_boot_from(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(grown(IMAGE, 32 * 10**9).table(OWN, bootable=False).ljust(MIB, b"\0"))
    with disk.open("r+b") as file:
        file.truncate(32 * 10**9)
    (only,) = sfdisk(disk)["partitions"]
    assert (only["node"], only["type"]) == (f"{disk}2", "83")


def test_each_machine_and_each_installation_has_names_of_its_own() -> None:
    several = [Installation(machine, number) for machine in ("pi-1", "pi-2") for number in range(1, 50)]
    assert len({one.root_uuid for one in several}) == len(several)
    assert len({one.disk_id for one in several}) == 2, "of a machine"
    assert Installation("pi-1", 4) == OWN
    assert Installation("pi-1", 4).part_uuid(2) == f"{OWN.disk_id}-02"


@given(st.integers(least_size(IMAGE), 10**14))
def test_the_root_partition_ends_before_the_end_of_any_disk_and_is_never_smaller_than_the_image_s(
    size: int,
) -> None:
    layout = grown(IMAGE, size)
    assert layout.boot == IMAGE.boot
    assert layout.root.start == IMAGE.root.start
    assert IMAGE.root.size <= layout.root.size
    assert layout.root.end <= size - MIB
    assert len(layout.table(OWN, bootable=True)) == 512
