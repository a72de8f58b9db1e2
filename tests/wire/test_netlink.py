"""The neighbour table's messages: the kernel's own answers, every kind of damage, and the question octet by octet."""

import contextlib
import struct
import sys
from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.netlink import (
    KNOWN,
    Neighbour,
    NeighbourAnswer,
    NeighbourState,
    decode_answer,
    encode_question,
)

ADDRESS = IPv4Address("10.9.0.2")
MAC = bytes.fromhex("020000000002")

little_endian = pytest.mark.skipif(sys.byteorder != "little", reason="captured on a little-endian machine")


PERMANENT = bytes.fromhex(
    "4c0000001c00000001000000cd4a0000"
    "020000000300000080000001"
    "080001000a090002"
    "0a0002000200000000020000"
    "0800040000000000"
    "1400030000000000000000000000000001000000"
)
"""Linux 6.18, of ``ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev v0 nud permanent``."""
FAILED = bytes.fromhex(
    "400000001c00000002000000624b0000"
    "020000000300000020000001"
    "080001000a0900ca"
    "0800040000000000"
    "1400030070170000000000000000000001000000"
)
"""The same, of an entry in the state FAILED."""
NO_ENTRY = bytes.fromhex(
    "380000000200000004000000cd4a0000"
    "feffffff"
    "240000001e0001000400000000000000"
    "020000000300000000000000"
    "080001000a090003"
)
NO_INTERFACE = bytes.fromhex("240000000200000003000000cd4a0000edffffff240000001e0001000300000000000000")


def message(kind: int, body: bytes, *, sequence: int = 7, length: int | None = None) -> bytes:
    return struct.pack("=IHHII", 16 + len(body) if length is None else length, kind, 0, sequence, 99) + body


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def neighbour(*attributes: bytes, state: int = NeighbourState.REACHABLE, family: int = 2) -> bytes:
    return message(28, struct.pack("=BBHiHBB", family, 0, 0, 3, state, 0, 1) + b"".join(attributes))


@little_endian
@pytest.mark.parametrize(
    ("data", "answer"),
    [
        pytest.param(
            PERMANENT,
            NeighbourAnswer(1, Neighbour(ADDRESS, 3, NeighbourState.PERMANENT, MAC)),
            id="permanent",
        ),
        pytest.param(
            FAILED,
            NeighbourAnswer(2, Neighbour(IPv4Address("10.9.0.202"), 3, NeighbourState.FAILED, b"")),
            id="failed: no link address",
        ),
        pytest.param(NO_ENTRY, NeighbourAnswer(4, errno=2), id="not in the table"),
        pytest.param(NO_INTERFACE, NeighbourAnswer(3, errno=19), id="no such interface, request cut off"),
    ],
)
def test_what_the_kernel_answers(data: bytes, answer: NeighbourAnswer) -> None:
    assert decode_answer(data) == answer


@little_endian
def test_the_question() -> None:
    header = "24000000 1e00 0100 04030201 00000000"
    expected = header + "02 00 0000 03000000 0000 00 00" + "0800 0100 0a090002"
    assert encode_question(ADDRESS, 3, 0x01020304) == bytes.fromhex(expected)


def test_a_question_names_its_interface() -> None:
    with pytest.raises(ValueError, match="index"):
        encode_question(ADDRESS, 0, 1)


@pytest.mark.parametrize("state", NeighbourState)
def test_the_states_in_which_a_neighbour_is_known(state: NeighbourState) -> None:
    unsure = {NeighbourState.INCOMPLETE, NeighbourState.FAILED, NeighbourState.NOARP}
    assert bool(state & KNOWN) == (state not in unsure)
    answer = decode_answer(neighbour(attribute(1, ADDRESS.packed), attribute(2, MAC), state=state))
    assert answer == NeighbourAnswer(7, Neighbour(ADDRESS, 3, state, MAC))


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param([attribute(2, MAC), attribute(1, ADDRESS.packed)], id="in another order"),
        pytest.param([attribute(1 | 0x8000, ADDRESS.packed), attribute(2 | 0x4000, MAC)], id="with flags"),
        pytest.param([attribute(77, b"odd"), attribute(1, ADDRESS.packed), attribute(2, MAC)], id="unknown"),
        pytest.param([attribute(1, ADDRESS.packed), attribute(2, MAC)[:-2]], id="last one without padding"),
    ],
)
def test_attributes(attributes: list[bytes]) -> None:
    found = decode_answer(neighbour(*attributes)).neighbour
    assert found == Neighbour(ADDRESS, 3, NeighbourState.REACHABLE, MAC)


GOOD = neighbour(attribute(1, ADDRESS.packed), attribute(2, MAC))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(GOOD[:15], id="header cut off"),
        pytest.param(GOOD[:-4], id="longer than its datagram"),
        pytest.param(message(28, b"", length=15), id="shorter than its header"),
        pytest.param(message(3, b"\0" * 4), id="the end of a list"),
        pytest.param(message(20, b"\0" * 12), id="another message of rtnetlink"),
        pytest.param(message(2, b"\0" * 3), id="error without its number"),
        pytest.param(message(28, b"\0" * 11), id="neighbour cut off"),
        pytest.param(neighbour(attribute(2, MAC)), id="no address"),
        pytest.param(neighbour(attribute(1, bytes(16)), family=10), id="IPv6"),
        pytest.param(neighbour(attribute(1, bytes(16))), id="address of 16 octets"),
        pytest.param(neighbour(b"\x08\x00"), id="attribute cut off"),
        pytest.param(neighbour(struct.pack("=HH", 3, 1)), id="attribute shorter than its header"),
        pytest.param(neighbour(struct.pack("=HH", 0, 1)), id="attribute of no length"),
        pytest.param(neighbour(struct.pack("=HH", 9, 1) + bytes(4)), id="attribute longer than the message"),
    ],
)
def test_malformed(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_answer(data)


@settings(max_examples=1000)
@given(st.binary(max_size=120))
def test_any_bytes_decode_or_raise_wire_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        decode_answer(data)


@settings(max_examples=1000)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255), st.integers(0, len(GOOD)))
def test_any_damage_decodes_or_raises_wire_error(position: int, octet: int, length: int) -> None:
    damaged = bytearray(GOOD)
    damaged[position] = octet
    with contextlib.suppress(WireError):
        decode_answer(bytes(damaged[:length]))


@given(st.ip_addresses(v=4), st.integers(1, 2**31 - 1), st.integers(0, 2**32 - 1))
def test_every_question_is_made_of_what_it_asks(address: IPv4Address, interface: int, sequence: int) -> None:
    """An answer has the question's layout, so the question, with the answer's type, reads as one."""
    question = bytearray(encode_question(address, interface, sequence))
    question[4:6] = struct.pack("=H", 28)
    assert decode_answer(bytes(question)) == NeighbourAnswer(
        sequence, Neighbour(address, interface, NeighbourState(0), b"")
    )
