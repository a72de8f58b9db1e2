"""Names on the wire and as text."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.dns.name import (
    ROOT,
    is_below,
    labels_of,
    name_of,
    parent_of,
    read_name,
    reverse_name,
    suffixes,
    text_of,
)

HEADER = bytes(12)
LAB = b"\x03lab\x04home\x04arpa\x00"
names = st.lists(st.binary(min_size=1, max_size=63), max_size=5).map(
    lambda labels: b"".join(bytes([len(label)]) + label for label in labels).lower() + ROOT
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("lab.home.arpa", LAB),
        ("Lab.HOME.arpa.", LAB),
        (".", ROOT),
        ("", ROOT),
        ("*.apps", b"\x01*\x04apps\x00"),
        (r"a\.b.c", b"\x03a.b\x01c\x00"),
        (r"a\046b", b"\x03a.b\x00"),
        ("x" * 63, b"\x3f" + b"x" * 63 + ROOT),
    ],
)
def test_text_becomes_a_name(text: str, name: bytes) -> None:
    assert name_of(text) == name


@pytest.mark.parametrize("text", ["a..b", ".a", "x" * 64, ".".join(["x" * 63] * 4), "a\\", r"a\999", r"a\25"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        name_of(text)


@given(names)
def test_every_name_survives_being_written_as_text(name: bytes) -> None:
    assert name_of(text_of(name)) == name


@given(names)
def test_every_name_is_read_as_it_stands(name: bytes) -> None:
    assert read_name(HEADER + name + b"rest", 12) == (name, 12 + len(name))


def test_a_pointer_leads_back_and_ends_the_name() -> None:
    message = HEADER + LAB + b"\x03ARD\xc0\x0c" + b"\x01x\xc0\x1b"
    assert read_name(message, 27) == (b"\x03ard" + LAB, 33)
    assert read_name(message, 33) == (b"\x01x\x03ard" + LAB, 37)


@pytest.mark.parametrize(
    "wire",
    [
        b"\xc0\x0c",  # to itself
        b"\x01a\xc0\x0c",  # in a circle
        b"\xc0\x20",  # forwards
        b"\xc0\x00",  # into the header
        b"\xc0",
        b"\x05ab",
        b"\x80a\x00",  # a kind of label that never came to be
        b"\x3f" + b"a" * 63 + b"\x3f" + b"b" * 63 + b"\x3f" + b"c" * 63 + b"\x3f" + b"d" * 63 + b"\x00",
        b"",
    ],
)
def test_a_name_that_leads_nowhere_is_refused(wire: bytes) -> None:
    with pytest.raises(WireError):
        read_name(HEADER + wire, 12)


def test_thousands_of_pointers_are_followed_or_refused_but_do_no_harm() -> None:
    chain = HEADER + b"\x01a\x00" + b"".join((0xC000 | 15 + 2 * n).to_bytes(2) for n in range(-1, 4000))
    assert read_name(chain.replace(b"\xc0\x0d", b"\xc0\x0c", 1), len(chain) - 2)[0] == b"\x01a\x00"


@given(names, names)
def test_below_means_whole_labels(name: bytes, apex: bytes) -> None:
    above = labels_of(apex)
    labels = labels_of(name)
    assert is_below(name, apex) == (not above or labels[-len(above) :] == above)


def test_the_end_of_another_label_is_not_below() -> None:
    assert is_below(name_of("x.lab.home.arpa"), LAB)
    assert is_below(LAB, LAB)
    assert not is_below(b"\x07x\x03lab\x01y\x00", b"\x03lab\x01y\x00")
    assert not is_below(name_of("home.arpa"), LAB)


def test_suffixes_go_up_to_the_root() -> None:
    assert list(suffixes(LAB)) == [LAB, b"\x04home\x04arpa\x00", b"\x04arpa\x00", ROOT]
    assert (parent_of(LAB), parent_of(ROOT)) == (b"\x04home\x04arpa\x00", ROOT)


def test_addresses_have_names_of_their_own() -> None:
    assert text_of(reverse_name(IPv4Address("192.168.1.20"))) == "20.1.168.192.in-addr.arpa"
    assert text_of(reverse_name(IPv6Address("fd00::1"))).endswith("0.0.d.f.ip6.arpa")
