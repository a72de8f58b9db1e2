"""The stand-in's own rules are those that Talos' source has: addresses, pauses, disks, and what needs a reboot."""

import pytest
from support.talos.applying import needs_reboot
from support.talos.configuration import Configuration
from support.talos.disk_selectors import SelectorError, first_match, first_of_1_13
from support.talos.fetching import address_of, pause
from support.talos.hardware import Disk, Hardware

HARDWARE = Hardware("52:54:00:00:00:01", uuid="4c4c4544-0000", serial="BOX 1")
DISKS = [
    Disk("sda", serial="S1", size=500 * 10**9, transport="sata", rotational=True),
    Disk("nvme0n1", serial="S2", wwid="eui.01", size=250 * 10**9, transport="nvme"),
    Disk("sdb", serial="S3", size=32 * 10**9, transport="usb"),
    Disk("sr0", readonly=True, cdrom=True),
]


@pytest.mark.parametrize(
    ("template", "asked"),
    [
        ("http://a/c?u=${uuid}", "http://a/c?u=4c4c4544-0000"),
        ("http://a/c?uuid=", "http://a/c?uuid=4c4c4544-0000"),
        ("http://a/c?z=1&M=${MAC}", "http://a/c?M=52%3A54%3A00%3A00%3A00%3A01&z=1"),
        ("http://a/c?s=${serial}", "http://a/c?s=BOX+1"),
        ("http://a/${uuid}/c", "http://a/${uuid}/c"),
    ],
)
def test_variables_are_replaced_in_the_query_alone_and_its_keys_sorted(template: str, asked: str) -> None:
    assert address_of(template, HARDWARE) == asked


def test_pauses_double_without_a_limit() -> None:
    assert [pause(failures, 0) for failures in (1, 2, 3, 4, 5)] == [0, 0.5, 1.5, 3.5, 7.5]
    assert pause(12, 0) > 1000


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ('disk.serial == "S2"', "nvme0n1"),
        ('disk.transport != "usb" && !disk.rotational && !disk.readonly', "nvme0n1"),
        ("disk.size < 100u * GB && !disk.cdrom", "sdb"),
        ('disk.dev_path.startsWith("/dev/sd")', "sda"),
        ('disk.wwid == "none" || disk.cdrom', "sr0"),
        ('disk.serial == "other"', None),
    ],
)
def test_the_first_disk_that_matches_is_taken(expression: str, name: str | None) -> None:
    found = first_match(DISKS, expression)
    assert (found.name if found else None) == name


@pytest.mark.parametrize("expression", ["system_disk", "disk.unheard == 1", "disk.serial"])
def test_an_expression_that_talos_does_not_compile_is_an_error(expression: str) -> None:
    with pytest.raises(SelectorError):
        first_match(DISKS, expression)


@pytest.mark.parametrize(
    ("install", "name"),
    [
        ({"disk": "/dev/sdb"}, "sdb"),
        ({"diskSelector": {"serial": "S2"}}, "nvme0n1"),
        ({"diskSelector": {"size": "< 100GB", "type": "ssd"}}, "sdb"),
        ({"diskSelector": {"name": "/dev/nvme*"}}, "nvme0n1"),
        ({"disk": "/dev/sdz"}, None),
    ],
)
def test_1_13_has_selectors_of_its_own(install: dict[str, object], name: str | None) -> None:
    found = first_of_1_13(DISKS, install)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("change", "reboots"),
    [
        ("machine: {type: worker, sysctls: {a: b}}", False),
        ("machine: {type: worker, features: {kubePrism: {enabled: false}}}", False),
        ("machine: {type: worker, features: {diskQuotaSupport: true}}", True),
        ("machine: {type: controlplane}", True),
        ("machine: {type: worker, files: [{path: /a}]}", True),
        ("machine: {type: worker}\ncluster: {clusterName: other}", False),
    ],
)
def test_1_13_reboots_for_what_is_not_live(change: str, reboots: bool) -> None:  # noqa: FBT001
    old = Configuration.parse("machine: {type: worker}")
    assert needs_reboot(old, Configuration.parse(change)) == reboots
