"""What iPXE's script tells of a machine, however odd: clean text, usable MACs, or none of it."""

import string
from ipaddress import IPv4Address
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.machines.fingerprint import from_ipxe
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.printable import MAX_TEXT, plain_text
from iluvatar_pxe.wire.mac import parse_mac
from iluvatar_pxe.wire.pxe import CpuArch, Platform

MAC, OTHER = "52:54:00:12:34:56", "52:54:00:12:34:57"
ADDRESS = IPv4Address("10.0.0.2")
TEXTS = ("serial", "manufacturer", "product", "board")


def told(**query: str) -> Sighting:
    return from_ipxe({"mac": MAC} | query, ADDRESS)


def test_everything_that_ipxe_knows() -> None:
    sighting = told(
        uuid="03de0294-0480-0506-f806-d50700080009",
        serial="CZ1",
        manufacturer="HP",
        product="EliteDesk 800 G2",
        board="8054",
        arch="x86_64",
        platform="efi",
        version="1.21.1",
        net0=OTHER,
        net1=MAC,
    )
    assert sighting == Sighting(
        mac=MAC,
        macs=(MAC, OTHER),
        firmware=Firmware.IPXE,
        arch=CpuArch.X86_64,
        platform=Platform.UEFI,
        client="iPXE 1.21.1",
        uuid=UUID("03de0294-0480-0506-f806-d50700080009"),
        serial="CZ1",
        manufacturer="HP",
        product="EliteDesk 800 G2",
        board="8054",
        address=ADDRESS,
    )


def test_nothing_but_the_card_that_asks() -> None:
    assert told() == Sighting(mac=MAC, macs=(MAC,), firmware=Firmware.IPXE, client="iPXE", address=ADDRESS)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        pytest.param("  EliteDesk\t800 ", "EliteDesk?800", id="a tab"),
        pytest.param("CZ1\r\nlevel=error\x1b[31m", "CZ1?level=error?[31m", id="control characters"),
        pytest.param("CZ1\0\0\0\0", "CZ1?", id="padding"),
        pytest.param(
            """it's "quoted" $(reboot) `x` ${uuid}""", """it's "quoted" $(reboot) `x` ${uuid}""", id="quotes"
        ),
        pytest.param("日本電気", "?", id="UTF-8"),
        pytest.param(b"Gr\xfc\xdfe".decode("latin-1"), "Gr?e", id="Latin-1"),
        pytest.param(b"Gr\xfc\xdfe".decode("utf-8", "replace"), "Gr?e", id="Latin-1 read as UTF-8"),
        pytest.param(b"Gr\xfc\xdfe".decode("utf-8", "surrogateescape"), "Gr?e", id="surrogates"),
        pytest.param("A" * 4096, "A" * MAX_TEXT, id="4 KB"),
        pytest.param("\0" * 4096 + "CZ1", "?", id="4 KB of nothing"),
        pytest.param(" " * 4096, "", id="4 KB of spaces"),
        pytest.param("A" * (MAX_TEXT - 1) + " B", "A" * (MAX_TEXT - 1), id="cut off at a space"),
    ],
)
def test_texts_of_firmware(text: str, clean: str) -> None:
    assert plain_text(text) == clean
    sighting = told(**dict.fromkeys(TEXTS, text))
    assert [getattr(sighting, name) for name in TEXTS] == [clean] * len(TEXTS)


PRINTABLE = frozenset(string.ascii_letters + string.digits + string.punctuation + " ")


@given(st.text(st.characters(codec=None), max_size=5000))
def test_any_text_becomes_short_clean_and_stays_so(text: str) -> None:
    clean = plain_text(text)
    assert len(clean) <= MAX_TEXT
    assert set(clean) <= PRINTABLE
    assert plain_text(clean) == clean == clean.strip()


@pytest.mark.parametrize(
    "mac",
    [
        "",
        "52:54:00:12:34",
        "ff:ff:ff:ff:ff:ff",
        "00:00:00:00:00:00",
        "x" * 4096,
        "\uff15\uff12:54:00:12:34:56",
    ],
)
def test_without_a_usable_card_nobody_asks(mac: str) -> None:
    with pytest.raises(WireError, match="mac: ") as caught:
        told(mac=mac)
    assert len(str(caught.value)) < 200


def test_cards_that_are_none_are_left_out() -> None:
    sighting = told(net0=OTHER.upper().replace(":", "-"), net1="", net2="nonsense", net3="ff" * 6, net4=MAC)
    assert sighting.macs == (MAC, OTHER)


def test_eight_cards_count_and_no_more() -> None:
    macs = tuple(f"02:00:00:00:00:0{number}" for number in range(9))
    sighting = told(**{f"net{number}": mac for number, mac in enumerate(macs)})
    assert sighting.macs == (MAC, *macs[:8])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"uuid": "none"}, None, id="no UUID"),
        pytest.param({"uuid": "0" * 4096}, None, id="4 KB of UUID"),
        pytest.param(
            {"uuid": "03DE0294-0480-0506-F806-D50700080009"}, 0x03DE029404800506F806D50700080009, id="upper"
        ),
    ],
)
def test_uuids(query: dict[str, str], expected: int | None) -> None:
    assert told(**query).uuid == (UUID(int=expected) if expected else None)


@given(
    st.dictionaries(
        st.sampled_from(["uuid", "arch", "platform", "version", "net0", "net7", *TEXTS]), st.text()
    )
)
def test_any_query_is_a_sighting_of_the_card_that_asks(query: dict[str, str]) -> None:
    sighting = told(**query)
    assert sighting.macs[0] == sighting.mac == MAC
    assert all(parse_mac(mac) == mac for mac in sighting.macs)
    assert all(len(getattr(sighting, name)) <= MAX_TEXT for name in TEXTS)
