"""A storm of DISCOVERs in invented MACs, more than can be answered: machines that boot are answered nonetheless."""

import os
from collections.abc import Iterator

import pytest
from support.storm_site import LISTED, STATION, UNLISTED, StormSite, storm_site

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

PER_SECOND = 5_000
"""Several times what is answered in a second; test hosts that are busy elsewhere can still read as many."""
MOST = 20_000
AS_UEFI = (4.0, 8.0, 16.0)
"""How long EDK2 waits for an answer before it asks again."""


@pytest.fixture(scope="module")
def site() -> Iterator[StormSite]:
    with storm_site() as made:
        yield made


@pytest.fixture(scope="module")
def storm(site: StormSite) -> Iterator[StormSite]:
    with site.storm(PER_SECOND):
        site.daemon.wait_for('"event": "dhcp.crowded"', 30)
        yield site


def test_a_known_machine_is_answered_in_a_storm(storm: StormSite) -> None:
    answers = storm.asks(LISTED[:10], AS_UEFI)
    assert all(1 <= sent <= 2 for sent, _ in answers), answers


def test_a_new_machine_is_answered_when_it_asks_again(storm: StormSite) -> None:
    answers = storm.asks(UNLISTED[:3], AS_UEFI)
    assert all(1 <= sent <= 3 for sent, _ in answers), answers


def test_files_are_served_in_a_storm(storm: StormSite) -> None:
    for url in ("tftp://10.77.0.2/ipxe/snponly.efi", "http://10.77.0.2:8080/assets/ipxe/snponly.efi"):
        command = ["curl", "-sS", "--max-time", "50", "-o", "/dev/null", "-w", "%{size_download}", url]
        assert storm.namespace.run(command, network=STATION) == str(2 + (1 << 18))


@pytest.mark.long
def test_a_known_machine_proves_itself_in_a_storm_of_own_frames(site: StormSite) -> None:
    """Each DISCOVER of the storm comes from the MAC that it names, as those of real machines do."""
    assert site.asks(LISTED[:1], AS_UEFI)[0][0]
    site.command("machines", "hold", LISTED[0])
    with site.storm(PER_SECOND, "own"):
        site.daemon.wait_for('"event": "dhcp.crowded"', 30)
        answers = site.asks(LISTED[:10], AS_UEFI)
    assert all(sent > 0 for sent, _ in answers), answers
    assert "dhcp.not_recorded" not in site.daemon.output


@pytest.mark.long
def test_known_machines_are_answered_when_the_kernel_drops_what_nobody_can_read(site: StormSite) -> None:
    with site.storm(MOST):
        answers = site.asks(LISTED, AS_UEFI)
    assert sum(sent > 0 for sent, _ in answers) >= len(LISTED) // 2, (
        answers
    )  # on a host that is busy elsewhere
