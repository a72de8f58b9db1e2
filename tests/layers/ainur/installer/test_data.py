"""Where a Raspberry Pi keeps what lasts: in the file system that is named, or in a new one on an empty disk."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.assets.unpack.partitions import Partition
from iluvatar_pxe.fleet.disk_selector import DiskSelector, DiskType, MachineDisk
from iluvatar_pxe.layers.ainur.installer.choice import Wanted
from iluvatar_pxe.layers.ainur.installer.data import Adopted, DataName, NewData, WantedData, choose_data
from iluvatar_pxe.layers.ainur.installer.hardware import Hardware, InstallerDisk, parse_hardware
from iluvatar_pxe.layers.ainur.installer.held import Held
from iluvatar_pxe.layers.ainur.installer.in_memory import root_size
from iluvatar_pxe.layers.ainur.installer.layout import Installation, Layout
from iluvatar_pxe.layers.ainur.installer.place import Place, place_in_memory, place_on_disk
from iluvatar_pxe.values import replace

GB, GIB, MIB = 10**9, 1 << 30, 1 << 20
LABEL, UUID = DataName(label="data"), DataName(uuid="u-1")
NVME = DiskSelector(type=DiskType.NVME)


def disk(
    name: str, *volumes: str, size: int = 500, transport: str = "nvme", table: str = "", read_only: str = "0"
) -> InstallerDisk:
    """Return a disk; each volume is its number, type, label and UUID."""
    known = {"name": name, "size": str(size * GB), "sector": "512", "serial": f"S-{name}"}
    known |= {"transport": transport, "table": table, "read-only": read_only}
    lines = ["iluvatar-hardware 1", "\t".join(("disk", *(f"{k}={v}" for k, v in known.items())))]
    for one in volumes:
        number, kind, label, uuid = one.split(" ")
        lines.append(
            f"volume\tdisk={name}\tsize=1\tname={name}p{number}\tnumber={number}\ttype={kind}\tlabel={label}\tuuid={uuid}"
        )
    return parse_hardware("\n".join(lines)).disks[0]


FULL = disk("nvme0n1", "1 xfs data u-1", table="gpt")
OTHER = disk("nvme1n1", "1 ext4 data u-2", table="gpt")
FOREIGN = disk("nvme2n1", "1 ext4 photos u-3", table="gpt")
EMPTY, SECOND = disk("nvme3n1"), disk("nvme4n1")
CARD = disk("mmcblk0", size=64, transport="mmc")


def result(*disks: InstallerDisk, root: InstallerDisk | None = None, **more: Any) -> str:
    wanted = WantedData(**{"name": LABEL, **more})
    match choose_data(disks, wanted, root.disk if root else None):
        case Adopted(volume):
            return f"adopts {volume.path}"
        case NewData(disk=found, label=label):
            return f"makes {label} on {found.path}"
        case Held(reason, remedy):
            return f"{reason}; {remedy}"


@pytest.mark.parametrize(
    ("disks", "more", "expected"),
    [
        ([FULL, EMPTY], {}, "adopts /dev/nvme0n1p1"),
        ([FULL, EMPTY], {"selector": NVME}, "adopts /dev/nvme0n1p1"),
        ([FULL, OTHER], {"name": UUID}, "adopts /dev/nvme0n1p1"),
        ([FULL, OTHER], {}, "/dev/nvme0n1p1 and /dev/nvme1n1p1 have the label data; unplug the others"),
        ([FULL, disk("sdb", "1 xfs old u-1")], {"name": UUID}, "/dev/nvme0n1p1 and /dev/sdbp1 have the UUID u-1; unplug the others, or give them other UUIDs"),
        ([disk("sda", "0 xfs data u-1", transport="sata")], {}, "adopts /dev/sdap0"),
        ([EMPTY], {}, "none of its disks has a file system with the label data; plug in that disk"),
        ([OTHER], {"name": UUID}, "none of its disks has a file system with the UUID u-1"),
        ([], {"selector": NVME}, "no file system has the label data, and no empty disk fits 'data.disk': it has none"),
        ([EMPTY, FOREIGN, CARD], {"selector": NVME}, "makes data on /dev/nvme3n1"),
        ([EMPTY, SECOND], {"selector": NVME}, "/dev/nvme3n1 and /dev/nvme4n1 are both empty, and fit; name one"),
        ([EMPTY, SECOND], {"selector": MachineDisk(serial="S-nvme4n1")}, "makes data on /dev/nvme4n1"),
        ([FOREIGN], {"selector": MachineDisk(serial="S-nvme2n1")}, "no file system has the label data, and no empty disk fits 'data.disk': /dev/nvme2n1 is not empty: 1 partition (ext4 photos)"),
        ([disk("nvme0n1", table="dos")], {"selector": NVME}, "no file system has the label data, and no empty disk fits 'data.disk': /dev/nvme0n1 is not empty: dos"),
        ([disk("nvme0n1", size=7)], {"selector": NVME}, "no file system has the label data, and no empty disk fits 'data.disk': /dev/nvme0n1 is smaller than 8 GB"),
        ([CARD], {"selector": NVME}, "no file system has the label data, and no empty disk fits 'data.disk': /dev/mmcblk0 is a SD card or eMMC"),
        ([CARD], {"selector": DiskSelector(type=DiskType.MMC)}, "makes data on /dev/mmcblk0"),
        ([CARD], {"selector": DiskSelector(type=DiskType.MMC), "refuses_cards": True}, "/dev/mmcblk0 is an SD card or eMMC, and etcd"),
        ([disk("mmcblk0", "1 ext4 data u-1", transport="mmc")], {"refuses_cards": True}, "/dev/mmcblk0 is an SD card or eMMC, and etcd"),
        ([disk("nvme0n1", "1 crypto_LUKS data u-1")], {}, "/dev/nvme0n1p1 is crypto_LUKS, on which containers cannot be; name a file system of type ext4, xfs or btrfs"),
        ([disk("nvme0n1", "1 ext4 data u-1", read_only="1")], {}, "/dev/nvme0n1p1 is read-only"),
        ([EMPTY], {"selector": NVME, "root": EMPTY}, "no file system has the label data, and no empty disk fits 'data.disk': /dev/nvme3n1 is the one for its system"),
        ([EMPTY, SECOND], {"selector": NVME, "root": EMPTY}, "makes data on /dev/nvme4n1"),
    ],
)  # fmt: skip
def test_what_lasts_is_adopted_or_gets_an_empty_disk(
    disks: list[InstallerDisk], more: dict[str, Any], expected: str
) -> None:
    assert result(*disks, **more).startswith(expected)


VOLUMES = st.lists(
    st.builds(
        "{} {} {} {}".format,
        st.integers(0, 2),
        st.sampled_from(["ext4", "swap", ""]),
        st.sampled_from(["data", "photos", ""]),
        st.sampled_from(["u-1", "u-2"]),
    ),
    max_size=2,
)
DISKS = st.builds(
    lambda name, volumes, size, table: disk(name, *volumes, size=size, table=table),
    st.sampled_from(["nvme0n1", "nvme1n1", "nvme2n1", "mmcblk0"]),
    VOLUMES,
    st.sampled_from([1, 500]),
    st.sampled_from(["", "gpt"]),
)


@given(st.lists(DISKS, max_size=4, unique_by=lambda one: one.disk.path), st.sampled_from([None, NVME]))
def test_nothing_is_formatted_but_the_one_empty_disk_that_fits_and_only_while_nothing_has_the_label(
    disks: list[InstallerDisk], selector: DiskSelector | None
) -> None:
    found = choose_data(disks, WantedData(name=LABEL, selector=selector))
    named = [volume for one in disks for volume in one.volumes if volume.label == "data"]
    if isinstance(found, Adopted):
        assert named == [found.volume]
    if isinstance(found, NewData):
        assert not named
        (one,) = [one for one in disks if one.disk.path == found.disk.path]
        assert not one.volumes
        assert not one.table
        assert selector


IMAGE = Layout(Partition(MIB, 512 * MIB), Partition(513 * MIB, 4 * GIB))


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (8 * GIB - 200 * MIB, None),
        (5462 * MIB, None),
        (4 * GIB, "its memory of 4096 MiB is too little for this image, which needs 5462 MiB; use a smaller image"),
        (0, "its memory of 0 MiB is too little"),
    ],
)  # fmt: skip
def test_a_root_in_memory_needs_room(memory: int, expected: str | None) -> None:
    found = place_in_memory(Hardware(memory, ()), None, IMAGE)
    if expected is None:
        assert found == Place(None, None)
        assert IMAGE.root.size <= root_size(memory) <= memory * 3 // 4
    else:
        assert isinstance(found, Held)
        assert f"{found.reason}; {found.remedy}".startswith(expected)


def test_the_system_and_what_lasts_are_on_different_disks() -> None:
    data = WantedData(name=LABEL, selector=NVME)
    wanted = Wanted(
        title="one", selector=None, least_size=5 * GB, installation=Installation("pi", 1), data=data
    )
    only = place_on_disk(Hardware(8 * GIB, (EMPTY,)), wanted)
    assert isinstance(only, Held)
    assert only.reason.endswith("/dev/nvme3n1 is the one for its system")
    ssd = disk("sda", transport="sata")
    both = replace(wanted, selector=DiskSelector(type=DiskType.SSD))
    found = place_on_disk(Hardware(8 * GIB, (EMPTY, ssd)), both)
    assert isinstance(found, Place)
    assert found.root == ssd.disk
    assert found.data == NewData(disk=EMPTY.disk, sector=512, label="data")
    assert place_in_memory(Hardware(8 * GIB, (EMPTY,)), data, IMAGE) == Place(None, found.data)
