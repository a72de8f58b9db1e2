"""TFTP packets against the RFCs, against requests of real firmware, and against anything."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.tftp.packet import (
    Ack,
    Data,
    Error,
    ErrorCode,
    OptionAck,
    Packet,
    ReadRequest,
    WriteRequest,
    decode,
    encode,
    to_netascii,
    write_data_headers,
)

# UDP payloads of captures uefi-x64-pxe.8/.9 (OVMF 2022.11) and uefi-arm64-pxe.8/.9 (AAVMF 2022.11):
# the firmware asks for the size, ends that transfer, and asks again from another port.
CAPTURED_REQUESTS = {
    "uefi-x64-pxe.8-tftp-rrq-ipxe-x64-efi": (
        (
            "0001697078652d7836342e656669006f63746574007473697a65003000"
            "626c6b73697a6500313436380077696e646f7773697a65003400"
        ),
        ReadRequest("ipxe-x64.efi", "octet", (("tsize", "0"), ("blksize", "1468"), ("windowsize", "4"))),
    ),
    "uefi-x64-pxe.9-tftp-rrq-ipxe-x64-efi": (
        "0001697078652d7836342e656669006f6374657400626c6b73697a6500313436380077696e646f7773697a65003400",
        ReadRequest("ipxe-x64.efi", "octet", (("blksize", "1468"), ("windowsize", "4"))),
    ),
    "uefi-arm64-pxe.8-tftp-rrq-ipxe-arm64-efi": (
        (
            "0001697078652d61726d36342e656669006f63746574007473697a65003000"
            "626c6b73697a6500313436380077696e646f7773697a65003400"
        ),
        ReadRequest("ipxe-arm64.efi", "octet", (("tsize", "0"), ("blksize", "1468"), ("windowsize", "4"))),
    ),
    "uefi-arm64-pxe.9-tftp-rrq-ipxe-arm64-efi": (
        "0001697078652d61726d36342e656669006f6374657400626c6b73697a6500313436380077696e646f7773697a65003400",
        ReadRequest("ipxe-arm64.efi", "octet", (("blksize", "1468"), ("windowsize", "4"))),
    ),
}


@pytest.mark.parametrize("name", CAPTURED_REQUESTS)
def test_firmware_requests_decode_and_encode_to_the_same_bytes(name: str) -> None:
    payload, request = CAPTURED_REQUESTS[name]
    assert decode(bytes.fromhex(payload)) == request
    assert encode(request).hex() == payload


@pytest.mark.parametrize(
    ("payload", "packet"),
    [
        (b"\0\1boot\0octet\0", ReadRequest("boot", "octet")),
        (b"\0\2boot\0NetASCII\0", WriteRequest("boot", "netascii")),
        (b"\0\1Boot\0OCTET\0BlkSize\x001024\0", ReadRequest("Boot", "octet", (("blksize", "1024"),))),
        (b"\0\1\0octet\0", ReadRequest("", "octet")),
        (b"\0\1f\xc3\xa9\0octet\0", ReadRequest("fé", "octet")),
        (b"\0\1f\xe9\0octet\0", ReadRequest("fé", "octet")),
        (b"\0\3\xff\xff" + b"\0\1", Data(65535, b"\0\1")),
        (b"\0\3\0\1", Data(1, b"")),
        (b"\0\4\1\0", Ack(256)),
        (b"\0\5\0\1File not found\0", Error(1, "File not found")),
        (b"\0\5\3\xe7odd\0", Error(999, "odd")),
        (b"\0\6tsize\x0042\0Timeout\x003\0", OptionAck((("tsize", "42"), ("timeout", "3")))),
        (b"\0\6", OptionAck(())),
    ],
)
def test_decode(payload: bytes, packet: Packet) -> None:
    assert decode(payload) == packet


@pytest.mark.parametrize(
    ("payload", "packet"),
    [
        pytest.param(b"\0\4\0\7\0\0\0\0", Ack(7), id="padded ACK"),
        pytest.param(b"\0\5\0\0oops", Error(0, "oops"), id="ERROR without NUL"),
        pytest.param(b"\0\5\0\0", Error(0, ""), id="ERROR without message"),
        pytest.param(b"\0\5\0\0oops\0rest", Error(0, "oops"), id="bytes after ERROR"),
        pytest.param(b"\0\1f\0octet\0\0\0\0\0", ReadRequest("f", "octet"), id="padded RRQ"),
        pytest.param(b"\0\1f\0octet\0tsize\0", ReadRequest("f", "octet"), id="option without value"),
        pytest.param(b"\0\1f\0octet\0tsize\x000", ReadRequest("f", "octet"), id="value without NUL"),
    ],
)
def test_careless_senders_are_understood(payload: bytes, packet: Packet) -> None:
    assert decode(payload) == packet


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"\0", b"\1", b"\0\0", b"\0\7", b"\1\1f\0octet\0", b"\xff\xff", b"\0\1", b"\0\1f", b"\0\1f\0",
        b"\0\1f\0octet", b"\0\2f\0octet", b"\0\3", b"\0\3\0", b"\0\4", b"\0\4\1", b"\0\5", b"\0\5\0",
    ],
)  # fmt: skip
def test_malformed_packets_are_refused(payload: bytes) -> None:
    with pytest.raises(WireError, match=r"^TFTP: [^\n]+$"):
        decode(payload)


def test_error_codes_are_those_of_the_rfc() -> None:
    assert [code.value for code in ErrorCode] == list(range(9))
    assert encode(Error(ErrorCode.UNKNOWN_TRANSFER_ID, "x")) == b"\0\5\0\5x\0"


def test_characters_that_no_packet_can_carry_become_question_marks() -> None:
    assert encode(Error(0, "a\0b\udc80")) == b"\0\5\0\0a?b?\0"


@pytest.mark.parametrize(
    ("unix", "netascii"),
    [
        (b"", b""),
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\rb", b"a\r\0b"),
        (b"\r\n", b"\r\0\r\n"),
        (b"\n\r", b"\r\n\r\0"),
    ],
)
def test_netascii(unix: bytes, netascii: bytes) -> None:
    assert to_netascii(unix) == netascii


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
NAME = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12).map(str.lower)
OPTIONS = st.lists(st.tuples(NAME, TEXT), max_size=4).map(tuple)
NUMBER = st.integers(0, 65535)
PACKETS = st.one_of(
    st.builds(ReadRequest, TEXT, NAME, OPTIONS),
    st.builds(WriteRequest, TEXT, NAME, OPTIONS),
    st.builds(Data, NUMBER, st.binary(max_size=600)),
    st.builds(Ack, NUMBER),
    st.builds(Error, NUMBER, TEXT),
    st.builds(OptionAck, OPTIONS),
)


@given(PACKETS)
def test_every_packet_survives_the_wire(packet: Packet) -> None:
    assert decode(encode(packet)) == packet


def assert_decodes_or_refuses(payload: bytes) -> None:
    try:
        packet = decode(payload)
    except WireError:
        return
    assert decode(encode(packet)) == packet


@given(st.integers(1, 70000), st.integers(1, 9), st.integers(8, 40), st.integers(0, 7))
def test_many_headers_are_written_as_each_is(first: int, count: int, blksize: int, rest: int) -> None:
    payloads = [bytes(blksize)] * (count - 1) + [bytes(rest)]
    each = [encode(Data(first + number & 0xFFFF, payload)) for number, payload in enumerate(payloads)]
    expected = b"\xff" * 3 + b"".join(each)
    room = bytearray(b"\xff" * 3 + bytes(len(expected) - 3))
    write_data_headers(memoryview(room), 3, first, count, blksize)
    assert room == expected


@settings(max_examples=1000)
@given(
    st.one_of(
        st.binary(max_size=700),
        st.tuples(st.integers(0, 7), st.binary(max_size=80)).map(lambda p: bytes([0, p[0]]) + p[1]),
    )
)
def test_decoder_survives_anything(payload: bytes) -> None:
    assert_decodes_or_refuses(payload)


@pytest.mark.parametrize("name", CAPTURED_REQUESTS)
def test_decoder_survives_mutated_firmware_requests(name: str) -> None:
    chance = random.Random(name)
    original = bytes.fromhex(CAPTURED_REQUESTS[name][0])
    for _ in range(2000):
        mutant = bytearray(original)
        for _ in range(chance.randint(1, 6)):
            mutant[chance.randrange(len(mutant))] = chance.randrange(256)
        assert_decodes_or_refuses(bytes(mutant[: chance.randint(0, len(mutant))]))
        assert_decodes_or_refuses(bytes(mutant))
