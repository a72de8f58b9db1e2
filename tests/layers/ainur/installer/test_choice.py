"""Which disk a Raspberry Pi's image is installed on: one that is meant and may be erased, or none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.fleet.disk_selector import DiskSelector, DiskType, MachineDisk
from iluvatar_pxe.layers.ainur.installer.choice import (
    Chosen,
    Complete,
    Wanted,
    choose_root,
)
from iluvatar_pxe.layers.ainur.installer.data import DataName, WantedData
from iluvatar_pxe.layers.ainur.installer.hardware import InstallerDisk, parse_hardware
from iluvatar_pxe.layers.ainur.installer.held import Held
from iluvatar_pxe.layers.ainur.installer.layout import Installation
from iluvatar_pxe.values import replace

GB = 10**9
OWN = Installation("pi-1", 2)
WANTED = Wanted(title="ainur-01", selector=None, least_size=5 * GB, installation=OWN)


def disk(name: str = "nvme0n1", size: int = 500, *volumes: str, **fields: str) -> InstallerDisk:
    known = {
        "name": name,
        "size": str(size * GB),
        "sector": "512",
        "serial": f"S-{name}",
        "transport": "nvme",
    }
    lines = ["iluvatar-hardware 1", "\t".join(("disk", *(f"{k}={v}" for k, v in (known | fields).items())))]
    lines += [f"volume\tdisk={name}\tsize=1\t" + one.replace(" ", "\t") for one in volumes]
    return parse_hardware("\n".join(lines)).disks[0]


def parts(table_id: str, root_uuid: str, *, boot: bool = True) -> dict[str, Any]:
    volumes = ["name=p1 number=1 type=vfat label=system-boot"] if boot else []
    return {
        "volumes": [*volumes, f"name=p2 number=2 type=ext4 label=writable uuid={root_uuid}"],
        "table": {"table": "dos", "table-id": table_id},
    }


def image(table_id: str, root_uuid: str, *, boot: bool = True) -> InstallerDisk:
    """Return a disk with an image on it."""
    made = parts(table_id, root_uuid, boot=boot)
    return disk("nvme0n1", 500, *made["volumes"], **made["table"])


CARD = disk("mmcblk0", 64, transport="mmc")
FOREIGN = image("deadbeef", "u-1")
DATA = disk(
    "sda", 900, "name=sda1 number=1 type=xfs label=longhorn uuid=u-data", transport="sata", table="gpt"
)


def result(*disks: InstallerDisk, **more: Any) -> str:
    found = choose_root(disks, replace(WANTED, **more))
    return (
        f"{found.reason}; {found.remedy}"
        if isinstance(found, Held)
        else f"{type(found).__name__} {found.disk.path}"
    )


@pytest.mark.parametrize(
    ("disks", "more", "expected"),
    [
        ([disk()], {}, "Chosen /dev/nvme0n1"),
        ([disk(), CARD], {}, "Chosen /dev/nvme0n1"),
        ([CARD], {"selector": DiskSelector(type=DiskType.MMC)}, "Chosen /dev/mmcblk0"),
        ([CARD], {}, "none of its disks fits: /dev/mmcblk0 is a SD card or eMMC"),
        ([], {}, "it has no disk"),
        ([disk(), disk("sda", 400)], {}, "/dev/nvme0n1 and /dev/sda cannot be told apart: both fit"),
        ([disk(), disk("sda", 400)], {"selector": MachineDisk(serial="S-sda")}, "Chosen /dev/sda"),
        ([disk("sda", transport="usb")], {}, "none of its disks fits: /dev/sda is attached by usb, and used only if its machine's file names it (serial: S-sda); name one by 'disk'"),
        ([disk(size=4)], {}, "none of its disks fits: /dev/nvme0n1 is smaller than 5 GB"),
        ([disk(size=100)], {"selector": DiskSelector(minSize="1TB")}, "none of its disks fits 'disk' in its layer's file (minSize: 1TB): /dev/nvme0n1 is smaller than 1TB"),
        ([disk(sector="4096")], {}, "none of its disks fits: /dev/nvme0n1 has sectors of 4096 bytes"),
        ([FOREIGN], {}, "/dev/nvme0n1 is not empty: 2 partitions (vfat system-boot, ext4 writable)"),
        ([FOREIGN], {"wipes": True}, "Chosen /dev/nvme0n1"),
        ([FOREIGN], {"selector": MachineDisk(serial="S-nvme0n1")}, "Chosen /dev/nvme0n1"),
        ([DATA], {"data": WantedData(name=DataName(label="longhorn")), "wipes": True}, "/dev/sda holds the data partition"),
        ([DATA], {"data": WantedData(name=DataName(uuid="u-data")), "selector": MachineDisk(serial="S-sda")}, "/dev/sda holds the data partition"),
        ([DATA], {"data": WantedData(name=DataName(uuid="u-other", label="longhorn")), "wipes": True}, "Chosen /dev/sda"),
        ([CARD], {"selector": DiskSelector(type=DiskType.MMC), "refuses_cards": True}, "/dev/mmcblk0 is an SD card or eMMC, and etcd"),
        ([disk()], {"refuses_cards": True}, "Chosen /dev/nvme0n1"),
    ],
)  # fmt: skip
def test_one_disk_that_is_meant_and_may_be_erased(
    disks: list[InstallerDisk], more: dict[str, Any], expected: str
) -> None:
    assert result(*disks, **more).startswith(expected)


def test_what_this_installation_began_goes_on_and_what_it_completed_is_left_alone() -> None:
    assert result(image(OWN.disk_id, OWN.root_uuid)) == "Complete /dev/nvme0n1"
    assert result(image(OWN.disk_id, OWN.root_uuid), wipes=True) == "Complete /dev/nvme0n1"
    assert result(image(OWN.disk_id, "u-of-the-image", boot=False)) == "Chosen /dev/nvme0n1"
    assert result(image(OWN.disk_id, OWN.root_uuid, boot=False)) == "Chosen /dev/nvme0n1"


def test_an_earlier_system_of_the_machine_is_erased_where_it_was_installed_from_here() -> None:
    earlier = image(OWN.disk_id, Installation("pi-1", 1).root_uuid)
    assert result(earlier) == "Complete /dev/nvme0n1", (
        "another daemon has installed it, or this one's state was lost"
    )
    assert result(earlier, again=True) == "Chosen /dev/nvme0n1"
    assert result(earlier, given=earlier.disk.identity) == "Chosen /dev/nvme0n1"
    assert result(image(OWN.disk_id, OWN.root_uuid), given=earlier.disk.identity) == "Complete /dev/nvme0n1"


def test_no_second_disk_of_the_machine_gets_the_ids_of_the_first() -> None:
    nvme, card = disk(), disk("mmcblk0", 64, transport="mmc", table="dos", **{"table-id": OWN.disk_id})
    expected = "/dev/mmcblk0 has an earlier system of this machine, and the ids that /dev/nvme0n1 would get"
    assert result(nvme, card).startswith(expected)
    assert result(nvme, card, wipes=True).startswith(expected)
    assert result(image(OWN.disk_id, OWN.root_uuid), card) == "Complete /dev/nvme0n1"


NAMES = st.sampled_from(["sda", "sdb", "nvme0n1", "mmcblk0", "loop0"])
VOLUMES = st.lists(
    st.builds(
        "name=x1 number={} type={} label={}".format,
        st.integers(0, 3),
        st.sampled_from(["ext4", "xfs", ""]),
        st.sampled_from(["data", "longhorn", ""]),
    ),
    max_size=2,
)
DISKS = st.builds(
    lambda name, size, volumes, table, sector: disk(name, size, *volumes, **table, sector=sector),
    NAMES,
    st.sampled_from([1, 5, 10, 500]),
    VOLUMES,
    st.sampled_from([{}, {"table": "dos", "table-id": OWN.disk_id}, {"table": "gpt"}]),
    st.sampled_from(["512", "4096"]),
)


@given(st.lists(DISKS, max_size=4, unique_by=lambda one: one.disk.path), st.booleans())
def test_no_disk_is_erased_that_holds_the_wanted_data_or_anything_foreign(
    disks: list[InstallerDisk], wipes: object
) -> None:
    wanted = replace(WANTED, wipes=bool(wipes), data=WantedData(name=DataName(label="longhorn")))
    found = choose_root(disks, wanted)
    if isinstance(found, Held | Complete):
        return
    (one,) = [one for one in disks if one.disk.path == found.disk.path]
    assert isinstance(found, Chosen)
    assert not any(volume.label == "longhorn" for volume in one.volumes)
    assert one.disk.size >= WANTED.least_size
    assert one.sector == 512
    assert wipes or not one.disk.contents or one.table_id == OWN.disk_id
