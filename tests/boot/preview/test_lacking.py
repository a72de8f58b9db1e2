"""What the fleet's machines would lack, before one of them tries to boot."""

import pytest
from support.fleets import ARDA, CONFIGURED, INITRAMFS, KERNEL, READY, fleet_of

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.preview.lacking import shortages
from iluvatar_pxe.fleet.models import Fleet

MAC = "52:54:00:77:00:01"
PCS = "rules:\n - {name: PCs, match: {arch: x86_64}, layer: arda, role: auto}\n"
PIS = "rules:\n - {name: Pis, match: {firmware: raspberry-pi}, layer: ainur, role: auto}\n"
PUT = "give its address in assets.entries of fleet.yaml, or copy it into the assets directory"
HALF = f"{ARDA}config: {{worker: configs/worker.yaml}}\n"
"""A layer with a configuration of its own for one of its roles."""


def lines(fleet: Fleet, ready: frozenset[str] = READY) -> list[str]:
    return [one.text for one in shortages(fleet, Context(ready=ready))]


def test_a_fleet_that_has_everything_lacks_nothing() -> None:
    assert lines(fleet_of(fleet=PCS, arda=CONFIGURED)) == []


def test_everything_is_told_at_once_and_only_once() -> None:
    why = 'rule 1 "PCs" of fleet.yaml'
    add = "add it there under 'config:', or set 'config:' in its file or rule"
    assert lines(fleet_of(fleet=PCS, arda=HALF), frozenset()) == [
        f"{why}: the file {KERNEL} is missing; {PUT}",
        f"{why}: the file {INITRAMFS} is missing; {PUT}",
        f"{why}: layers/arda.yaml has no configuration for role controlplane; {add}",
    ]


def test_a_layer_without_configurations_lacks_none_because_the_daemon_makes_them() -> None:
    assert lines(fleet_of(fleet=PCS)) == []


def test_one_architecture_is_enough() -> None:
    arm = frozenset(name.replace("amd64", "arm64") for name in (KERNEL, INITRAMFS))
    fleet = fleet_of(fleet=PCS, arda=CONFIGURED)
    assert lines(fleet, arm) == []
    half = lines(fleet, arm - {INITRAMFS.replace("amd64", "arm64")})
    assert half == [
        f'rule 1 "PCs" of fleet.yaml: the file {INITRAMFS.replace("amd64", "arm64")} is missing; {PUT}'
    ]


def test_an_image_that_is_not_there_and_one_that_is_not_named() -> None:
    (missing,) = lines(fleet_of(fleet=PIS, ainur="image: ubuntu\n"))
    assert missing == f'rule 1 "Pis" of fleet.yaml: the file raspberry-pi/ubuntu/vmlinuz is missing; {PUT}'
    (unnamed,) = lines(fleet_of(fleet=PIS, ainur=""))
    assert unnamed.endswith("layers/ainur.yaml has no image; add 'image:' to it")


def test_a_link_that_is_not_followed_is_the_reason() -> None:
    why = "/assets/talos: is a link to /mnt: No such file or directory; correct or remove the link"
    context = Context(ready=frozenset(), links={"talos": why})
    (found,) = {one.text for one in shortages(fleet_of(fleet=PCS, arda=CONFIGURED), context)}
    assert found.endswith(why)


@pytest.mark.parametrize(
    "lines_of_file", ["intent: local\n", "chain: hold\n", "chain: ipxe\nscript: rescue.ipxe\n"]
)
def test_what_boots_without_these_files_lacks_nothing(lines_of_file: str) -> None:
    fleet = fleet_of(("one", MAC, lines_of_file), rescue_ipxe="#!ipxe\n")
    assert lines(fleet, frozenset()) == []


def test_listed_machines_come_first_and_say_so() -> None:
    talos = "chain: talos\nconfig: configs/one.yaml\n"
    fleet = fleet_of(("one", MAC, talos), ("two", "52:54:00:77:00:02", talos), fleet=PCS, arda=HALF)
    found = shortages(fleet, Context(ready=READY - {KERNEL}))
    assert [(one.text.partition(":")[0], one.listed) for one in found] == [
        ("machines/one.yaml", True),
        ('rule 1 "PCs" of fleet.yaml', False),
    ]
