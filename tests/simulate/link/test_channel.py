"""IP below a NIC without an address, and a server that is not there."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.simulate.link.channel import ip_header
from iluvatar_pxe.simulate.link.macvlan import card_name
from iluvatar_pxe.simulate.machine import Kind, random_mac, random_macs
from iluvatar_pxe.wire.udp import udp_payload


def packet(payload: bytes, port: int, *, protocol: int = 17) -> bytes:
    udp = struct.pack("!4H", 67, port, 8 + len(payload), 0) + payload
    header = bytearray(ip_header(len(udp), 64))
    header[9] = protocol
    header[12:16] = bytes((10, 0, 0, 1))
    return bytes(header) + udp


def test_a_header_has_its_checksum_and_the_ttl_of_the_firmware() -> None:
    header = ip_header(300, 128)
    total = sum(struct.unpack("!10H", header))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF
    assert header[8] == 128
    assert header[12:] == bytes(4) + b"\xff" * 4
    assert int.from_bytes(header[2:4]) == 320


@given(st.binary(max_size=400))
def test_the_payload_of_a_datagram_for_this_port_is_found(payload: bytes) -> None:
    assert udp_payload(packet(payload, 68) + b"padding", 68) == (payload, ("10.0.0.1", 67))
    assert udp_payload(packet(payload, 67), 68) is None
    assert udp_payload(packet(payload, 68, protocol=6), 68) is None


@given(st.binary(max_size=60))
def test_no_packet_is_too_odd(data: bytes) -> None:
    udp_payload(data, 68)


def test_cards_have_addresses_and_names_of_their_own() -> None:
    macs = {random_mac(kind) for kind in Kind for _ in range(20)}
    assert len(macs) == 20 * len(Kind)
    assert all(mac[0] & 1 == 0 for mac in macs)
    assert len({card_name(mac) for mac in macs}) == len(macs)
    assert max(len(card_name(mac)) for mac in macs) <= 15
    assert random_mac(Kind.PI3)[:3] == bytes.fromhex("b827eb")


def test_no_two_of_many_have_the_same_address(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter((bytes(3), bytes(3), b"\0\0\1"))
    monkeypatch.setattr("secrets.token_bytes", lambda _count: next(drawn))
    assert {mac[3:] for mac in random_macs(Kind.PI4, 2)} == {bytes(3), b"\0\0\1"}
