"""What a Pi's firmware tells of it. The messages are built from the facts; see support/pi.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pi import LEGACY_ID, MACS, ROM_ID, SERIAL, eeprom_id, pi, pi_discover

from iluvatar_pxe.machines.fingerprint import from_dhcp
from iluvatar_pxe.machines.quirks import QUIRKS, quirks_of
from iluvatar_pxe.machines.raspberry_pi import (
    Generation,
    PiFile,
    RaspberryPi,
    generation_of,
    parse_file_name,
    raspberry_pi,
    same_serial,
    serial_key,
)
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.wire.pxe import CpuArch

PI3, PI4, PI5 = Generation
FOREIGN = "52:54:00:00:00:01"
MAC = MACS[PI4]


@pytest.mark.parametrize(
    ("mac", "machine_id", "expected"),
    [
        pytest.param(
            MAC,
            eeprom_id(MAC, 0xA03111, fourcc=b"RPi4"),
            RaspberryPi(model="Raspberry Pi 4 Model B", generation=PI4, revision=0xA03111, serial=SERIAL),
            id="EEPROM of 2020",
        ),
        pytest.param(
            FOREIGN,
            bytes.fromhex("00346950524131a00001f8deb960") + bytes(3),
            RaspberryPi(
                model="Raspberry Pi Compute Module 4", generation=PI4, revision=0xA03141, serial="00000060"
            ),
            id="cmprovision_16",
        ),
        pytest.param(
            FOREIGN,
            eeprom_id(MACS[PI5], 0xC04170, fourcc=b"4iPR"),
            RaspberryPi(model="Raspberry Pi 5", generation=PI5, revision=0xC04170, serial=SERIAL),
            id="Pi 5 before 2023-10-30",
        ),
        pytest.param(
            FOREIGN,
            eeprom_id(MACS[PI5], 0xD04180, fourcc=b"5iPR"),
            RaspberryPi(
                model="Raspberry Pi Compute Module 5", generation=PI5, revision=0xD04180, serial=SERIAL
            ),
            id="cmprovision_61",
        ),
        pytest.param(
            FOREIGN,
            eeprom_id(MAC, 0xD04FF0),
            RaspberryPi(model="Raspberry Pi 5 family", generation=PI5, revision=0xD04FF0, serial=SERIAL),
            id="a model to come",
        ),
        pytest.param(
            FOREIGN,
            eeprom_id(MAC, 0, serial="00000000"),
            RaspberryPi(revision=0),
            id="an EEPROM that tells nothing",
        ),
        pytest.param(
            MACS[PI3],
            ROM_ID,
            RaspberryPi(model="Raspberry Pi 3 family", generation=PI3),
            id="boot ROM of the 3B",
        ),
        pytest.param(
            MACS[PI3],
            LEGACY_ID,
            RaspberryPi(model="Raspberry Pi 3 family", generation=PI3, serial=SERIAL),
            id="boot ROM of the 3B+",
        ),
        pytest.param(MAC, LEGACY_ID, RaspberryPi(serial=SERIAL), id="DHCP_OPTION97=0"),
        pytest.param(MAC, b"\0MINE" + bytes(12), RaspberryPi(), id="a fourcc of the owner's"),
        pytest.param(MAC, b"\0RPi4", RaspberryPi(), id="cut off"),
        pytest.param(MAC, None, RaspberryPi(), id="only the MAC"),
        pytest.param(FOREIGN, ROM_ID, None, id="a PC whose vendor filled its UUID with 44"),
        pytest.param(FOREIGN, LEGACY_ID, None, id="a serial number four times, of no Pi"),
        pytest.param(FOREIGN, b"\0" + b"\xff" * 16, None, id="a PC's bogus UUID"),
        pytest.param(FOREIGN, None, None, id="a PC"),
    ],
)
def test_who_it_is(mac: str, machine_id: bytes | None, expected: RaspberryPi | None) -> None:
    assert raspberry_pi(pi_discover(mac, machine_id)) == expected


@pytest.mark.parametrize(
    "prefix", ["b8:27:eb", "dc:a6:32", "e4:5f:01", "28:cd:c1", "d8:3a:dd", "2c:cf:67", "88:a2:9e"]
)
def test_every_prefix_of_their_macs(prefix: str) -> None:
    assert raspberry_pi(pi_discover(f"{prefix}:00:00:01", None))


@pytest.mark.parametrize("arch", [11, 19, 21, 22])
def test_uefi_or_u_boot_on_a_pi_is_not_its_eeprom(arch: int) -> None:
    assert raspberry_pi(pi_discover(MAC, None, arch)) is None
    assert from_dhcp(pi_discover(MAC, None, arch)).firmware is not Firmware.RASPBERRY_PI


def test_rpi_eeprom_182_firmware_1928_its_architecture_is_not_believed() -> None:
    sighting = from_dhcp(pi(PI4))
    assert (sighting.firmware, sighting.arch, sighting.platform, sighting.uuid) == (
        Firmware.RASPBERRY_PI,
        CpuArch.ARM64,
        None,
        None,
    )
    told = (sighting.manufacturer, sighting.product, sighting.board, sighting.serial)
    assert told == ("Raspberry Pi", "Raspberry Pi 4 Model B", "c03111", SERIAL)


@given(st.binary(max_size=40), st.sampled_from([MAC, FOREIGN, MACS[PI3]]))
def test_any_option_97_is_read(machine_id: bytes, mac: str) -> None:
    found = raspberry_pi(pi_discover(mac, machine_id))
    if found:
        assert found.serial == "" or len(found.serial) == 8
        assert found.generation in {None, generation_of(found.model)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bootcode.bin", PiFile("bootcode.bin")),
        ("b66c4c16/start4.elf", PiFile("start4.elf", serial="b66c4c16")),
        ("b66c4c16/overlays/x.dtbo", PiFile("overlays/x.dtbo", serial="b66c4c16")),
        ("dc-a6-32-00-00-04/config.txt", PiFile("config.txt", mac="dc:a6:32:00:00:04")),
        ("overlays/x.dtbo", PiFile("overlays/x.dtbo")),
        ("B66C4C16/config.txt", PiFile("B66C4C16/config.txt")),
        ("b66c4c16/", PiFile("b66c4c16/")),
        ("", PiFile("")),
    ],
)
def test_whose_file_is_asked_for(name: str, expected: PiFile) -> None:
    assert parse_file_name(name) == expected


def test_serial_numbers_are_equal_in_either_byte_order() -> None:
    assert same_serial(SERIAL, SERIAL)
    assert same_serial(SERIAL, "164c6cb6")
    assert not same_serial(SERIAL, "164c6cb7")
    assert not same_serial("", SERIAL)
    assert same_serial(f"10000000{SERIAL}", SERIAL), "as UEFI tells it"
    assert not same_serial(f"10000000{SERIAL}", f"20000000{SERIAL}")
    assert not same_serial(f"PF{SERIAL}", SERIAL)


SERIALS = st.one_of(
    st.text(max_size=4),
    st.builds(
        lambda long, short, reverse: long + (bytes.fromhex(short)[::-1].hex() if reverse else short),
        st.sampled_from(["", "10000000", "1000000", "PF"]),
        st.sampled_from([SERIAL, "164c6cb7", "00000000", "01000001"]),
        st.booleans(),
    ),
)


@given(SERIALS, SERIALS)
def test_the_same_serial_numbers_have_the_same_key(one: str, other: str) -> None:
    assert not same_serial(one, other) or serial_key(one) == serial_key(other)


def test_every_quirk_says_what_how_it_is_known_and_what_is_done() -> None:
    assert len({quirk.name for quirk in QUIRKS}) == len(QUIRKS)
    messages = [pi(one) for one in Generation] + [pi_discover(FOREIGN, None)]
    for quirk in QUIRKS:
        assert quirk.symptom
        assert quirk.evidence
        assert not all(quirk in quirks_of(message) for message in messages)
    names = [{quirk.name for quirk in quirks_of(message)} for message in messages]
    assert "raspberry-pi-menu" in names[1] & names[2]
    assert names[0] - names[1] == {"raspberry-pi-3-takes-its-time", "raspberry-pi-3-constant-xid"}
