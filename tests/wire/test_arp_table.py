"""The ARP table's messages: octet by octet, and the states in which a neighbour is known."""

import struct
import sys
from ipaddress import IPv4Address

import pytest

from iluvatar_pxe.wire.arp_table import decode_answer, decode_index, encode_index_question, encode_question

ADDRESS = IPv4Address("10.9.0.2")
MAC = bytes.fromhex("020000000002")
PERMANENT = bytes.fromhex(
    "020000000a0900020000000000000000"
    "01000200000000020000000000000000"
    "06000000"
    "ffffffff000000000000000000000000"
    "65746830000000000000000000000000"
)
"""Linux 6.18, of ``ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent``."""

little_endian = pytest.mark.skipif(sys.byteorder != "little", reason="captured on a little-endian machine")


@little_endian
def test_what_the_kernel_answers() -> None:
    assert decode_answer(PERMANENT) == MAC


@little_endian
def test_the_question() -> None:
    expected = PERMANENT[:16] + bytes(36) + PERMANENT[52:]
    assert encode_question(ADDRESS, "eth0") == expected
    assert decode_answer(expected) is None


@pytest.mark.parametrize(
    ("kind", "flags", "found"),
    [(1, 2, MAC), (1, 6, MAC), (1, 0, None), (1, 4, None), (32, 2, None), (778, 6, None), (0, 0, None)],
)
def test_only_a_mac_that_is_sure_counts(kind: int, flags: int, found: bytes | None) -> None:
    answer = bytearray(68)
    struct.pack_into("=H6s", answer, 16, kind, MAC)
    struct.pack_into("=i", answer, 32, flags)
    assert decode_answer(bytes(answer)) == found


def test_the_number_of_an_interface() -> None:
    question = encode_index_question("eth0")
    assert question == b"eth0".ljust(40, b"\0")
    assert decode_index(question[:16] + struct.pack("=i", 7) + question[20:]) == 7
