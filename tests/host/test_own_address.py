"""The kernel tells this host's addresses from others."""

from ipaddress import ip_address

import pytest

from iluvatar_pxe.host.own_address import is_own


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_loopback_is_this_host(address: str) -> None:
    assert is_own(ip_address(address))


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "255.255.255.255"])
def test_an_address_elsewhere_is_not(address: str) -> None:
    assert not is_own(ip_address(address))
