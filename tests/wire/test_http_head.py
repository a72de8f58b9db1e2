"""A plain HTTP request is read as aiohttp reads it, and whatever aiohttp might read otherwise is none."""

import asyncio

import pytest
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.wire.http_head import LONGEST_HEAD, Head, read_head

IPXE = b"GET /ipxe?mac=52:54:00:77:00:01&serial=S%201 HTTP/1.1\r\nUser-Agent: iPXE/1.21.1\r\nHost: 10.77.0.2:8080\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"

names = st.sampled_from(
    [
        *("Host", "User-Agent", "Accept", "Accept-Encoding", "Connection", "Range", "Expect", "Upgrade"),
        *("Content-Length", "Transfer-Encoding", "X-Y", "Host ", "", "H\tost", "Höst"),
    ]
).flatmap(lambda name: st.sampled_from([name, name.lower(), name.upper()]))
values = st.sampled_from(
    [
        *(
            "10.77.0.2",
            "iPXE/1.21.1 (abc)",
            "*/*",
            "keep-alive",
            "Keep-Alive",
            "close",
            "upgrade",
            "h2c",
            "chunked",
        ),
        *("0", "5", "", " ", "a\tb", "a ", "\u00fc", "a\x00", "100-continue", "bytes=0-1"),
    ]
)
lines = st.tuples(names, st.sampled_from([": ", ":", ":  ", " : "]), values).map("".join)
heads = st.tuples(
    st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "get", " GET"]),
    st.sampled_from([" ", " ", " ", "  ", "\t"]),
    st.sampled_from(
        [
            "/",
            "/ipxe?mac=1&net0=",
            "/a#b?c",
            "http://a/b",
            "*",
            "//a/b",
            "/a b",
            "/%69pxe",
            "/\u00fc",
            "/?a?b",
        ]
    ),
    st.sampled_from([" HTTP/1.1", " HTTP/1.1", " HTTP/1.1", " HTTP/1.0", " HTTP/2.0", "", " http/1.1"]),
    st.lists(lines, max_size=5),
    st.sampled_from(["\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n "]),
).map(
    lambda parts: (
        "".join(parts[:4]) + parts[5] + "".join(line + parts[5] for line in parts[4]) + parts[5]
    ).encode()
)


def read_by_aiohttp(octets: bytes) -> list[RawRequestMessage]:
    """Return the requests that aiohttp finds."""
    loop = asyncio.new_event_loop()
    try:
        protocol = asyncio.Protocol()
        parser = HttpRequestParser(protocol, loop, 1 << 16)  # type: ignore[arg-type]
        return [message for message, _ in parser.feed_data(octets)[0]]
    finally:
        loop.close()


def test_what_ipxe_sends() -> None:
    target = "/ipxe?mac=52:54:00:77:00:01&serial=S%201"
    assert read_head(IPXE) == Head(target, "10.77.0.2:8080", "iPXE/1.21.1")
    assert read_head(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n") == Head("/", "a", "")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        IPXE[:-1],
        IPXE + b"G",
        IPXE + NEXT,
        IPXE.replace(b"GET", b"HEAD"),
        IPXE.replace(b"1.1\r\n", b"1.0\r\n", 1),
        IPXE.replace(b"Host", b"Content-Length"),
        IPXE.replace(b"Host", b"Accept"),
        IPXE.replace(b"\r\n\r\n", b"\r\nHost: b\r\n\r\n"),
        IPXE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        IPXE.replace(b"serial", b"s" * LONGEST_HEAD),
    ],
)
def test_what_is_not_plain_is_none(octets: bytes) -> None:
    assert read_head(octets) is None


@given(heads)
def test_aiohttp_reads_the_same(octets: bytes) -> None:
    head = read_head(octets)
    if head is None:
        return
    first, after = read_by_aiohttp(octets + NEXT)
    assert (first.method, first.path, first.version, first.chunked, first.upgrade) == (
        "GET",
        head.target,
        (1, 1),
        False,
        False,
    )
    assert (first.headers["Host"], first.headers.get("User-Agent", "")) == (head.host, head.agent)
    assert not first.should_close
    assert after.path == "/next", "there is no body"


@given(st.integers(0, len(IPXE)), st.binary(max_size=2))
def test_so_it_does_with_octets_changed(place: int, others: bytes) -> None:
    changed = IPXE[:place] + others + IPXE[place + len(others) :]
    if head := read_head(changed):
        first, after = read_by_aiohttp(changed + NEXT)
        assert (first.path, first.headers["Host"], after.path) == (head.target, head.host, "/next")
