import base64

import pytest

from iluvatar_pxe.assets.unpack.partitions import Partition
from iluvatar_pxe.errors import WireError
from iluvatar_pxe.layers.ainur.installer.layout import Installation, Layout, grown
from iluvatar_pxe.layers.ainur.installer.protocol import (
    Compression,
    ImagePart,
    Install,
    InstallStep,
    Progress,
    Restart,
    Wait,
    parse_progress,
    plan_text,
)
from iluvatar_pxe.machines.inspection import Disk

MIB = 1 << 20
IMAGE = Layout(Partition(MIB, 16 * MIB), Partition(17 * MIB, 32 * MIB))
DISK = Disk(path="/dev/vda", size=128 * MIB, serial="S-1")


def test_a_plan_says_all_that_is_done_to_the_disk() -> None:
    own = Installation("pi", 1)
    part = ImagePart(
        offset=MIB, compression=Compression.ZSTD, size=99, sha256="ab" * 32, path="/assets/boot.zst"
    )
    plan = Install(
        disk=DISK,
        image=IMAGE,
        parts=(part,),
        installation=own,
        kernel_args=("cgroup_enable=memory",),
        config_lines=("dtparam=pciex1",),
    )
    layout = grown(IMAGE, DISK.size)
    tables = [base64.b64encode(layout.table(own, bootable=bootable)).decode() for bootable in (False, True)]
    assert plan_text(plan).splitlines() == [
        "iluvatar-install 1",
        "disk /dev/vda",
        f"disk-size {128 * MIB}",
        f"part {MIB} zst 99 {'ab' * 32} /assets/boot.zst",
        f"first-table {tables[0]}",
        f"table {tables[1]}",
        f"boot-offset {MIB}",
        f"boot PARTUUID={own.disk_id}-01",
        f"root PARTUUID={own.disk_id}-02",
        f"root-uuid {own.root_uuid}",
        "kernel-argument cgroup_enable=memory",
        "config-line dtparam=pciex1",
        "end",
    ]


def test_what_somebody_wrote_adds_no_line_to_a_plan() -> None:
    text = plan_text(Wait(30, "disk\n/dev/sda\x1b[2J"))
    assert text == "iluvatar-install 1\nwait 30 disk /dev/sda [2J\nend\n"
    assert plan_text(Restart(is_complete=True)) == "iluvatar-install 1\nrestart complete\nend\n"
    assert plan_text(Restart(is_complete=False)) == "iluvatar-install 1\nrestart now\nend\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("step write\npercent 42\n", Progress(InstallStep.WRITE, 42)),
        ("step done\n", Progress(InstallStep.DONE)),
        ("fault no disk fits\n", Progress(None, fault="no disk fits")),
        ("step erase\nfault x\n", Progress(InstallStep.ERASE, fault="x")),
    ],
)
def test_progress_is_read(text: str, expected: Progress) -> None:
    assert parse_progress(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "step fly",
        "step write\nstep write",
        "percent 101",
        "percent -1",
        "fault ",
        "hello",
        f"fault {'x' * 600}",
    ],
)
def test_progress_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        parse_progress(text)
