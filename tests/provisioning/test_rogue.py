"""A rogue on the network, which knows more than it could, tries thousands of ways to a configuration, and gets none."""

import os
from urllib.parse import urlencode

import pytest
from support.rogue.alone import loot
from support.rogue.kinds_http import config_of
from support.rogue.kinds_other import KINDS
from support.rogue.site import (
    HAND,
    MACS,
    OWN,
    PLANE,
    ROGUE,
    TICKET,
    WORKER,
    RogueSite,
    address_of,
    card_of,
    loot_of,
    rogue_site,
)
from support.switched_on import STATION
from support.two_pis import HOME
from support.waiting import PATIENCE, wait_until

from iluvatar_pxe.lab.process import Process

FROM_WITHIN = ("another s identity", "tickets of others", "dead tickets", "changed tickets", "methods", "races",
               "ranges and caches", "paths", "simulated machines", "other routes")  # fmt: skip
"""Kinds of ways of a program on a machine that is installed: it has the machine's card and address."""
REFUSED = ("403", "404", "405", "416")
"""Each leaves a line; 401 is how Git's requests begin, and of what is no HTTP not each is worth one."""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user of the daemon's host")
@pytest.mark.parametrize(("outside", "within"), [(60, 10), pytest.param(9000, 1000, marks=pytest.mark.long)])
def test_a_rogue_gets_nothing_while_machines_boot_and_get_theirs(outside: int, within: int) -> None:
    with rogue_site() as site:
        site.ask_by_dhcp(HAND, PLANE, WORKER)
        ticket = hand_boots(site)
        site.boots(PLANE, WORKER)
        live = wait_until(lambda: site.tickets(PLANE) + site.tickets(WORKER), "a stand-in to boot")
        known = site.knowledge(OWN, card_of(site.namespace), (ticket, *live), ())
        campaign = site.starts(known, ROGUE, 1, outside)
        wait_until(lambda: is_installed(site), "machines that are installed", PATIENCE * 2)
        refused = check(campaign, outside, len(KINDS))
        body, _, status = site.fetch(HAND, config_of(ticket)).rpartition("\n")
        assert (status, loot(body.encode(), known)) == ("200", ["written", "machine:\n"]), (
            f"as good as before, not {body}"
        )
        known = site.knowledge(address_of(WORKER), MACS[WORKER], site.tickets(WORKER), site.tickets(PLANE))
        refused += check(site.starts(known, STATION, 2, within, *FROM_WITHIN), within, len(FROM_WITHIN))
        assert all(site.told(name)["hostname"] == name for name in (PLANE, WORKER)), (
            "they have their configurations"
        )
        assert lines(site) >= refused, "each refusal is in the log"


def lines(site: RogueSite) -> int:
    """Return how many requests were refused until now, by the log: those that came too often are counted by the next line."""
    asked = 0
    for event, host in (("http.unserved", HOME), ("http.refused", "evil.example")):
        while site.last_client(event) != address_of(HAND):
            site.fetch(HAND, "/nothing", "--header", f"Host: {host}")
            asked += 1
    return site.logged("http.unserved") + site.logged("http.refused") - asked


def hand_boots(site: RogueSite) -> str:
    """Have a machine boot as far as its script, and return its ticket."""
    hand = next(one for one in site.targets() if one.name == HAND)
    told = {"mac": hand.mac, "net0": hand.mac, "uuid": hand.uuid, "serial": hand.serial, "product": hand.product,
            "manufacturer": hand.manufacturer, "platform": "efi", "arch": "x86_64"}  # fmt: skip
    script = site.fetch(HAND, f"/ipxe?{urlencode(told)}")
    found = TICKET.search(script)
    assert found, script
    return found[1]


def is_installed(site: RogueSite) -> bool:
    rows = site.pi.rows("SELECT phase FROM machines")
    return sum(phase in {"installed", "joined"} for (phase,) in rows) >= 2


def check(rogue: Process, count: int, kinds: int) -> int:
    """Fail if a rogue has anything, or has not gone its ways; return how many answers were refusals."""
    brought = loot_of(rogue)
    assert brought.got == []
    assert (sum(brought.gone.values()), len(brought.gone)) == (count, kinds)
    return sum(brought.statuses.get(status, 0) for status in REFUSED)
