from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.layers.ainur.installer.hardware import Volume, parse_hardware
from iluvatar_pxe.machines.inspection import Content, Disk

DISK = "disk\tname=nvme0n1\tsize=1000204886016\tsector=512\tmodel=Samsung SSD 980\tserial=S64D\twwid=eui.0025\tpath=/pci/nvme0\ttransport=nvme\trotational=0\tread-only=0\ttable=dos\ttable-id=1a2b3c4d"
ROOT = "volume\tdisk=nvme0n1\tname=nvme0n1p2\tnumber=2\tsize=999\ttype=ext4\tlabel=a=b\tuuid=u-2"


def report(*lines: str) -> str:
    return "\n".join(("iluvatar-hardware 1", *lines, ""))


def test_a_report_gives_disks_and_what_is_on_them() -> None:
    found = parse_hardware(report("memory\tsize=4096", DISK, ROOT, "disk\tname=sr0\tsize=1\tsector=2048"))
    one, other = found.disks
    assert found.memory == 4096
    assert one.disk == Disk(
        path="/dev/nvme0n1",
        size=1000204886016,
        model="Samsung SSD 980",
        serial="S64D",
        wwid="eui.0025",
        bus_path="/pci/nvme0",
        transport="nvme",
        contents=(
            Content(path="/dev/nvme0n1", name="dos"),
            Content(path="/dev/nvme0n1p2", name="ext4", label="a=b", size=999, is_partition=True),
        ),
    )
    assert (one.sector, one.table, one.table_id) == (512, "dos", "1a2b3c4d")
    assert one.volume(2) == Volume(
        path="/dev/nvme0n1p2", number=2, size=999, type="ext4", label="a=b", uuid="u-2"
    )
    assert one.volume(1) is None
    assert other.disk.is_cdrom


@pytest.mark.parametrize(
    "text",
    [
        "",
        "iluvatar-hardware 2\n",
        report("disc\tname=sda"),
        report("memory\tsize=1", "memory\tsize=1"),
        report("memory\tsize=much"),
        report("memory"),
        report(DISK, DISK),
        report(ROOT),
        report("disk\tname=../sda\tsize=1\tsector=512"),
        report("disk\tname=sda\tsize=-1\tsector=512"),
        report("disk\tname=sda\tsize=1"),
        report("disk\tname=sda\tsize=1\tsector=512\tsize=2"),
        report("disk\tname=sda\tsize=1\tsector=512\tcolour=red"),
        report(f"disk\tname=sda\tsize=1\tsector=512\tmodel={'x' * 300}"),
        report("disk\tname=sda\tsize=1\tsector=512\tmodel=a\x1b[2J"),
        report(*(f"disk\tname=sd{number}\tsize=1\tsector=512" for number in range(600))),
    ],
)
def test_what_no_machine_tells_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        parse_hardware(text)


@given(st.text(st.sampled_from("disk\tvolume\nname=a1size sector0\x00é")))
def test_anything_else_is_refused_with_one_error(text: str) -> None:
    for one in (text, report(text), report(DISK, text)):
        with suppress(WireError):
            parse_hardware(one)
