"""NTP: a real client's request, the reply octet by octet, and every kind of damage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.ntp import (
    UNKNOWN,
    NtpRequest,
    Told,
    decode_request,
    encode_reply,
    encode_request,
    tells_time,
    timestamp,
)

NTPDIG = bytes.fromhex("e3" + "00" * 39 + "eeb7216785c60000")
"""Of ntpdig 1.2.2 (Debian 12), captured."""
REQUEST = NtpRequest(version=4, poll=0, transmit=0xEEB7216785C60000)
MIDNIGHT = 1_798_761_600_500_000_000
"""Half a second after the beginning of 2027."""


def test_a_real_request() -> None:
    assert decode_request(NTPDIG) == REQUEST
    assert decode_request(NTPDIG + bytes(20)) == REQUEST  # with a client's authentication


def test_a_reply_octet_by_octet() -> None:
    reply = encode_reply(REQUEST, Told(10, 0.25), MIDNIGHT, MIDNIGHT + 250_000_000)
    assert reply.hex(" ", -4) == (
        "240a00ee 00000000 00004000 7f7f0101 eee16b00 80000000 eeb72167 85c60000 "
        "eee16b00 80000000 eee16b00 c0000000"
    )


def test_a_clock_that_is_not_known_is_told_as_such() -> None:
    reply = encode_reply(NtpRequest(3, 6, 1), UNKNOWN, MIDNIGHT, MIDNIGHT)
    assert (reply[0], reply[1], reply[12:16], reply[16:24]) == (0b11_011_100, 0, b"INIT", bytes(8))


def test_the_next_era_begins_in_2036() -> None:
    end = 2_085_978_496 * 1_000_000_000
    assert (timestamp(end - 1) >> 32, timestamp(end)) == (2**32 - 1, 0)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(NTPDIG[:47], id="cut off"),
        pytest.param(b"\x24" + NTPDIG[1:], id="a server's reply"),
        pytest.param(b"\x21" + NTPDIG[1:], id="symmetric"),
        pytest.param(b"\x26" + NTPDIG[1:], id="a control message"),
        pytest.param(b"\x03" + NTPDIG[1:], id="version 0"),
        pytest.param(b"\x2b" + NTPDIG[1:], id="version 5"),
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_request(data)


@given(st.binary(max_size=80), st.floats(0, 1e9))
def test_any_bytes_are_answered_by_as_many_or_refused(data: bytes, error: float) -> None:
    try:
        request = decode_request(data)
    except WireError:
        return
    assert len(encode_reply(request, Told(10, error), MIDNIGHT, MIDNIGHT)) == 48


def test_our_own_request_is_answered_with_the_time_or_without() -> None:
    request = decode_request(encode_request(0xEEB7216785C60000))
    assert request == REQUEST
    answer = encode_reply(request, Told(10, 0.25), MIDNIGHT, MIDNIGHT)
    assert tells_time(answer, REQUEST.transmit)
    assert not tells_time(answer, REQUEST.transmit + 1)
    assert not tells_time(answer[:47], REQUEST.transmit)
    assert not tells_time(NTPDIG, REQUEST.transmit)
    assert not tells_time(encode_reply(request, UNKNOWN, MIDNIGHT, MIDNIGHT), REQUEST.transmit)
    assert not tells_time(answer[:1] + b"\x10" + answer[2:], REQUEST.transmit)
