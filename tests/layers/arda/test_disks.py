"""Which disk Talos is installed on: one that is named and may be erased, or none."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.fleet.disk_selector import DiskSelector, DiskType, MachineDisk
from iluvatar_pxe.layers.arda.disks import (
    SMALLEST,
    Chosen,
    Held,
    choose,
    contents_words,
    is_talos,
)
from iluvatar_pxe.layers.disk_matching import disk_words, type_of
from iluvatar_pxe.machines.inspection import Content, Disk, Inspection
from iluvatar_pxe.values import replace

GB = 10**9
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def part(name: str = "", label: str = "") -> Content:
    return Content(path="/dev/x1", name=name, label=label, is_partition=True)


GPT = Content(path="/dev/x", name="gpt")
TALOS = (GPT, *(part("", label) for label in ("EFI", "META", "STATE", "EPHEMERAL", "u-longhorn")))
DEBIAN = (GPT, part("vfat"), part("ext4"))


def disk(name: str = "sda", size: int = 500, **more: Any) -> Disk:
    known: dict[str, Any] = {"serial": f"S-{name}", "wwid": f"naa.{name}", "transport": "sata"}
    return Disk(path=f"/dev/{name}", size=size * GB, **known | more)


NVME = disk("nvme0n1", 1000, transport="nvme")


def result(*disks: Disk, selector: DiskSelector | None = None, wipes: bool = False, **more: Any) -> str:
    """Return the path that is chosen, or why none is."""
    found = choose(Inspection(at=NOW, boot=1, disks=disks, **more), selector, title="arda-01", wipes=wipes)
    return found.disk.path if isinstance(found, Chosen) else found.reason


@pytest.mark.parametrize(
    ("disks", "expected"),
    [
        ([], "none of its disks fits"),
        ([disk()], "/dev/sda"),
        ([disk("sda", 1000), disk("sdb", 500)], "/dev/sdb"),
        ([disk("sda", 500), NVME], "/dev/sda"),
        ([disk("sda", 100, transport="usb"), NVME], "/dev/nvme0n1"),
        ([disk("sda", 100, is_rotational=True), NVME], "/dev/nvme0n1"),
        ([disk("vda", 100, is_rotational=True, transport="virtio")], "/dev/vda"),
        ([disk("mmcblk0", 100, transport="mmc"), NVME], "/dev/nvme0n1"),
        ([disk("sr0", 100, is_cdrom=True), NVME], "/dev/nvme0n1"),
        ([disk("sda", 100, is_read_only=True), NVME], "/dev/nvme0n1"),
        ([disk("sda", 0), disk("sdb", 9), NVME], "/dev/nvme0n1"),
        ([disk("loop0", 100), disk("zram0", 100), disk("md0", 100), NVME], "/dev/nvme0n1"),
        ([disk("sdb", 100, parts=("sdc",)), NVME], "/dev/nvme0n1"),
        ([disk("sdb", 100, transport="iscsi"), disk("sdc", 100, transport="fc"), NVME], "/dev/nvme0n1"),
        ([disk("sda"), disk("sdb")], "/dev/sda and /dev/sdb cannot be told apart: both fit"),
        ([disk("sda", wwid="naa.1"), disk("sdb", wwid="naa.1"), NVME], "/dev/nvme0n1"),
        ([disk("sda", wwid="naa.1"), disk("sdb", wwid="naa.1")], "none of its disks fits"),
        ([disk("sda", 100, serial="0", wwid=""), disk("sdb", 200, serial="0", wwid=""), NVME], "/dev/nvme0n1"),
        ([disk("sda", 100, serial="0"), disk("sdb", 200, serial="0")], "/dev/sda"),
        ([disk("sda", 100, serial="S*", wwid=""), NVME], "/dev/nvme0n1"),
        ([disk("sda", 100, serial="", wwid=""), NVME], "/dev/nvme0n1"),
        ([disk("sda", 100, serial="", wwid="", bus_path="/pci/ata1")], "/dev/sda"),
        ([disk("sda", 100, serial="", wwid="", bus_path="/a"), disk("sdb", 200, bus_path="/a")], "/dev/sdb"),
        ([disk("sda", contents=DEBIAN)], "/dev/sda is not empty: 2 partitions (vfat, ext4)"),
        ([disk("sda", contents=(part(),))], "/dev/sda is not empty: 1 partition (unknown)"),
        ([disk("sda", contents=(GPT,))], "/dev/sda is not empty: gpt"),
        ([disk("sda", contents=DEBIAN), NVME], "/dev/sda is not empty: 2 partitions (vfat, ext4)"),
        ([disk("sda"), replace(NVME, contents=DEBIAN)], "/dev/sda"),
    ],
)  # fmt: skip
def test_the_smallest_ssd_or_nvme_that_is_not_removable(disks: list[Disk], expected: str) -> None:
    assert result(*disks) == expected
    assert result(*reversed(disks)).split()[-1] == expected.rsplit(maxsplit=1)[-1]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (DiskSelector(type=DiskType.HDD), "/dev/sdc"),
        (DiskSelector(type=DiskType.NVME), "/dev/nvme0n1"),
        (DiskSelector(type=DiskType.MMC), "/dev/mmcblk0"),
        (DiskSelector(minSize="600GB"), "/dev/nvme0n1"),
        (DiskSelector(maxSize="400GB"), "/dev/sda"),
        (DiskSelector(minSize="2.5TB"), "none of its disks fits"),
        (DiskSelector(model=("wd*", "Samsung SSD 8?0")), "/dev/sdb"),
        (DiskSelector(model=("*red*",)), "/dev/sdc"),
        (MachineDisk(serial="S-sdc"), "/dev/sdc"),
        (MachineDisk(wwid="naa.sdd"), "/dev/sdd"),
        (MachineDisk(busPath="/usb2"), "/dev/sdd"),
        (MachineDisk(serial="s-SDC"), "none of its disks fits"),
        (MachineDisk(serial="S-sda", minSize="400GB"), "none of its disks fits"),
        (MachineDisk(busPath="/two"), "/dev/nvme0n1 and /dev/nvme0n2 cannot be told apart: both fit"),
        (MachineDisk(serial="S-sr0"), "none of its disks fits"),
    ],
)
def test_the_fleet_says_which(selector: DiskSelector, expected: str) -> None:
    disks = (
        disk("sda", 250),
        disk("sdb", 500, model="Samsung SSD 870"),
        disk("sdc", 4000, is_rotational=True, model="WD Red"),
        disk("sdd", 100, transport="usb", bus_path="/usb2"),
        replace(NVME, bus_path="/two"),
        disk("nvme0n2", 2000, bus_path="/two"),
        disk("mmcblk0", 64),
        disk("sr0", 100, is_cdrom=True),
    )
    assert result(*disks, selector=selector).startswith(expected)


def test_what_is_on_a_disk_is_erased_only_where_somebody_says_so() -> None:
    full = disk("sda", contents=DEBIAN)
    reason = "/dev/sda is not empty: 2 partitions (vfat, ext4)"
    assert result(full, selector=DiskSelector(type=DiskType.SSD)) == reason
    assert result(full, wipes=True) == "/dev/sda"
    for named in (MachineDisk(serial="S-sda"), MachineDisk(wwid="naa.sda")):
        assert result(full, selector=named) == "/dev/sda"


def test_only_the_talos_of_this_machine_s_last_install_is_its_own() -> None:
    own, other = disk("sda", contents=TALOS), disk("sdb", 600)
    assert result(own, given=own.identity) == "/dev/sda"
    assert result(own, other, given=own.identity) == "/dev/sda"
    foreign = "Talos is already installed on /dev/sda, not by this machine's last install, and would not be installed again"
    for more in ({}, {"given": other.identity}, {"wipes": True}, {"selector": MachineDisk(serial="S-sda")}):
        assert result(own, **more) == foreign
    assert result(own, disk("sdb", 100), given=own.identity) == foreign, "two disks with Talos confuse it"
    mixed = disk("sda", contents=(*TALOS, part("ext4", "data")))
    assert result(mixed, given=mixed.identity) == foreign
    held = choose(Inspection(at=NOW, boot=1, disks=(own,)), None, title="it")
    assert isinstance(held, Held)
    assert held.talos


def test_a_disk_is_told_in_one_line() -> None:
    assert disk_words(disk(model="Samsung SSD 870")) == (
        "500 GB SSD (sata), Samsung SSD 870, serial S-sda, WWID naa.sda"
    )
    assert disk_words(replace(NVME, serial="", wwid="", bus_path="/pci")) == "1 TB NVMe, at /pci"
    assert contents_words(disk(contents=TALOS)) == "Talos is installed on it"
    assert contents_words(disk(contents=(Content(path="/dev/sda", name="luks"),))) == "luks"
    assert contents_words(disk()) == ""


NAMES = st.sampled_from(["", "1", "2", "3", "*"])
DISKS = st.builds(
    Disk,
    path=st.sampled_from(["/dev/sda", "/dev/sdb", "/dev/nvme0n1", "/dev/sr0", "/dev/loop0", "/dev/mmcblk0"]),
    size=st.sampled_from([0, 9, 10, 250, 500]).map(lambda size: size * GB),
    serial=NAMES,
    wwid=NAMES,
    bus_path=NAMES,
    transport=st.sampled_from(["sata", "nvme", "usb", "virtio", "", "iscsi"]),
    is_rotational=st.booleans(),
    is_read_only=st.booleans(),
    is_cdrom=st.booleans(),
    contents=st.sampled_from([(), (), DEBIAN, TALOS, (GPT,)]),
)
SEVERAL = st.lists(DISKS, max_size=5).map(tuple)


@given(SEVERAL, st.booleans(), st.sampled_from([None, ("1", "", ""), ("2", "1", "")]))
def test_nothing_is_chosen_that_is_excluded_or_could_be_another_or_may_not_be_erased(
    disks: tuple[Disk, ...], wipes: object, last: tuple[str, str, str] | None
) -> None:
    found = choose(Inspection(at=NOW, boot=1, disks=disks, given=last), None, title="it", wipes=bool(wipes))
    if isinstance(found, Held):
        return
    (disk,) = [one for one in disks if one.path == found.disk.path and one.identity == _identity(found)]
    assert not disk.is_cdrom
    assert not disk.is_read_only
    assert disk.size >= SMALLEST
    assert disk.transport not in {"usb", "iscsi"}
    assert type_of(disk) in {DiskType.SSD, DiskType.NVME}
    same = [
        one for one in disks if all(not a or a == b for a, b in zip(disk.identity, _raw(one), strict=True))
    ]
    assert same == [disk], "what is told to Talos means this disk alone"
    assert not disk.contents or wipes or disk.identity == last
    assert not any(is_talos(one) for one in disks if one is not disk or one.identity != last)


@given(SEVERAL, DISKS)
def test_another_disk_changes_the_choice_to_itself_or_holds_it(disks: tuple[Disk, ...], more: Disk) -> None:
    before = choose(Inspection(at=NOW, boot=1, disks=disks), None, title="it")
    after = choose(Inspection(at=NOW, boot=1, disks=(*disks, more)), None, title="it")
    if isinstance(after, Held) or isinstance(before, Held):
        return
    if after != before and after.disk != before.disk:
        assert after.disk.size < before.disk.size
        assert after.disk.path == more.path
        assert not more.contents


@given(SEVERAL)
def test_the_order_in_which_disks_are_found_is_of_no_account(disks: tuple[Disk, ...]) -> None:
    one, other = (
        choose(Inspection(at=NOW, boot=1, disks=tuple(some)), None, title="it")
        for some in (disks, disks[::-1])
    )
    assert isinstance(one, Chosen) == isinstance(other, Chosen)
    assert not isinstance(one, Chosen) or one == other


def _identity(found: Chosen) -> tuple[str, str, str]:
    return found.disk.serial, found.disk.wwid, found.disk.bus_path


def _raw(disk: Disk) -> tuple[str, str, str]:
    return disk.serial, disk.wwid, disk.bus_path
