"""Makes sure which machine answers, before it is believed or changed: its address may be another machine's by now."""

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from iluvatar_pxe.errors import TalosAnotherError
from iluvatar_pxe.layers.arda.api.resources import HOSTNAME, LINKS, SYSTEM_INFORMATION
from iluvatar_pxe.layers.arda.expected import Expected, Who
from iluvatar_pxe.layers.arda.reading import uuid_in
from iluvatar_pxe.layers.one_line import one_line
from iluvatar_pxe.values import replace

if TYPE_CHECKING:
    from iluvatar_pxe.layers.arda.api.client import TalosApi


async def prove(api: "TalosApi", expected: Expected, address: IPv4Address) -> str:
    """Return the host name of the machine that answers, if it is the expected one.

    Raises TalosAnotherError, or another TalosError.
    """
    name = one_line(await api.state.get(HOSTNAME) or "")
    system = await api.state.get(SYSTEM_INFORMATION)
    told = Who(name=name)
    if system:
        told = Who(name=name, uuid=uuid_in(system.uuid), serial=system.serial, product=system.product)
    if expected.who.macs and not expected.is_agreed(told):
        told = replace(told, macs=await macs_of(api))
    if who := expected.instead(told):
        wanted = expected.who.name
        raise TalosAnotherError(
            f"{who} answers at {address}, which was {wanted}'s address; restart {wanted}, "
            f"or correct its address in machines/{wanted}.yaml"
        )
    return name


async def macs_of(api: "TalosApi") -> frozenset[str]:
    """Return the MACs of a machine's NICs. A node has a link for each pod as well, so ask only where they are needed."""
    nics = [one for one in await api.state.list(LINKS) if one.is_physical]
    return frozenset(mac for one in nics for mac in (one.mac, one.permanent_mac) if mac)
