"""Firmware that is downloaded apart from images: for Pis whose image has none."""

from datetime import UTC, datetime

import pytest
from support.fleets import fleet_of
from support.machines import machine_of
from support.pi import MACS, pi
from support.plans import plan_for

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.plan import Hold, Plan, ServePiFiles
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.machines.fingerprint import from_dhcp
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.raspberry_pi import Generation
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Assignment, Role

PI3, PI4, PI5 = Generation
IMAGE = frozenset({"raspberry-pi/own/vmlinuz", "raspberry-pi/own/bcm2711-rpi-4-b.dtb"})
NAMES: dict[Generation, set[str]] = {
    PI3: {"bootcode.bin", "start.elf", "fixup.dat"},
    PI4: {"start4.elf", "fixup4.dat"},
    PI5: set(),
}

GIVEN = Assignment(
    name="varda", layer="ainur", role=Role.AGENT, rule="rule 1", at=datetime(2026, 1, 1, tzinfo=UTC)
)


def apart(version: str, *names: str) -> frozenset[str]:
    every = names or tuple(name for some in NAMES.values() for name in some)
    return frozenset(f"raspberry-pi-firmware/{version}/{name}" for name in every)


def plan(generation: Generation, ready: frozenset[str], coming: dict[str, Progress] | None = None) -> Plan:
    fleet = fleet_of(("varda", MACS[generation], "layer: ainur\nrole: agent\n"), ainur="image: own\n")
    machine = machine_of(MACS[generation], firmware=Firmware.RASPBERRY_PI, assignment=GIVEN)
    context = Context(ready=ready, coming=coming or {})
    return plan_for(from_dhcp(pi(generation)), Snapshot.of([machine]), fleet, context)


def served(generation: Generation, ready: frozenset[str]) -> dict[str, str]:
    found = plan(generation, ready)
    assert isinstance(found, ServePiFiles), found
    firmware = {name for names in NAMES.values() for name in names}
    return {name: asset for name, asset in found.files.items() if name in firmware}


@pytest.mark.parametrize("generation", Generation)
def test_an_image_without_firmware_is_served_with_what_its_generation_needs(generation: Generation) -> None:
    files = served(generation, IMAGE | apart("2025-08-01"))
    assert files == {name: f"raspberry-pi-firmware/2025-08-01/{name}" for name in NAMES[generation]}


def test_of_two_versions_it_is_the_newer() -> None:
    files = served(PI4, IMAGE | apart("2025-08-01") | apart("2026-02-01"))
    assert set(files.values()) == apart("2026-02-01", *NAMES[PI4])


def test_an_images_own_firmware_is_used_whole() -> None:
    own = frozenset(f"raspberry-pi/own/{name}" for name in NAMES[PI4])
    assert set(served(PI4, IMAGE | own | apart("2025-08-01")).values()) == own


def test_start_and_fixup_of_two_origins_are_never_mixed() -> None:
    held = plan(PI4, IMAGE | apart("2025-08-01") | {"raspberry-pi/own/start4.elf"})
    assert isinstance(held, Hold)
    assert "raspberry-pi/own/fixup4.dat is missing" in held.why
    held = plan(PI4, IMAGE | apart("2025-08-01", "start4.elf"))
    assert isinstance(held, Hold)


def test_a_pi_waits_for_firmware_that_is_coming() -> None:
    coming = {name: Progress(state=State.QUEUED) for name in apart("2025-08-01")}
    held = plan(PI4, IMAGE, coming)
    assert isinstance(held, Hold)
    assert held.lack
    assert held.lack.under_way
    assert held.lack.file == "raspberry-pi-firmware/2025-08-01/start4.elf"


def test_an_image_that_is_coming_is_what_it_waits_for() -> None:
    coming = {name: Progress(state=State.QUEUED) for name in apart("2025-08-01")}
    coming["raspberry-pi/own/"] = Progress(state=State.LOADING, done=1, size=4)
    held = plan(PI4, frozenset(), coming)
    assert isinstance(held, Hold)
    assert held.lack
    assert held.lack.file.startswith("raspberry-pi/own/")
