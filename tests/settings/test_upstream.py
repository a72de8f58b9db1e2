"""How a resolver elsewhere is spelled, and what is said of a spelling that is none."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.settings.upstream import Upstream, parse_upstream

ONE, SIX, NAME = IPv4Address("1.1.1.1"), IPv6Address("2606:4700::1111"), "one.one.one.one"


@pytest.mark.parametrize(
    ("text", "upstream", "shortest"),
    [
        ("1.1.1.1", Upstream(ONE, 53), "1.1.1.1"),
        ("1.1.1.1:53", Upstream(ONE, 53), "1.1.1.1"),
        ("1.1.1.1:5353", Upstream(ONE, 5353), "1.1.1.1:5353"),
        ("[1.1.1.1]:853", Upstream(ONE, 853), "1.1.1.1:853"),
        ("2606:4700::1111", Upstream(SIX, 53), "2606:4700::1111"),
        ("2606:4700:0:0::1111", Upstream(SIX, 53), "2606:4700::1111"),
        ("[2606:4700::1111]", Upstream(SIX, 53), "2606:4700::1111"),
        ("[2606:4700::1111]:54", Upstream(SIX, 54), "[2606:4700::1111]:54"),
        ("::ffff:1.1.1.1", Upstream(ONE, 53), "1.1.1.1"),
        ("tls://1.1.1.1", Upstream(ONE, 853, tls=True), "tls://1.1.1.1"),
        ("tls://1.1.1.1:53", Upstream(ONE, 53, tls=True), "tls://1.1.1.1:53"),
        (f"tls://1.1.1.1:853#{NAME}", Upstream(ONE, 853, tls=True, name=NAME), f"tls://1.1.1.1#{NAME}"),
        ("tls://2606:4700::1111", Upstream(SIX, 853, tls=True), "tls://[2606:4700::1111]"),
        (
            f"tls://[2606:4700::1111]#{NAME}",
            Upstream(SIX, 853, tls=True, name=NAME),
            f"tls://[2606:4700::1111]#{NAME}",
        ),
    ],
)
def test_spellings(text: str, upstream: Upstream, shortest: str) -> None:
    assert parse_upstream(text) == upstream
    assert str(upstream) == shortest


ADDRESS = "a resolver is an address such as"
HOST_NAME = "a resolver is an address, not a name"
PORT, PLAIN_NAME = "a resolver's port is", "write tls:// before the address"
CERTIFICATE, LINK, SINGLE = (
    "the name in the resolver's certificate",
    "a link-local address",
    "not the address of a host",
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ADDRESS),
        ("1.1.1", ADDRESS),
        ("1.1.1.1 ", ADDRESS),
        ("1.1.1.1:", ADDRESS),
        ("1.1.1.1:domain", ADDRESS),
        ("1.1.1.1:123456", ADDRESS),
        ("[1.1.1.1", ADDRESS),
        ("[]:53", ADDRESS),
        ("[[::1]]", ADDRESS),
        ("1.1.1.1/24", ADDRESS),
        ("https://1.1.1.1/dns-query", ADDRESS),
        ("tls://", ADDRESS),
        ("TLS://1.1.1.1", ADDRESS),
        ("1.1.1.1:0", PORT),
        ("[2606:4700::1111]:65536", PORT),
        ("dns.google", HOST_NAME),
        ("dns.google:53", HOST_NAME),
        ("tls://dns.google#dns.google", HOST_NAME),
        (f"1.1.1.1#{NAME}", PLAIN_NAME),
        ("tls://1.1.1.1#", CERTIFICATE),
        ("tls://1.1.1.1#one.", CERTIFICATE),
        ("tls://1.1.1.1#a#b", CERTIFICATE),
        (f"tls://1.1.1.1#{'a' * 64}.net", CERTIFICATE),
        (f"tls://1.1.1.1#{'a.' * 127}net", CERTIFICATE),
        ("fe80::1", LINK),
        ("[fe80::1%eth0]:53", LINK),
        ("2606:4700::1111%eth0", LINK),
        ("0.0.0.0", SINGLE),
        ("::", SINGLE),
        ("::ffff:0.0.0.0", SINGLE),
        ("224.0.0.251", SINGLE),
        ("ff02::fb", SINGLE),
        ("255.255.255.255", SINGLE),
    ],
)
def test_what_is_no_upstream(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_upstream(text)


LABEL = st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True)


def upstreams() -> st.SearchStrategy[Upstream]:
    address = st.builds(IPv4Address, st.integers(1, 0xDFFFFFFF)) | st.builds(
        IPv6Address, st.integers(1 << 120, (0xFD << 120) - 1)
    )
    port = st.sampled_from([53, 853]) | st.integers(1, 65535)
    name = st.just("") | st.lists(LABEL, min_size=1, max_size=4).map(".".join)
    return st.builds(Upstream, address, port) | st.builds(Upstream, address, port, st.just(value=True), name)


@given(upstreams())
def test_what_is_written_is_read_as_the_same(upstream: Upstream) -> None:
    assert parse_upstream(str(upstream)) == upstream


@given(st.text() | st.text("tls://[]:#.%f0123456789"))
def test_any_text_is_an_upstream_or_a_value_error_of_one_line(text: str) -> None:
    told = ""
    try:
        upstream = parse_upstream(text)
    except ValueError as error:
        told = str(error)
    else:
        assert parse_upstream(str(upstream)) == upstream
    assert not told or told.isprintable()
