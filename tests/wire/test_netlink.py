"""Attributes of netlink messages: in any order, with flags, and every kind of damage."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.wire.netlink import attributes_of, read_errno


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


@pytest.mark.parametrize(
    ("field", "found"),
    [
        pytest.param(attribute(2, b"MAC") + attribute(1, b"four"), [(2, b"MAC"), (1, b"four")], id="two"),
        pytest.param(
            attribute(1 | 0x8000, b"x") + attribute(2 | 0x4000, b"y"), [(1, b"x"), (2, b"y")], id="flags"
        ),
        pytest.param(attribute(2, b"six oc")[:-2], [(2, b"six oc")], id="last one without padding"),
        pytest.param(b"", [], id="none"),
    ],
)
def test_attributes(field: bytes, found: list[tuple[int, bytes]]) -> None:
    assert list(attributes_of(field)) == found


@pytest.mark.parametrize(
    "field",
    [
        pytest.param(b"\x08\x00", id="cut off"),
        pytest.param(struct.pack("=HH", 3, 1), id="shorter than its header"),
        pytest.param(struct.pack("=HH", 0, 1), id="of no length"),
        pytest.param(struct.pack("=HH", 9, 1) + bytes(4), id="longer than the message"),
    ],
)
def test_malformed(field: bytes) -> None:
    with pytest.raises(WireError):
        list(attributes_of(field))


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_raise_wire_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        list(attributes_of(data))


def test_errors() -> None:
    assert read_errno(struct.pack("=i", -19)) == 19
    with pytest.raises(WireError):
        read_errno(b"\0" * 3)
