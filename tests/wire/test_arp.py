"""ARP: a probe octet by octet, a real answer, and every kind of damage."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.arp import ArpMessage, decode_arp, encode_probe

ANSWER = bytes.fromhex("0001080006040002 5254007700010a4d0009 da3c096f0fbc00000000")
"""Of Linux to a probe for 10.77.0.9."""
MAC = bytes.fromhex("da3c096f0fbc")


def test_a_probe_claims_no_address() -> None:
    probe = encode_probe(MAC, IPv4Address("10.77.0.9"))
    assert probe.hex(" ", -2) == "0001 0800 0604 0001 da3c 096f 0fbc 0000 0000 0000 0000 0000 0a4d 0009"
    assert decode_arp(probe) == ArpMessage("da:3c:09:6f:0f:bc", IPv4Address("0.0.0.0"))


@pytest.mark.parametrize("padding", [0, 18], ids=["bare", "as long as the shortest frame"])
def test_an_answer_tells_whose_address_it_is(padding: int) -> None:
    found = decode_arp(ANSWER + bytes(padding))
    assert found == ArpMessage("52:54:00:77:00:01", IPv4Address("10.77.0.9"))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(ANSWER[:27], id="cut off"),
        pytest.param(b"\0\6" + ANSWER[2:], id="of another kind of network"),
        pytest.param(ANSWER[:2] + b"\x86\xdd" + ANSWER[4:], id="for another protocol"),
        pytest.param(ANSWER[:4] + b"\x08" + ANSWER[5:], id="with a longer link address"),
    ],
)
def test_damage_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_arp(data)


def test_what_is_no_mac_probes_nothing() -> None:
    with pytest.raises(ValueError, match="six octets"):
        encode_probe(b"", IPv4Address("10.77.0.9"))


@given(st.binary(max_size=64))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        decode_arp(data)
    except WireError:
        return
