"""Router discovery: real solicitations, every kind of damage, and the advertisement octet by octet."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.ndp import RouterSolicitation, decode_solicitation, encode_empty_advertisement

IPXE = bytes.fromhex("8500d995000000000101525400770001")
"""QEMU's BIOS ROM, captured; iPXE of 2025 for UEFI sends the very same."""
LINUX = bytes.fromhex("85003cd7000000000101da3c096f0fbc")
HEADER = bytes.fromhex("8500d99500000000")
MAC = bytes.fromhex("525400770001")


@pytest.mark.parametrize(("data", "mac"), [(IPXE, "525400770001"), (LINUX, "da3c096f0fbc")])
def test_real_solicitations_tell_their_mac(data: bytes, mac: str) -> None:
    assert decode_solicitation(data) == RouterSolicitation(bytes.fromhex(mac))


@pytest.mark.parametrize(
    ("options", "link_address"),
    [
        pytest.param("", "", id="none, as from ::"),
        pytest.param("0e01112233445566", "", id="another option, a nonce"),
        pytest.param("0e01112233445566 0101525400770001", "525400770001", id="behind another"),
        pytest.param("0101525400770001 0101525400770002", "525400770001", id="twice"),
        pytest.param("0102" + "00" * 14, "00" * 14, id="no Ethernet address"),
    ],
)
def test_options(options: str, link_address: str) -> None:
    data = HEADER + bytes.fromhex(options)
    assert decode_solicitation(data).link_address == bytes.fromhex(link_address)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HEADER[:7], id="header cut off"),
        pytest.param(b"\x86" + IPXE[1:], id="an advertisement"),
        pytest.param(b"\x85\x01" + IPXE[2:], id="code 1"),
        pytest.param(HEADER + b"\x01\x00" + MAC, id="an option of no length"),
        pytest.param(HEADER + b"\x01\x02" + MAC, id="an option longer than its message"),
        pytest.param(IPXE[:-1], id="option cut off"),
        pytest.param(IPXE + b"\x01", id="one octet too many"),
    ],
)
def test_malformed(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_solicitation(data)


@settings(max_examples=1000)
@given(st.binary(max_size=80))
def test_any_bytes_decode_or_raise_wire_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        decode_solicitation(data)


@settings(max_examples=1000)
@given(st.binary(max_size=80))
def test_any_options_decode_or_raise_wire_error(options: bytes) -> None:
    with contextlib.suppress(WireError):
        link_address = decode_solicitation(HEADER + options).link_address
        assert link_address in options


def test_the_advertisement_says_nothing_but_its_senders_mac() -> None:
    """As the one that ended the wait of QEMU's BIOS ROM, whose hop limit of 64 was not needed."""
    fields = "86 00 0000" + "00 00 0000" + "00000000" + "00000000"
    assert encode_empty_advertisement(MAC) == bytes.fromhex(fields) + b"\x01\x01" + MAC


def test_only_ethernet_addresses_fit_the_option() -> None:
    with pytest.raises(ValueError, match="six octets"):
        encode_empty_advertisement(MAC[:5])
