"""Who else is on the network: other DHCP servers, and clients that nobody knows."""

from collections.abc import Iterable

from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.data import Data, utc
from iluvatar_pxe.admin.requests import network as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.fleet.lookup import name_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.dhcp_servers import DhcpServer
from iluvatar_pxe.machines.model import Machine

MOST_UNKNOWN = 50
"""Clients told, those that were seen last."""


class ShowNetwork(requests.ShowNetwork, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        servers = of_daemon(context.dhcp_servers)
        return {
            "dhcp_servers": [server_data(one) for one in servers.all],
            **unknown_data(context.inventory.snapshot.by_id.values(), context.fleet),
        }


def server_data(server: DhcpServer) -> Data:
    """Return a DHCP server as plain data; ``problem`` says why it is one too many, else it is null."""
    heard = server.heard
    return {
        "address": str(heard.address),
        "interface": server.interface,
        "gives_addresses": heard.gives_addresses,
        "boots": heard.boots,
        "boot_file": heard.boot_file or None,
        "boot_server": heard.boot_server and str(heard.boot_server),
        "is_ours": server.is_ours,
        "first_heard": utc(server.first),
        "last_heard": utc(server.last),
        "problem": server.why or None,
    }


def unknown_data(machines: Iterable[Machine], fleet: Fleet) -> Data:
    """Return the machines that have no name, the latest first; ``unknown_in_all`` says how many there are."""
    unknown = [one for one in machines if name_of(one, fleet) is None]
    unknown.sort(key=lambda one: one.last_seen, reverse=True)
    return {"unknown": [_client(one) for one in unknown[:MOST_UNKNOWN]], "unknown_in_all": len(unknown)}


def _client(machine: Machine) -> Data:
    return {
        "id": str(machine.id),
        "macs": list(machine.macs),
        "address": machine.address and str(machine.address),
        "manufacturer": machine.manufacturer or None,
        "product": machine.product or None,
        "firmware": machine.firmware.value,
        "reached": machine.reached.label,
        "last_seen": utc(machine.last_seen),
        "transient": machine.transient,
    }
