"""Resources are read from the YAML that Talos writes, key for key, and anything else is refused."""

import string
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.layers.arda.api import resources
from iluvatar_pxe.layers.arda.api.model import (
    DiscoveredVolume,
    Disk,
    Link,
    Member,
    NodeStatus,
    SystemDisk,
    SystemInformation,
    TimeStatus,
    UnattendedInstall,
    VolumeStatus,
)
from iluvatar_pxe.layers.arda.api.resources import Kind, SpecError

DISK = """\
dev_path: /dev/nvme0n1
size: 500107862016
pretty_size: 500 GB
io_size: 512
sector_size: 512
readonly: false
cdrom: false
model: "1234"
serial: "0042"
wwid: eui.0025385b21404321
uuid: null
bus_path: /pci0000:00/0000:00:1d.0
sub_system: /sys/class/block
transport: nvme
rotational: true
symlinks:
    - /dev/disk/by-id/nvme-x
"""
VOLUME = """\
devPath: /dev/sda1
type: partition
devicePath: /devices/x
parent: sda
size: 104857600
name: vfat
uuid: ABCD-1234
partitionUUID: 11111111-2222-3333-4444-555555555555
partitionType: c12a7328-f81f-11d2-ba4b-00a0c93ec93b
partitionLabel: EFI
partitionIndex: 1
"""
LINK = """\
index: 8
type: ether
hardwareAddr: 52:54:00:AB:cd:ef
permanentAddr: 52:54:00:ab:cd:ef
kind: ""
driver: virtio_net
busPath: 0000:00:01.0
linkState: true
speedMbit: 1000
"""
READ: list[tuple[Kind[Any], str, str, object]] = [
    (
        resources.DISKS,
        "nvme0n1",
        DISK,
        Disk(
            "nvme0n1",
            "/dev/nvme0n1",
            500107862016,
            512,
            "1234",
            "0042",
            "eui.0025385b21404321",
            "",
            "",
            "/pci0000:00/0000:00:1d.0",
            "nvme",
            is_rotational=True,
            is_read_only=False,
            is_cdrom=False,
            secondary=(),
            symlinks=("/dev/disk/by-id/nvme-x",),
        ),
    ),
    (
        resources.DISCOVERED_VOLUMES,
        "sda1",
        VOLUME,
        DiscoveredVolume(
            "sda1",
            "/dev/sda1",
            "partition",
            "sda",
            104857600,
            "vfat",
            "",
            "ABCD-1234",
            "EFI",
            "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
            "11111111-2222-3333-4444-555555555555",
            1,
        ),
    ),
    (
        resources.LINKS,
        "enp1s0",
        LINK,
        Link(
            "enp1s0",
            "52:54:00:ab:cd:ef",
            "52:54:00:ab:cd:ef",
            "",
            "ether",
            "virtio_net",
            "0000:00:01.0",
            is_up=True,
            speed_mbit=1000,
        ),
    ),
    (
        resources.SYSTEM_INFORMATION,
        "systeminformation",
        'manufacturer: Dell\nproductName: OptiPlex\nversion: "1.0"\nserialnumber: 7E10\nuuid: 4c4c4544\nskuNumber: 0A\n',
        SystemInformation("Dell", "OptiPlex", "1.0", "7E10", "4c4c4544", "0A"),
    ),
    (
        resources.UNATTENDED_INSTALL,
        "unattended-install",
        "image: installer:v1\nphase: failed\nerror: no disk matched\n",
        UnattendedInstall("failed", "installer:v1", "no disk matched"),
    ),
    (resources.SYSTEM_DISK, "system-disk", "diskID: sda\ndevPath: /dev/sda\n", SystemDisk("sda", "/dev/sda")),
    (
        resources.VOLUME_STATUSES,
        "u-longhorn",
        "phase: failed\nlocation: /dev/sda5\nparentLocation: /dev/sda\nsize: 5\nfilesystem: xfs\nerrorMessage: full\n",
        VolumeStatus("u-longhorn", "failed", "/dev/sda5", "/dev/sda", "xfs", 5, "full"),
    ),
    (
        resources.NODE_STATUSES,
        "cp-1",
        'nodename: cp-1\nnodeReady: true\nunschedulable: false\nlabels:\n    a/b: "true"\nannotations: {}\n',
        NodeStatus("cp-1", is_ready=True, is_unschedulable=False, labels={"a/b": "true"}, annotations={}),
    ),
    (
        resources.KUBELET_IMAGE,
        "kubelet",
        "image: ghcr.io/siderolabs/kubelet:v1.36.3\nclusterDNS:\n    - 10.96.0.10\nargs: []\n",
        "ghcr.io/siderolabs/kubelet:v1.36.3",
    ),
    (
        resources.TIME_STATUS,
        "node",
        "synced: true\nepoch: 1\nsyncDisabled: false\n",
        TimeStatus(is_synced=True, is_disabled=False),
    ),
    (
        resources.MEMBERS,
        "cp-1",
        (
            "nodeId: abc\naddresses:\n    - 10.0.0.11\n    - fd00::11\nhostname: cp-1\nmachineType: controlplane\n"
            "operatingSystem: Talos (v1.14.0)\ncontrolPlane:\n    port: 6443\n"
        ),
        Member("cp-1", "abc", "cp-1", "controlplane", "Talos (v1.14.0)", ("10.0.0.11", "fd00::11")),
    ),
]
KINDS = [value for value in vars(resources).values() if isinstance(value, Kind)]


