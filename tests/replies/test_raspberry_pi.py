"""The files that are made for a Pi, as a whole."""

import pytest
from support.templates import PI_TEXTS

from iluvatar_pxe.boot.plan import ServePiFiles
from iluvatar_pxe.replies.raspberry_pi import cmdline_txt, seed_arguments
from iluvatar_pxe.values import replace

PLAN = ServePiFiles(
    why="",
    chain="raspberry-pi",
    name="ainur-01",
    folder="raspberry-pi/ubuntu",
    files={},
    cmdline="",
    kernel="vmlinuz",
    initramfs="initrd.img",
    ramdisk=False,
    config_lines=("dtoverlay=disable-wifi", "gpu_mem=16"),
    kernel_args=("ds=nocloud;s=http://x/", "quiet"),
)
CGROUPS = "cgroup_enable=memory cgroup_memory=1"


def test_config_txt() -> None:
    assert PI_TEXTS.config_txt(PLAN) == (
        "# ainur-01: raspberry-pi/ubuntu\n"
        "arm_64bit=1\n"
        "kernel=vmlinuz\n"
        "initramfs initrd.img followkernel\n"
        "cmdline=cmdline.txt\n"
        "enable_uart=1\n"
        "dtparam=watchdog=on\n"
        "[pi5]\n"
        "dtparam=pciex1\n"
        "[cm4]\n"
        "dtoverlay=dwc2,dr_mode=host\n"
        "[all]\n"
        "dtoverlay=disable-wifi\n"
        "gpu_mem=16\n"
    )


def test_config_txt_without_initramfs_or_lines() -> None:
    text = PI_TEXTS.config_txt(replace(PLAN, initramfs="", config_lines=()))
    assert "kernel=vmlinuz\ncmdline=cmdline.txt\nenable_uart=1\n" in text
    assert text.endswith("[all]\n")


def test_config_txt_of_a_ramdisk() -> None:
    text = PI_TEXTS.config_txt(replace(PLAN, ramdisk=True, config_lines=()))
    assert text.splitlines()[1:3] == ["boot_ramdisk=1", "enable_uart=1"]


@pytest.mark.parametrize(
    ("of_image", "expected"),
    [
        ("", f"console=serial0,115200 console=tty1 rootwait {CGROUPS}"),
        ("root=LABEL=writable\n  rootwait\r\n\n", f"root=LABEL=writable rootwait {CGROUPS}"),
        ("a cgroup_memory=1", "a cgroup_memory=1 cgroup_enable=memory"),
    ],
)
def test_cmdline_txt_is_one_line(of_image: str, expected: str) -> None:
    assert cmdline_txt(PLAN, of_image) == f"{expected} ds=nocloud;s=http://x/ quiet\n"


def test_where_its_documents_are_stands_in_place_of_what_the_image_says_of_that() -> None:
    seed = seed_arguments("http://10.0.0.2:8080/cloud-init/TICKET", "one", seeded=False)
    plan = replace(PLAN, kernel_args=("quiet",))
    assert cmdline_txt(plan, "root=LABEL=writable ds=nocloud;i=rpi-imager-1 rootwait", seed) == (
        f"root=LABEL=writable rootwait {CGROUPS} quiet iluvatar.url=http://10.0.0.2:8080/cloud-init/TICKET "
        "ds=nocloud-net;s=http://10.0.0.2:8080/cloud-init/TICKET/;i=one\n"
    )
    seed = seed_arguments("http://10.0.0.2:8080/cloud-init/TICKET", "one", seeded=True)
    assert seed == ("iluvatar.url=http://10.0.0.2:8080/cloud-init/TICKET",), "its seed asks nobody"
