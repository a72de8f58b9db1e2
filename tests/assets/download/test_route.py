"""Where addresses lead, and what of them may be shown."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from iluvatar_pxe.assets.download.route import (
    Address,
    host_of,
    is_inside,
    literal,
    next_address,
    parse_address,
    shown,
)
from iluvatar_pxe.errors import DownloadError

OWN = (IPv4Address("192.0.2.7"), IPv6Address("2001:db8::7"))


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("127.0.0.1", True),
        ("0.0.0.0", True),
        ("0.1.2.3", True),
        ("169.254.0.1", True),
        ("255.255.255.255", False),
        ("224.0.0.251", True),
        ("::1", True),
        ("::", True),
        ("fe80::1", True),
        ("ff02::fb", True),
        ("::ffff:127.0.0.1", True),
        ("2002:7f00:1::", True),
        ("64:ff9b::a9fe:a9fe", True),
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::7", True),
        ("192.0.2.8", False),
        ("10.0.0.1", False),
        ("2001:db8::8", False),
    ],
)
def test_this_host_and_its_link_are_inside(address: str, *, inside: bool) -> None:
    assert is_inside(ip_address(address), OWN.__contains__) is inside


@given(st.ip_addresses())
def test_every_address_is_inside_or_not(address: Address) -> None:
    assert is_inside(address, lambda _: True)
    assert is_inside(address, lambda _: False) in {True, False}


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("localhost", "127.0.0.1"),
        ("a.LOCALHOST.", "127.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_hosts_that_are_addresses(host: str, address: str) -> None:
    assert literal(host) == ip_address(address)


@pytest.mark.parametrize("host", ["localhost.example", "example", "1.2.3", ""])
def test_hosts_that_are_names(host: str) -> None:
    assert literal(host) is None


def test_neither_credentials_nor_queries_are_shown() -> None:
    url = parse_address("x", "https://user:hidden@publisher.example:8443/a%2Bb/c?token=hidden#hidden")
    assert shown(url) == "https://publisher.example:8443/a%2Bb/c"
    assert host_of(url) == "publisher.example:8443"
    assert host_of(URL("https://publisher.example/")) == "publisher.example"


@pytest.mark.parametrize(
    "text", ["", "kernel", "ftp://a/b", "http://", "http://[", "http://a:99999/", "http:///x"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(DownloadError, match=r"^x: its address is not one of http or https; "):
        parse_address("x", text)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        url = parse_address("x", text)
    except DownloadError:
        return
    assert url.scheme in {"http", "https"}
    assert host_of(url)


@given(st.text() | st.from_regex(r"(https?|ftp)?:?//?[a-z0-9.\[\]:@%]{0,20}(/[^ ]{0,9})?"))
def test_any_location_is_an_address_or_refused_in_one_line(location: str) -> None:
    route = [URL("https://publisher.example/file")]
    try:
        found = next_address("x", route, location)
    except DownloadError as error:
        refusal = str(error)
    else:
        refusal = ""
        assert found.scheme == "https"
        assert found.host
        assert found not in route
    assert refusal.isprintable()
