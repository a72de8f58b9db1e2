"""What a Raspberry Pi is served: its model's files of its image, or nothing, and then why."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from support.fleets import ARDA, fleet_of
from support.machines import machine_of
from support.pi import LAYER, MACS, READY, RULE, eeprom_id, pi, pi_discover
from support.plans import plan_for

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.plan import AssignFirst, BootLocal, Hold, Ignore, Plan, ServePiFiles, ToBeMade
from iluvatar_pxe.boot.preview.next_boot import next_boot
from iluvatar_pxe.boot.stages import stage_of_pi_file
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.fingerprint import from_dhcp
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.raspberry_pi import Generation
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment, Directive, Intent, Phase, Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch, Platform

PI3, PI4, PI5 = Generation
MAC = MACS[PI4]
OPEN = Context(ready=READY, window_open=True)
GIVEN = Assignment(
    name="ainur-01",
    layer="ainur",
    role=Role.AGENT,
    rule="rule 1",
    at=datetime(2026, 1, 1, tzinfo=UTC),
)
COMMON = {"vmlinuz", "initrd.img", "overlays/overlay_map.dtb", "overlays/bcm2712d0.dtbo"}


def listed(mac: str = MAC, lines: str = "", layer: str = LAYER) -> Fleet:
    return fleet_of(("varda", mac, f"layer: ainur\nrole: agent\n{lines}"), ainur=layer)


def on_record(mac: str = MAC, **fields: object) -> Machine:
    return machine_of(mac, firmware=Firmware.RASPBERRY_PI, assignment=replace(GIVEN, name="varda"), **fields)


def plan(
    fleet: Fleet,
    sighting: Sighting | None = None,
    machine: Machine | None = None,
    context: Context = OPEN,
) -> Plan:
    return plan_for(sighting or from_dhcp(pi(PI4)), Snapshot.of([machine] if machine else []), fleet, context)


def served(
    generation: Generation, lines: str = "", *, layer: str = LAYER, more: frozenset[str] = frozenset()
) -> ServePiFiles:
    mac = MACS[generation]
    context = replace(OPEN, ready=READY | more)
    found = plan(listed(mac, lines, layer), from_dhcp(pi(generation)), on_record(mac), context)
    assert isinstance(found, ServePiFiles), found
    return found


@pytest.mark.parametrize(
    ("generation", "expected"),
    [
        (PI3, {"bootcode.bin", "start.elf", "fixup.dat", "bcm2710-rpi-3-b.dtb"}),
        (PI4, {"start4.elf", "fixup4.dat", "bcm2711-rpi-4-b.dtb"}),
        (PI5, {"bcm2712-rpi-5-b.dtb"}),
    ],
)
def test_each_generation_gets_its_own_files_and_no_others(generation: Generation, expected: set[str]) -> None:
    assert served(generation).files.keys() == COMMON | expected


@pytest.mark.parametrize(
    ("layer", "lines", "config"),
    [
        (LAYER, "", ToBeMade("ainur", Role.AGENT)),
        (f"{LAYER}kernelArgs: ['ds=nocloud;s=http://10.0.0.9/']\n", "", None),
        (LAYER, "kernelArgs: ['ds=nocloud;s=http://10.0.0.9/']\n", None),
    ],
)
def test_the_daemon_configures_it_unless_the_fleet_says_who_does(
    layer: str, lines: str, config: ToBeMade | None
) -> None:
    assert served(PI4, lines, layer=layer).config == config


IN_MEMORY = f"{LAYER}root: {{kind: memory, data: {{label: data}}}}\n"


@pytest.mark.parametrize("phase", [Phase.INSTALLED, Phase.JOINED])
@pytest.mark.parametrize(
    ("layer", "lines", "boots_disk"),
    [
        (LAYER, "", True),
        (IN_MEMORY, "", False),
        (LAYER, "root: {kind: memory}\n", False),
        (IN_MEMORY, "root: {kind: disk}\n", True),
    ],
)
def test_one_that_is_installed_boots_its_disk_unless_its_system_is_in_memory(
    layer: str, lines: str, phase: Phase, *, boots_disk: bool
) -> None:
    found = plan(listed(lines=lines, layer=layer), machine=on_record(phase=phase))
    assert isinstance(found, BootLocal if boots_disk else ServePiFiles)


def test_one_that_is_to_be_installed_again_is_served() -> None:
    again = on_record(phase=Phase.JOINED, directive=Directive(Intent.REINSTALL, "anna"))
    assert isinstance(plan(listed(), machine=again), ServePiFiles)


def test_a_pi_that_does_not_tell_its_generation_gets_what_any_would_need() -> None:
    found = plan(listed(), from_dhcp(pi_discover(MAC, None)), on_record())
    assert isinstance(found, ServePiFiles)
    assert found.files.keys() >= COMMON | {"bootcode.bin", "start4.elf", "bcm2712-rpi-5-b.dtb"}
    assert "kernel7.img" not in found.files


def test_the_generation_that_it_told_before_counts() -> None:
    known = on_record(product="Raspberry Pi 5")
    found = plan(listed(), replace(from_dhcp(pi(PI4)), product=""), known)
    assert isinstance(found, ServePiFiles)
    assert "start4.elf" not in found.files


UPDATE = {"pieeprom.upd", "pieeprom.sig", "recovery.bin", "vl805.bin"}


@pytest.mark.parametrize(
    ("generation", "lines", "layer", "updates"),
    [
        (PI4, "", LAYER, False),
        (PI5, "", LAYER, False),
        (PI4, "eepromUpdate: true\n", LAYER, True),
        (PI4, "", LAYER + "eepromUpdate: true\n", True),
        (PI4, "eepromUpdate: false\n", LAYER + "eepromUpdate: true\n", False),
        (PI3, "eepromUpdate: true\n", LAYER, False),
    ],
)
def test_rpi_eeprom_417_and_2712_of_2023_an_eeprom_is_updated_only_where_the_fleet_asks_for_it(
    generation: Generation, lines: str, layer: str, *, updates: bool
) -> None:
    assert (served(generation, lines, layer=layer).files.keys() & UPDATE) == (UPDATE if updates else set())


@pytest.mark.parametrize(
    ("generation", "kernel", "initramfs"),
    [(PI3, "kernel8.img", ""), (PI4, "kernel8.img", ""), (PI5, "kernel_2712.img", "initramfs_2712")],
)
def test_the_kernels_of_raspberry_pi_os(generation: Generation, kernel: str, initramfs: str) -> None:
    files = (
        "bootcode.bin",
        "start.elf",
        "fixup.dat",
        "start4.elf",
        "fixup4.dat",
        "kernel8.img",
        "kernel_2712.img",
    )
    image = frozenset(f"raspberry-pi/os/{file}" for file in (*files, "initramfs_2712"))
    found = served(generation, layer="image: os\n", more=image)
    assert (found.kernel, found.initramfs, found.ramdisk) == (kernel, initramfs, False)


@pytest.mark.parametrize("generation", Generation)
def test_ubuntu_since_25_10_has_its_system_in_a_folder(generation: Generation) -> None:
    current = (*COMMON, "cmdline.txt", "bcm2710-rpi-3-b.dtb", "bcm2711-rpi-4-b.dtb", "bcm2712-rpi-5-b.dtb")
    firmware = ("bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat", "autoboot.txt")
    image = {f"raspberry-pi/new/current/{file}" for file in current}
    image |= {f"raspberry-pi/new/{file}" for file in (*firmware, "vmlinuz")}
    found = served(generation, layer="image: new\n", more=frozenset(image))
    assert (found.kernel, found.initramfs) == ("vmlinuz", "initrd.img")
    assert found.files["vmlinuz"] == "raspberry-pi/new/current/vmlinuz"
    assert found.files["overlays/bcm2712d0.dtbo"] == "raspberry-pi/new/current/overlays/bcm2712d0.dtbo"
    assert found.cmdline == "raspberry-pi/new/current/cmdline.txt"
    assert found.files.keys() == served(generation).files.keys(), "and no autoboot.txt"


def test_rpi_eeprom_857_boot_img_is_served_unsigned() -> None:
    image = frozenset(f"raspberry-pi/one/{file}" for file in ("boot.img", "boot.sig"))
    found = served(PI5, layer="image: one\n", more=image)
    assert found.ramdisk
    assert found.files == {"boot.img": "raspberry-pi/one/boot.img"}


@pytest.mark.parametrize(("generation", "ramdisk"), [(PI3, False), (PI4, True), (PI5, True)])
def test_a_pi_3_gets_loose_files_and_never_boot_img(generation: Generation, *, ramdisk: bool) -> None:
    """Its boot ROM knows no ramdisk (documentation of config.txt, boot_ramdisk: Raspberry Pi 4 and later)."""
    found = served(generation, more=frozenset({"raspberry-pi/ubuntu/boot.img"}))
    assert found.ramdisk == ramdisk
    assert ("boot.img" in found.files) == ramdisk
    assert found.files.keys() >= COMMON


def test_a_pi_3_waits_where_there_is_only_boot_img() -> None:
    mac, context = MACS[PI3], replace(OPEN, ready=frozenset({"raspberry-pi/one/boot.img"}))
    held = plan(listed(mac, layer="image: one\n"), from_dhcp(pi(PI3)), on_record(mac), context)
    assert isinstance(held, Hold)
    assert "raspberry-pi/one/bootcode.bin is missing" in held.why


def test_a_machine_and_a_rule_may_name_another_image() -> None:
    more = frozenset(name.replace("/ubuntu/", "/other/") for name in READY)
    assert served(PI4, "image: other\n", more=more).folder == "raspberry-pi/other"
    fleet = fleet_of(fleet=RULE.replace("role:", "image: other, role:"), ainur=LAYER)
    found = plan(fleet, machine=on_record(), context=replace(OPEN, ready=more))
    assert isinstance(found, ServePiFiles)
    assert found.folder == "raspberry-pi/other"


@pytest.mark.parametrize(
    ("fleet", "ready", "why"),
    [
        (listed(layer=""), READY, "layers/ainur.yaml has no image"),
        (
            listed(),
            READY - {"raspberry-pi/ubuntu/start4.elf"},
            "the file raspberry-pi/ubuntu/start4.elf is missing",
        ),
        (
            listed(),
            READY - {"raspberry-pi/ubuntu/vmlinuz"},
            "the file raspberry-pi/ubuntu/vmlinuz is missing",
        ),
        (
            fleet_of(("varda", MAC, "role: worker\nconfig: configs/one.yaml\n")),
            READY,
            "cannot run chain talos",
        ),
        (listed(lines="chain: hold\n"), READY, "machines/varda.yaml sets chain hold"),
        (listed(lines="intent: hold\n"), READY, "machines/varda.yaml sets intent hold"),
    ],
)
def test_why_it_waits(fleet: Fleet, ready: frozenset[str], why: str) -> None:
    place = replace(
        GIVEN, name="varda", layer=fleet.listed[0].layer or "", role=fleet.listed[0].file.role or Role.AGENT
    )
    found = plan(fleet, machine=replace(on_record(), assignment=place), context=Context(ready=ready))
    assert isinstance(found, Hold)
    assert why in found.why


def test_a_pi_of_an_unknown_model_waits_and_its_revision_is_named() -> None:
    to_come, silent = (from_dhcp(pi_discover(MAC, eeprom_id(MAC, revision))) for revision in (0xE05200, 0))
    found = plan(listed(), to_come, on_record())
    assert isinstance(found, Hold)
    assert "a Raspberry Pi of an unknown model: its revision is e05200" in found.why
    assert isinstance(plan(listed(), silent, on_record()), ServePiFiles), "it tells nothing of its model"


def test_what_is_no_pi_does_not_boot_a_pis_layer() -> None:
    sighting = Sighting(mac=MAC, firmware=Firmware.IPXE, arch=CpuArch.ARM64, platform=Platform.UEFI)
    found = plan(listed(), sighting, on_record())
    assert isinstance(found, Hold)
    assert "chain raspberry-pi needs a Raspberry Pi's own firmware" in found.why


@pytest.mark.parametrize(
    ("machine", "lines"), [(on_record(phase=Phase.JOINED), ""), (on_record(), "intent: local\n")]
)
def test_a_provisioned_pi_boots_its_disk(machine: Machine, lines: str) -> None:
    assert isinstance(plan(listed(lines=lines), machine=machine), BootLocal)


ENROLLING = fleet_of(fleet=RULE, ainur=LAYER)


@pytest.mark.parametrize(
    ("context", "mode", "expected"),
    [
        (OPEN, "window", AssignFirst),
        (replace(OPEN, window_open=False), "window", Hold),
        (replace(OPEN, window_open=False), "join", AssignFirst),
        (OPEN, "hold", Hold),
        (OPEN, "ignore", Ignore),
        (replace(OPEN, doubt="it is another"), "window", Hold),
        (replace(OPEN, no_assignment="the database is away"), "window", Hold),
        (replace(OPEN, ready=frozenset()), "window", Hold),
    ],
)
def test_it_joins_without_a_countdown_by_the_same_rules_of_trust(
    context: Context, mode: str, expected: type[Plan]
) -> None:
    fleet = fleet_of(fleet=f"enrolment: {{mode: {mode}}}\n{RULE}", ainur=LAYER)
    assert isinstance(plan(fleet, context=context), expected)


def test_the_second_of_two_that_tell_one_serial_number_waits() -> None:
    first = replace(
        on_record(MACS[PI5], phase=Phase.JOINED), serial=from_dhcp(pi(PI4)).serial, id=UUID(int=5)
    )
    second = replace(on_record(), first_seen=first.first_seen + timedelta(hours=1))
    sighting = from_dhcp(pi(PI4))
    found = plan_for(sighting, Snapshot.of([first, second]), listed(), OPEN)
    assert isinstance(found, Hold)
    assert found.why.endswith("but it tells the serial number of varda")
    assert found.lack
    assert found.lack.remedy.startswith("if they are one Pi: iluvatar-pxe machines merge varda ")
    later = replace(first, first_seen=second.first_seen + timedelta(hours=1))
    assert isinstance(plan_for(sighting, Snapshot.of([later, second]), listed(), OPEN), ServePiFiles)
    asked_once = replace(first, phase=Phase.DISCOVERED, assignment=None)
    assert isinstance(plan_for(sighting, Snapshot.of([asked_once, second]), listed(), OPEN), ServePiFiles)


def test_a_rule_that_asks_for_more_than_a_pi_tells_does_not_match() -> None:
    """Nothing will ever tell it: a Pi runs no iPXE."""
    rules = RULE.replace("[{", "[{match: {board: 'x*'}, intent: hold}, {")
    unknown = from_dhcp(pi_discover(MAC, None))
    assert isinstance(plan(fleet_of(fleet=rules, ainur=LAYER), unknown), AssignFirst)


@pytest.mark.parametrize("trait", ["product: '*Pi 4*'", "serial: b66c4c16", "board: '?03111'", "arch: arm64"])
def test_rules_may_ask_for_what_option_97_tells(trait: str) -> None:
    fleet = fleet_of(fleet=f"rules: [{{match: {{{trait}}}, layer: ainur}}]\n", ainur=LAYER)
    assert isinstance(plan(fleet), AssignFirst)


@pytest.mark.parametrize(("fleet", "last"), [(ENROLLING, "ainur-01"), (listed(), "varda")])
def test_a_whole_boot_is_previewed(fleet: Fleet, last: str) -> None:
    first, second = next_boot(from_dhcp(pi(PI4)), Snapshot(), fleet, OPEN)
    assert isinstance(first.decision.plan, AssignFirst)
    assert first.given
    assert first.given.name == last
    assert isinstance(second.decision.plan, ServePiFiles)
    assert second.decision.plan.name == last


@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("bootcode.bin", Stage.NBP),
        ("start4.elf", Stage.NBP),
        ("config.txt", Stage.SCRIPT),
        ("vmlinuz", Stage.KERNEL),
        ("kernel_2712.img", Stage.KERNEL),
        ("boot.img", Stage.KERNEL),
        ("initrd.img", Stage.INITRAMFS),
        ("overlays/overlay_map.dtb", None),
        ("cmdline.txt", None),
    ],
)
def test_the_stages_of_a_boot(file: str, stage: Stage | None) -> None:
    assert stage_of_pi_file(file) is stage


def test_a_rule_for_arm64_does_not_send_a_pi_to_talos() -> None:
    fleet = fleet_of(
        fleet="rules: [{match: {arch: arm64}, layer: arda, role: worker}]\n",
        arda=ARDA + "config: {worker: configs/one.yaml}\n",
    )
    assert isinstance(plan(fleet, context=replace(OPEN, ready=READY)), Hold)
