"""The DHCP codec: captures, a round trip, and every kind of damage."""

import contextlib
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import captures

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import (
    BOOTREPLY,
    BOOTREQUEST,
    MIN_MESSAGE,
    DhcpMessage,
    MessageType,
    Option,
    decode,
    encode,
)

addresses = st.integers(0, 2**32 - 1).map(IPv4Address)
messages = st.builds(
    DhcpMessage,
    op=st.sampled_from([BOOTREQUEST, BOOTREPLY]),
    xid=st.integers(0, 2**32 - 1),
    chaddr=st.binary(min_size=0, max_size=16),
    htype=st.integers(0, 255),
    hops=st.integers(0, 255),
    secs=st.integers(0, 65535),
    flags=st.integers(0, 65535),
    ciaddr=addresses,
    yiaddr=addresses,
    siaddr=addresses,
    giaddr=addresses,
    sname=st.binary(max_size=63).filter(lambda value: b"\0" not in value),
    file=st.binary(max_size=127).filter(lambda value: b"\0" not in value),
    options=st.lists(
        st.tuples(st.integers(1, 254).filter(lambda code: code != Option.OVERLOAD), st.binary(max_size=255)),
        max_size=8,
    ).map(tuple),
)


@given(messages)
def test_every_message_survives_the_wire(message: DhcpMessage) -> None:
    assert decode(encode(message)) == message


@settings(max_examples=1000)
@given(st.binary(max_size=700))
def test_any_bytes_decode_or_raise_wire_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        assert decode(data).xid == int.from_bytes(data[4:8])


@settings(max_examples=1000)
@given(st.binary(max_size=400), st.binary(min_size=192, max_size=192))
def test_any_options_behind_a_good_header_decode(options: bytes, names: bytes) -> None:
    header = encode(DhcpMessage(op=BOOTREQUEST, xid=1, chaddr=bytes(6)))[:240]
    damaged = header[:44] + names + header[236:240] + options
    message = decode(damaged)
    assert message.xid == 1
    assert message.message_type is None or message.message_type in MessageType


@pytest.mark.parametrize("name", captures.dhcp_requests())
def test_captures_decode_to_what_the_client_said(name: str) -> None:
    message = decode(captures.payload(name))
    assert message.op == BOOTREQUEST
    assert len(message.chaddr) == 6
    wanted = MessageType.DISCOVER if "discover" in name else MessageType.REQUEST
    assert message.message_type is wanted
    by_u_boot = "u-boot" in name and "firmware" in name
    assert (message.option(Option.CLIENT_MACHINE_ID) is None) is by_u_boot


def test_a_capture_in_full() -> None:
    message = decode(captures.payload("uefi-x64-pxe.3-firmware-pxe-request-4011"))
    assert message == DhcpMessage(
        op=BOOTREQUEST,
        xid=0x23A60888,
        chaddr=bytes.fromhex("525400779b68"),
        ciaddr=IPv4Address("10.77.0.174"),
        options=(
            (53, b"\x03"),
            (55, bytes.fromhex("0102030405060c0d0f111216171c28292a2b3233363a3b3c4243618081828384858687")),
            (57, b"\x05\xc0"),
            (60, b"PXEClient:Arch:00007:UNDI:003000"),
            (93, b"\x00\x07"),
            (94, b"\x01\x03\x00"),
            (97, bytes.fromhex("00777777770000004080009b6825b9af22")),
        ),
    )


def _with_options(options: bytes, *, sname: bytes = b"", file: bytes = b"") -> bytes:
    header = encode(DhcpMessage(op=BOOTREQUEST, xid=7, chaddr=bytes(6)))[:240]
    return header[:44] + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + header[236:240] + options


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(b"\x35\x01\x01\xff", ((53, b"\x01"),), id="plain"),
        pytest.param(b"\x35\x01\x01", ((53, b"\x01"),), id="missing END"),
        pytest.param(b"\x35\x01\x01\x3c\x09PXE", ((53, b"\x01"),), id="overrun"),
        pytest.param(b"\x35\x01\x01\x3c", ((53, b"\x01"),), id="code without length"),
        pytest.param(b"\0\0\x35\x01\x01\0\xff", ((53, b"\x01"),), id="pads"),
        pytest.param(b"\x35\x01\x01\x35\x01\x03\xff", ((53, b"\x01"), (53, b"\x03")), id="twice"),
        pytest.param(b"", (), id="none"),
    ],
)
def test_options_are_read_as_iPXE_does(options: bytes, expected: tuple[tuple[int, bytes], ...]) -> None:  # noqa: N802
    message = decode(_with_options(options))
    assert message.options == expected
    if expected:
        assert message.message_type is MessageType.DISCOVER


def test_option_52_moves_options_into_file_and_sname() -> None:
    data = _with_options(b"\x34\x01\x03\xff", file=b"\x35\x01\x01\xff", sname=b"\x3c\x09PXEClient\xff")
    message = decode(data)
    assert message.message_type is MessageType.DISCOVER
    assert message.option(Option.VENDOR_CLASS) == b"PXEClient"
    assert (message.file, message.sname) == (b"", b"")


def test_a_field_without_nul_is_read_whole() -> None:
    assert decode(_with_options(b"\xff", file=b"f" * 128, sname=b"s" * 64)).file == b"f" * 128


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda data: data[:239], "shorter than a DHCP header"),
        (lambda data: data[:236] + b"\0\0\0\0" + data[240:], "no DHCP magic cookie"),
        (lambda data: data[:2] + b"\x11" + data[3:], "hardware address of 17 bytes"),
    ],
)
def test_what_is_no_dhcp_message(damage: Callable[[bytes], bytes], why: str) -> None:
    with pytest.raises(WireError, match=why):
        decode(damage(_with_options(b"\xff")))


def test_encode_refuses_what_does_not_fit() -> None:
    message = DhcpMessage(op=BOOTREPLY, xid=1, chaddr=bytes(6))
    for field, size in (("file", 128), ("sname", 64)):
        with pytest.raises(ValueError, match="does not fit"):
            encode(replace(message, **{field: b"x" * size}))  # type: ignore[arg-type]


def test_short_messages_are_padded() -> None:
    assert len(encode(DhcpMessage(op=BOOTREPLY, xid=1, chaddr=bytes(6)))) == MIN_MESSAGE


@pytest.mark.parametrize(
    ("value", "expected"), [(None, 576), (b"\x05\xc0", 1472), (b"\x00\x40", 576), (b"\x05", 576)]
)
def test_max_message(value: bytes | None, expected: int) -> None:
    options = () if value is None else ((int(Option.MAX_MESSAGE), value),)
    assert DhcpMessage(op=1, xid=1, chaddr=bytes(6), options=options).max_message == expected
