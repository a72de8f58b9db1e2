"""``machines list`` and ``machines show`` as processes, on real databases."""

import os
import pty
import subprocess
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from support.command import Host
from support.daemon import HERE

from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.inspection import Content, Disk, Inspection, Nic
from iluvatar_pxe.machines.model import BootEvent, Machine
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Assignment, Attempts, Directive, Intent, Phase, Role
from iluvatar_pxe.wire.pxe import CpuArch

SEEN = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
FLEET = "rules: [{match: {arch: x86_64}, layer: arda}]\n"
ARDA = (
    "kind: talos\ntalos: {version: v1.13.9, schematic: abc}\nconfig: {controlplane: c.yaml, worker: c.yaml}\n"
)


def machine(number: int, **changes: Any) -> Machine:
    known: dict[str, Any] = {
        "id": UUID(int=number << 112),
        "macs": (f"52:54:00:00:00:{number:02x}",),
        "generation": 1,
        "reached": Stage.SCRIPT,
        "furthest": Stage.CONFIG,
        "first_seen": SEEN,
        "last_seen": SEEN,
        "firmware": Firmware.UEFI_PXE,
        "arch": CpuArch.X86_64,
    }
    return Machine(**known | changes)


GIVEN = Assignment(name="arda-01", layer="arda", role=Role.CONTROLPLANE, rule="rule 1 of fleet.yaml", at=SEEN)
JOINED = machine(
    0x1111,
    macs=("52:54:00:00:00:01", "52:54:00:00:00:0a"),
    generation=2,
    assignment=GIVEN,
    phase=Phase.JOINED,
    address=IPv4Address("192.168.1.21"),
    manufacturer="Dell Inc.",
    product="OptiPlex 7050",
    serial="To be filled by O.E.M.",
    uuid=UUID("4c4c4544-0042-3510-8052-b4c04f4e3232"),
    inspection=Inspection(
        at=SEEN,
        boot=1,
        disks=(
            Disk(path="/dev/nvme0n1", size=512 * 10**9, serial="S1", transport="nvme"),
            Disk(
                path="/dev/sda",
                size=32 * 10**9,
                serial="S2",
                transport="usb",
                contents=(Content(path="/dev/sda", name="iso9660"),),
            ),
        ),
        nics=(Nic(name="eno1", mac="52:54:00:00:00:01"), Nic(name="eno2", mac="52:54:00:00:00:0a")),
        given=("S1", "", ""),
    ),
)
LISTED = machine(0x1222, macs=("52:54:00:00:00:02",), directive=Directive(Intent.HOLD, "root", "fan"))
DISPUTED = machine(0x3333, macs=("52:54:00:00:00:03",), conflict="two at once", product="\x1b[2J\n")
FAILED = machine(
    0x4444,
    macs=("52:54:00:00:00:04",),
    phase=Phase.FAILED,
    attempts=Attempts("talos", Stage.CONFIG, (SEEN,), 1),
)
PASSING = machine(
    0x5555, macs=("52:54:00:00:00:05",), reached=Stage.DISCOVER, furthest=Stage.DISCOVER, arch=None
)


def event(generation: int, second: int, stage: Stage | Happening, detail: str, **more: Any) -> BootEvent:
    at = SEEN.replace(second=second)
    return BootEvent(at=at, machine_id=JOINED.id, generation=generation, stage=stage, detail=detail, **more)


EVENTS = (
    event(1, 1, Stage.DISCOVER, "ipxe/snponly.efi", cause="first"),
    event(2, 2, Stage.DISCOVER, "ipxe/snponly.efi"),
    event(2, 3, Stage.NBP, "ipxe/snponly.efi", bytes=123_456, milliseconds=12.3),
    event(2, 4, Happening.CHANGED, "phase joined", cause="root"),
)


