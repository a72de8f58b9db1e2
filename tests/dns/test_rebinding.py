"""Which names may have private addresses, and which addresses are private."""

from ipaddress import ip_address

import pytest

from iluvatar_pxe.dns.rebinding import may_be_private, private_among
from iluvatar_pxe.wire.dns.name import name_of

INNER = {name_of("fritz.box"), name_of("nas.example.com")}


@pytest.mark.parametrize(
    "text",
    [
        *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1", "127.0.0.1", "127.9.9.9"),
        *("0.0.0.0", "::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd00::1"),
        pytest.param("100.64.0.1", id="RFC 6598"),
        pytest.param("100.127.255.255", id="RFC 6598, the last"),
        pytest.param("198.18.0.1", id="RFC 2544"),
        pytest.param("198.19.255.255", id="RFC 2544, the last"),
        pytest.param("::ffff:192.168.1.1", id="RFC 4291, mapped"),
        pytest.param("::10.79.0.2", id="RFC 4291, compatible"),
        pytest.param("::ffff:0:a4f:2", id="RFC 2765, translated"),
        pytest.param("64:ff9b::a4f:2", id="RFC 6052"),
        pytest.param("64:ff9b:1::a4f:2", id="RFC 8215"),
        pytest.param("64:ff9b:1:fffe::7f00:1", id="RFC 8215, a part of it"),
        pytest.param("2002:a4f:2::1", id="RFC 3056"),
    ],
)
def test_an_address_that_leads_inside(text: str) -> None:
    assert private_among(map(ip_address, ("9.9.9.9", text))) == ip_address(text)


@pytest.mark.parametrize(
    "text",
    [
        *("9.9.9.9", "172.15.0.1", "172.32.0.1", "100.63.255.255", "100.128.0.1", "198.17.0.1", "198.20.0.1"),
        *("2606:4700::1", "2606:4700::a4f:2", "::ffff:9.9.9.9", "::9.9.9.9", "::ffff:0:909:909"),
        *("64:ff9b::909:909", "64:ff9b:1::909:909", "64:ff9b:2::a4f:2", "2002:909:909::a4f:2"),
    ],
)
def test_an_address_that_does_not(text: str) -> None:
    assert private_among([ip_address(text)]) is None


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("www.example.com", False),
        ("nas.example.com", True),
        ("a.nas.example.com", True),
        ("fritz.box", True),
        ("nas.fritz.box", True),
        ("notfritz.box", False),
        ("router", True),
        ("nas.lan", True),
        ("nas.home.arpa", True),
        ("nas.internal", True),
        ("nas.localdomain", True),
        ("lan.evil.com", False),
        ("home.arpa.evil.com", False),
    ],
)
def test_a_name_that_may_have_one(text: str, *, may: bool) -> None:
    assert may_be_private(name_of(text), INNER) is may
