"""One resolver is asked for a name: a real unbound on loopback."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.ports import free_port
from support.unbound import ADDRESS, Unbound

from iluvatar_pxe.host.asking_dns import addresses_at


@pytest.mark.parametrize(
    ("name", "found"),
    [
        pytest.param("a.outside.example", frozenset({IPv4Address(ADDRESS)}), id="known"),
        pytest.param("a.gone.example", frozenset[IPv4Address](), id="unknown"),
        pytest.param("a.broken.example", None, id="refused"),
    ],
)
async def test_what_a_resolver_tells(tmp_path: Path, name: str, found: frozenset[IPv4Address] | None) -> None:
    with Unbound(tmp_path) as unbound:
        assert await addresses_at(("127.0.0.1", unbound.port), name) == found


async def test_one_that_is_not_there_tells_nothing() -> None:
    assert await addresses_at(("127.0.0.1", free_port()), "a.outside.example") is None