def known_host(directory: Path) -> Host:
    """Return a host whose inventory knows these machines."""
    made = Host(directory)
    made.write("fleet.yaml", FLEET)
    made.write("layers/arda.yaml", ARDA)
    made.write("c.yaml", "machine: {}\n")
    made.write("machines/big.yaml", 'match: {macs: ["52:54:00:00:00:02"]}\nrole: worker\n')
    made.have("ipxe/snponly.efi")
    made.know(JOINED, LISTED, DISPUTED, FAILED, PASSING, events=EVENTS)
    return made


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    return known_host(tmp_path_factory.mktemp("host"))


def test_the_list_of_a_pipe_is_a_line_for_each_in_full(host: Host) -> None:
    answer = host.run("machines", "list")
    days = (datetime.now(UTC) - SEEN).days
    seen = f"{days} days ago"
    gap, dots = "  ", r"\x1b[2J\n"
    assert (answer.status, answer.error) == (0, "")
    macs = "52:54:00:00:00:01, 52:54:00:00:00:0a"
    rows = [
        (
            "name",
            "layer",
            "role",
            "phase",
            "intent",
            "address",
            "MACs",
            "make and product",
            "last seen",
            "reached",
        ),
        (
            "arda-01",
            "arda",
            "controlplane",
            "joined",
            "",
            "192.168.1.21",
            macs,
            "Dell Inc. OptiPlex 7050",
            seen,
            "script",
        ),
        ("big", "arda", "worker", "discovered", "hold", "", "52:54:00:00:00:02", "", seen, "script"),
        ("-", "", "", "discovered", "conflict", "", "52:54:00:00:00:03", dots, seen, "script"),
        ("-", "", "", "failed", "", "", "52:54:00:00:00:04", "", seen, "script"),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(10)]
    table = [
        gap.join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    assert answer.lines == [*table, "and 1 MAC that only sent a DHCP boot request; --all lists them"]
    everything = host.run("machines", "list", "--all")
    assert [line.split()[0] for line in everything.lines] == ["name", "arda-01", "big", "-", "-", "-"]


def test_the_list_of_a_terminal_fits_it(host: Host) -> None:
    leader, follower = pty.openpty()
    try:
        process = subprocess.run(
            [*HERE, "machines", "list", "--config", str(host.config)],
            stdout=follower,
            check=True,
            env=os.environ | {"COLUMNS": "80"},
        )
        os.close(follower)
        lines = os.read(leader, 100_000).decode().split("\r\n")
    finally:
        os.close(leader)
    assert process.returncode == 0
    assert all(len(line) <= 80 and line.isprintable() for line in lines)
    assert lines[0].split() == ["name", "layer", "phase", "address", "make", "and", "last", "seen"]


def test_the_list_as_json(host: Host) -> None:
    machines = host.run("machines", "list", "--json").json
    assert [one["macs"][0][-2:] for one in machines] == ["01", "02", "03", "04"]
    assert machines[0] == {
        "id": "11110000-0000-0000-0000-000000000000",
        "name": "arda-01",
        "layer": "arda",
        "role": "controlplane",
        "rule": "rule 1 of fleet.yaml",
        "assigned_at": "2026-01-02T03:04:05.678Z",
        "listed": False,
        "power": None,
        "phase": "joined",
        "intent": "boot",
        "intent_by": None,
        "intent_why": None,
        "conflict": None,
        "faults": [],
        "warnings": [],
        "address": "192.168.1.21",
        "claimed": [],
        "macs": ["52:54:00:00:00:01", "52:54:00:00:00:0a"],
        "manufacturer": "Dell Inc.",
        "product": "OptiPlex 7050",
        "board": None,
        "serial": "To be filled by O.E.M.",
        "serial_is_bogus": True,
        "uuid": "4c4c4544-0042-3510-8052-b4c04f4e3232",
        "uuid_is_bogus": False,
        "arch": "x86_64",
        "firmware": "uefi-pxe",
        "boots": 2,
        "reached": "script",
        "furthest": "config",
        "first_seen": "2026-01-02T03:04:05.678Z",
        "last_seen": "2026-01-02T03:04:05.678Z",
        "transient": False,
    }
    big = machines[1]
    assert (big["name"], big["listed"], big["role"], big["rule"]) == (
        "big",
        True,
        "worker",
        "machines/big.yaml",
    )
    assert (big["intent"], big["intent_by"], big["intent_why"]) == ("hold", "root", "fan")
    assert len(host.run("machines", "list", "--json", "--all").json) == 5


def test_everything_about_a_machine(host: Host) -> None:
    answer = host.run("machines", "show", "arda-01")
    assert answer.status == 0
    days = (datetime.now(UTC) - SEEN).days
    assert answer.lines == [
        "arda-01",
        "",
        "Identity",
        "  id          11110000-0000-0000-0000-000000000000",
        "  MACs        52:54:00:00:00:01, 52:54:00:00:00:0a",
        "  UUID        4c4c4544-0042-3510-8052-b4c04f4e3232",
        "  serial      To be filled by O.E.M. (not unique, so ignored)",
        "  make        Dell Inc.",
        "  product     OptiPlex 7050",
        "  firmware    uefi-pxe, x86_64",
        "  address     192.168.1.21",
        "",
        "Place",
        "  place       controlplane of arda",
        "  given by    rule 1 of fleet.yaml, on 2026-01-02 03:04 UTC",
        "  phase       joined",
        "  intent      boot",
        f"  seen        first 2026-01-02 03:04 UTC, last {days} days ago",
        "  reached     script; in any boot: config",
        "",
        "Hardware",
        "  disk         /dev/nvme0n1 is chosen: it was told to install its system there",
        "  /dev/nvme0n1 512 GB NVMe, serial S1; chosen",
        "  /dev/sda     32 GB SSD (usb), serial S2; iso9660; is attached by usb, and used only if its machine's file names it (serial: S2)",
        "  NICs         eno1 52:54:00:00:00:01, eno2 52:54:00:00:00:0a",
        "",
        "Next boot",
        "  plan        boots its own disk",
        "  why         it has joined, so it boots its disk; to install it again: iluvatar-pxe machines reinstall",
        "",
        "How it was decided",
        "  request     asks for a boot: ipxe on x86_64",
        "  intent      no override",
        "  identity    known by 52:54:00:00:00:01, 52:54:00:00:00:0a",
        "  menu        no menu",
        "  attempts    no boot loop",
        "",
        "Boot 1 of 2, 2026-01-02 03:04 UTC: reached discover",
        "at (UTC)        stage     what              size  why",
        "01-02 03:04:01  discover  ipxe/snponly.efi        first",
        "",
        "Boot 2 of 2, 2026-01-02 03:04 UTC: reached script",
        "at (UTC)        stage     what              size                why",
        "01-02 03:04:02  discover  ipxe/snponly.efi",
        "01-02 03:04:03  nbp       ipxe/snponly.efi  123,456 B in 12 ms",
        "01-02 03:04:04  changed   phase joined                          root",
    ]


def test_a_machine_as_json(host: Host) -> None:
    page = host.run("machines", "show", "1111-0000", "--boots", "1", "--json").json
    assert page["name"] == "arda-01"
    assert page["plan"]["what"] == "boots its own disk"
    assert page["plan"]["steps"][-1] == {"step": "joined", "found": page["plan"]["why"]}
    (boot,) = page["last_boots"]
    assert (boot["boot"], boot["reached"], boot["started_at"]) == (2, "script", "2026-01-02T03:04:02.678Z")
    assert boot["events"][1] == {
        "at": "2026-01-02T03:04:03.678Z",
        "stage": "nbp",
        "detail": "ipxe/snponly.efi",
        "cause": None,
        "bytes": 123_456,
        "milliseconds": 12.3,
    }
    assert host.run("machines", "show", "arda-01", "--boots", "0", "--json").json["last_boots"] == []


def test_a_conflict_is_told_with_ways_to_settle_it(host: Host) -> None:
    answer = host.run("machines", "show", "5254.0000.0003")
    name = "52:54:00:00:00:03"
    lines = answer.lines
    assert r"  product     \x1b[2J\n" in lines
    assert "  conflict    two at once" in lines
    (settle,) = [line for line in lines if line.startswith("  to resolve")]
    for command in (f"release {name};", f"split {name} MAC;", f"merge {name} OTHER"):
        assert f"iluvatar-pxe machines {command}" in settle
    assert "  plan        waits" in lines


@pytest.mark.parametrize(
    ("name", "error"),
    [
        (
            "nobody",
            "nobody: no machine has this name, MAC or ID; list them with `iluvatar-pxe machines list --all`",
        ),
        (
            "52:54:00:00:00:ff",
            "52:54:00:00:00:ff: no machine has this name, MAC or ID; list them with `iluvatar-pxe machines list --all`",
        ),
    ],
)
def test_a_machine_that_is_not_there(host: Host, name: str, error: str) -> None:
    answer = host.run("machines", "show", name)
    assert (answer.status, answer.output, answer.error) == (1, "", f"iluvatar-pxe: {error}\n")


def test_a_locale_without_a_character_of_a_name_spells_it_out(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.know(machine(7, product="Büro"))
    command = [*HERE, "machines", "list", "--config", str(host.config)]
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ascii_only)
    assert r"B\xfcro" in done.stdout


def test_an_empty_inventory(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.know()
    answer = host.run("machines", "list")
    assert (answer.status, answer.lines) == (0, ["No machines yet; boot one from the network."])
    assert host.run("machines", "list", "--json").json == []


def test_no_inventory(tmp_path: Path) -> None:
    host = Host(tmp_path)
    answer = host.run("machines", "list")
    text = f"iluvatar-pxe: {host.database}: no inventory yet; start the daemon, which creates it\n"
    assert (answer.status, answer.error) == (1, text)
    assert not host.database.exists()


def test_a_damaged_inventory(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.database.write_bytes(b"nonsense" * 1000)
    answer = host.run("machines", "list")
    assert answer.status == 1
    assert "it is damaged or not a database" in answer.error


def test_a_fleet_with_a_fault_is_left_out(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.know(JOINED)
    host.write("fleet.yaml", "colour: red\n")
    answer = host.run("machines", "list")
    fault = f"{host.fleet}/fleet.yaml:1: colour: no such key; remove it or correct its name"
    assert answer.error == f"iluvatar-pxe: {fault}; ignoring the fleet\n"
    assert answer.status == 0
    assert answer.lines[1].startswith("arda-01 ")


def test_settings_that_are_not_there(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.config.unlink()
    answer = host.run("machines", "list")
    text = f"iluvatar-pxe: {host.config}: no such file; create it or leave --config out\n"
    assert (answer.status, answer.error) == (2, text)


def test_cards_that_are_only_its_word_are_told_apart(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.know(machine(7, claimed=("52:54:00:00:00:99",)))
    lines = host.run("machines", "show", "52:54:00:00:00:07").lines
    assert "  MACs        52:54:00:00:00:07" in lines
    assert "  reports too 52:54:00:00:00:99" in lines


def test_what_a_raspberry_pi_boots_next_is_what_its_own_firmware_gets(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.write("fleet.yaml", "domain: lab.home.arpa\n")
    host.write("layers/ainur.yaml", "kind: k3s\nimage: ubuntu\n")
    mac = "dc:a6:32:00:00:04"
    host.write("machines/varda.yaml", f'match: {{macs: ["{mac}"]}}\nlayer: ainur\nrole: agent\n')
    host.know(machine(0x6666, macs=(mac,), firmware=Firmware.RASPBERRY_PI, arch=CpuArch.ARM64))
    done = host.run("machines", "show", "varda")
    assert "asks for a boot: raspberry-pi on arm64" in done.output
    assert "not ipxe" not in done.output
