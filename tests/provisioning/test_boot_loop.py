"""A machine that boots its chain again and again is held, with the reason, until somebody releases it."""

import os
from collections.abc import Iterator

import pytest
from support.fleets import ARDA
from support.stations import Site, Station, site
from support.waiting import wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

FILES = {
    "fleet.yaml": "maxAttempts: 3\n",
    "layers/arda.yaml": ARDA,
    "machines/one.yaml": 'match: {macs: ["52:54:00:77:01:01"]}\nrole: worker\nconfig: configs/one.yaml\n',
    "configs/one.yaml": "machine: {}\n",
}


@pytest.fixture
def lan() -> Iterator[Site]:
    with site() as built:
        yield built


def boots_to_its_configuration(machine: Station) -> bool:
    ticket = machine.boots().ticket
    return bool(ticket) and machine.get(ticket).status == 200


def test_a_loop_ends_in_a_machine_that_waits_and_says_why(lan: Site) -> None:
    machine = lan.add("one", 1)
    lan.start(FILES)
    assert [boots_to_its_configuration(machine) for _ in range(5)] == [True, True, True, False, False]
    screen = machine.asks_what_to_boot().text.replace("\necho ", " ")
    assert "Boot loop detected: talos booted 3 times within an hour, never past 'config'." in screen
    assert "iluvatar-pxe machines release one" in screen
    page = lan.command("machines", "show", "one")
    assert "failed" in page
    assert "never past 'config'" in page.replace("\n", " ").replace("  ", " ")

    lan.command("machines", "release", "one")
    assert boots_to_its_configuration(machine)
    wait_until(lambda: lan.rows("SELECT phase FROM machines") == [("installing",)], "the phase on record")
