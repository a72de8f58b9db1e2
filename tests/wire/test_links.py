"""The kernel's lists of links and addresses: its own answers, every kind of damage, and the questions byte by byte."""

import contextlib
import struct
import sys
from ipaddress import IPv4Interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.links import (
    ETHERNET,
    Link,
    LinkAddress,
    LinkFlag,
    ListPart,
    decode_list_part,
    encode_address_question,
    encode_link_question,
)

little_endian = pytest.mark.skipif(sys.byteorder != "little", reason="captured on a little-endian machine")

ADDRESSES = bytes.fromhex(
    "4c00000014000200020000005c450000"
    "0218800004000000080001000a010002080002000a0100020700030076300000080008008000000014000600ffffffffffffffffe7f31200e7f31200"
    "4c00000014000200020000005c450000"
    "0218810004000000080001000a010009080002000a0100090700030076300000080008008100000014000600ffffffffffffffffe8f31200e8f31200"
    "5000000014000200020000005c450000"
    "0220800005000000080001000a080005080002000a0800060900030074756e3000000000080008008000000014000600ffffffffffffffffe7f31200e7f31200"
)
"""Linux 6.18: two addresses of a veth, and one of a tunnel, ``10.8.0.6 peer 10.8.0.5``."""
DONE = bytes.fromhex("1400000003000200020000005c45000000000000")


def message(kind: int, body: bytes, *, sequence: int = 7) -> bytes:
    padding = bytes(-len(body) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, 2, sequence, 99) + body + padding


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def link(*attributes: bytes, index: int = 4, flags: int = 0x11043, type_: int = ETHERNET) -> bytes:
    head = struct.pack("=BBHiII", 0, 0, type_, index, flags, 0)
    return message(16, head + b"".join(attributes))


def number(value: int) -> bytes:
    return struct.pack("=i", value)


NAME = attribute(3, b"eth0\0")
PLAIN = Link(index=4, name="eth0", flags=LinkFlag.UP | LinkFlag.BROADCAST | LinkFlag.CARRIER)


@little_endian
def test_addresses_as_the_kernel_lists_them() -> None:
    assert decode_list_part(ADDRESSES) == ListPart(
        2,
        addresses=(
            LinkAddress(4, IPv4Interface("10.1.0.2/24")),
            LinkAddress(4, IPv4Interface("10.1.0.9/24"), secondary=True),
            LinkAddress(5, IPv4Interface("10.8.0.6/32")),
        ),
    )
    assert decode_list_part(DONE) == ListPart(2, done=True)
    assert decode_list_part(ADDRESSES + DONE).done


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(link(NAME), PLAIN, id="a real card"),
        pytest.param(
            link(NAME, attribute(10, number(2)), attribute(5, number(3)), attribute(18, attribute(1, b"vlan\0"))),
            Link(index=4, name="eth0", flags=PLAIN.flags, kind="vlan", master=2, lower=3),
            id="a VLAN in a bridge",
        ),
        pytest.param(
            link(NAME, attribute(5, number(3)), attribute(37, number(0)), attribute(18, attribute(1, b"veth\0"))),
            Link(index=4, name="eth0", flags=PLAIN.flags, kind="veth"),
            id="a pair whose other end is elsewhere",
        ),
        pytest.param(
            link(attribute(3, b"tun0\0"), flags=0x110D1, type_=65534),
            Link(
                index=4,
                name="tun0",
                type=65534,
                flags=LinkFlag.UP | LinkFlag.POINT_TO_POINT | LinkFlag.NO_ARP | LinkFlag.CARRIER,
            ),
            id="a tunnel",
        ),
        pytest.param(
            link(attribute(3, b"zw\xc3\xb6lf\xff\0")),
            Link(index=4, name="zw\xf6lf\udcff", flags=PLAIN.flags),
            id="an odd name",
        ),
    ],
)  # fmt: skip
def test_links(data: bytes, expected: Link) -> None:
    assert decode_list_part(data) == ListPart(7, links=(expected,))


def test_the_kernels_refusal_is_an_errno() -> None:
    assert decode_list_part(message(2, number(-12))) == ListPart(7, errno=12)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        link(NAME)[:20],
        link(attribute(10, b"\1")),
        message(16, bytes(15)),
        message(20, bytes(7)),
        message(20, struct.pack("=BBBBI", 10, 64, 0, 0, 1) + attribute(1, bytes(16))),
        message(20, struct.pack("=BBBBI", 2, 33, 0, 0, 1) + attribute(2, bytes(4))),
        message(20, struct.pack("=BBBBI", 2, 24, 0, 0, 1)),
        message(28, bytes(12)),
        link(NAME) + message(16, bytes(16), sequence=8),
        link(NAME) + bytes(3),
    ],
    ids=["nothing", "cut off", "an odd master", "no link", "no address", "IPv6", "a long prefix", "no value", "a neighbour", "of two answers", "a rest"],
)  # fmt: skip
def test_what_is_no_answer_raises_wire_error(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_list_part(data)


@given(st.binary(max_size=300) | st.tuples(st.sampled_from([link(NAME), ADDRESSES]), st.binary(max_size=60), st.integers(0, 200)).map(lambda one: one[0][: one[2]] + one[1]))  # fmt: skip
def test_any_bytes_are_a_part_or_raise_wire_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        decode_list_part(data)


@little_endian
def test_the_questions_are_dumps_of_links_and_of_ipv4_addresses() -> None:
    assert encode_link_question(1).hex() == "20000000120001030100000000000000" + "00" * 16
    assert encode_address_question(2).hex() == "18000000160001030200000000000000" + "0200000000000000"
