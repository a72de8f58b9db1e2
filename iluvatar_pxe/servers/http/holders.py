"""Whether the one who shows a ticket is the machine that it is made out to."""

from ipaddress import IPv4Address

from aiohttp import web

from iluvatar_pxe.fleet.nics import owner_of
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.provisioning.booter import Booter


def check_holder(booter: Booter, machine: Machine, client: IPv4Address, asked: str) -> None:
    """Raise HTTPForbidden, and record what was asked, unless a client is this machine."""
    if doubt := booter.trust.doubt_of_holder(machine, client):
        booter.journal.distrusted(machine, client, asked, doubt)
        mac = booter.trust.mac_of(client)
        if mac and not booter.trust.is_routed(client) and not _has_owner(booter, mac):
            booter.inventory.doubt_nic(machine.id, mac)
        raise web.HTTPForbidden(text=f"the ticket belongs to another machine: {doubt}")


def _has_owner(booter: Booter, mac: str) -> bool:
    return bool(owner_of(mac, booter.inventory.snapshot, booter.applied.fleet))
