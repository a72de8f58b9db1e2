"""Many simulated machines at once, as ``bench/simulated_machines.py`` plays them: none fails."""

import json
from collections.abc import Iterator

import pytest
from support.simulated_site import PCS, simulated_site
from support.stations import Site

from bench.simulated_machines import COUNT, KINDS, boot, play
from iluvatar_pxe.lab.room.network import INTERFACE, SERVER_ADDRESS
from iluvatar_pxe.simulate.machine import Kind

FEW = "20"
FEW_OF_ONE_ADDRESS = "15"
"""The daemon makes 32 transfers of one address at once, and a Pi begins the next before the end of its last is read."""

PI3S = "4"
"""They take turns, and each asks for 25 s only."""


@pytest.fixture(scope="module")
def rehearsing() -> Iterator[Site]:
    with simulated_site(as_real=False) as built:
        yield built


@pytest.mark.long
@pytest.mark.usefixtures("cards")
def test_a_rackful_by_cards() -> None:
    with simulated_site() as network:
        status = play(network.namespace, PCS, Kind.IPXE, "--count", FEW, "--interface", INTERFACE)
        assert status == 0
        assert len(json.loads(network.command("machines", "list", "--json"))) == int(FEW)
        status = play(network.namespace, PCS, Kind.PI3, "--count", PI3S, "--interface", INTERFACE)
        assert status == 0


@pytest.mark.parametrize(
    ("kind", "count"),
    [(Kind.PI4, FEW_OF_ONE_ADDRESS), pytest.param(Kind.UEFI_X64, COUNT, marks=pytest.mark.long)],
)
def test_many_by_host_that_the_daemon_does_not_keep(rehearsing: Site, kind: Kind, count: str) -> None:
    status = play(rehearsing.namespace, PCS, kind, "--count", count, "--server", SERVER_ADDRESS)
    assert status == 0
    assert json.loads(rehearsing.command("machines", "list", "--all", "--json")) == []


@pytest.mark.long
@pytest.mark.usefixtures("cards")
@pytest.mark.parametrize("kind", KINDS)
def test_two_hundred_by_cards(kind: str) -> None:
    assert boot(COUNT, kind) == 0