@pytest.mark.parametrize(("kind", "name", "text", "value"), READ)
def test_each_kind_is_read(kind: Kind[Any], name: str, text: str, value: object) -> None:
    assert kind.read(name, text) == value


def test_only_a_nic_is_physical() -> None:
    assert resources.LINKS.read("a", LINK).is_physical
    assert not resources.LINKS.read("a", LINK.replace('kind: ""', "kind: bridge")).is_physical
    assert not resources.LINKS.read("lo", LINK.replace("ether", "loopback")).is_physical


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type)
def test_what_is_not_told_is_empty(kind: Kind[Any]) -> None:
    assert kind.read("x", "") == kind.read("x", "{}")


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "text",
        "a: b: c",
        "size: many",
        "size: [1]",
        "readonly: perhaps",
        "model: {a: b}",
        "a: 1\n---\nb: 2",
        "a: " + "[" * 5000,
        "size: 1" + "0" * 5000,
        "#" * (1 << 20) + "\n",
        "a: &a [x, x]\nb: &b [*a, *a]\n" + "".join(f"c{n}: &c{n} [*b, *b]\n" for n in range(3)) + "d: *e",
    ],
)
def test_what_a_disk_is_not_is_refused(text: str) -> None:
    with pytest.raises(SpecError):
        resources.DISKS.read("sda", text)


WORDS = st.text(string.ascii_letters + string.digits + "._:-\n é", max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
)
KEYS = [
    "size",
    "readonly",
    "symlinks",
    "labels",
    "status",
    "stage",
    "addresses",
    "linkState",
    "nodeReady",
    "phase",
]


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(KEYS) | WORDS, VALUES, max_size=6))
def test_any_mapping_is_read_or_refused(kind: Kind[Any], values: dict[str, Any]) -> None:
    with suppress(SpecError):
        assert kind.read("x", yaml.safe_dump(values)) is not None


@given(st.sampled_from(KINDS), st.text(max_size=100))
def test_any_text_is_read_or_refused(kind: Kind[Any], text: str) -> None:
    with suppress(SpecError):
        assert kind.read("x", text) is not None


@given(st.text(string.printable, max_size=30))
def test_a_serial_number_stays_as_it_is(serial: str) -> None:
    read = resources.DISKS.read("sda", yaml.safe_dump({"serial": serial}))
    assert read.serial in (serial, "")
