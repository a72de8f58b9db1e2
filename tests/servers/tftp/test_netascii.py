"""A netascii source is the converted file, whatever the sizes of the reads."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.assets.source import BytesSource
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.servers.tftp.netascii import LARGEST, NetasciiSource
from iluvatar_pxe.wire.tftp.packet import to_netascii


async def read_all(data: bytes, lengths: list[int]) -> bytes:
    source = await NetasciiSource.convert(BytesSource(data))
    got = bytearray()
    while len(got) < source.size:
        got += await source.read(len(got), lengths[len(got) % len(lengths)])
    assert await source.read(len(got), 1) == b""
    return bytes(got)


@given(
    st.lists(
        st.sampled_from([b"\r", b"\n", b"\r\n", b"text", b"\0", bytes(40_000), b"\n" * 70_000]), max_size=8
    ),
    st.lists(st.integers(1000, 200_000), min_size=1, max_size=4),
)
def test_reads_of_any_length_give_the_converted_file(pieces: list[bytes], lengths: list[int]) -> None:
    data = b"".join(pieces)
    assert asyncio.run(read_all(data, lengths)) == to_netascii(data)


async def test_the_largest_file() -> None:
    assert (await NetasciiSource.convert(BytesSource(bytes(LARGEST)))).size == LARGEST
    with pytest.raises(
        AssetError, match=r"^mode netascii is for files up to 16777216 bytes; fetch it in mode octet$"
    ):
        await NetasciiSource.convert(BytesSource(bytes(LARGEST + 1)))
