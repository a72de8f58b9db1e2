"""The tickets that Raspberry Pis show below ``/cloud-init/TICKET``, and who shows them."""

from dataclasses import dataclass, field

from aiohttp import web

from iluvatar_pxe.boot.plan import Hold, Ignore
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.provisioning.cloud_init import Asker, CloudInit, place_of
from iluvatar_pxe.provisioning.seed_tickets import Holder
from iluvatar_pxe.servers.http.context import booter_of, client_of, links_of
from iluvatar_pxe.servers.http.holders import check_holder


@dataclass(frozen=True, slots=True)
class ShownTicket:
    """A ticket that its machine shows."""

    booter: Booter
    cloud_init: CloudInit
    ticket: str = field(repr=False)
    holder: Holder

    @property
    def machine(self) -> Machine:
        return self.holder.machine

    def asker(self, request: web.Request) -> Asker:
        """Return the machine with its place; raises HTTPNotFound where it has none, or its owner holds it."""
        place = place_of(self.machine, self.booter.applied.fleet)
        if place is None:
            raise web.HTTPNotFound(
                text="this machine has no place in a layer of kind k3s; list it, or let it join"
            )
        plan = self.booter.decide(sighting_of(self.machine)).plan
        if isinstance(plan, Ignore) or (isinstance(plan, Hold) and plan.wanted) or self.machine.conflict:
            raise web.HTTPNotFound(text=f"this machine gets no configuration: {plan.why}")
        return Asker(
            machine=self.machine,
            ticket=self.ticket,
            place=place,
            client=client_of(request),
            links=links_of(request),
        )


def shown_ticket(request: web.Request, asked: str) -> ShownTicket:
    """Return the ticket that a request shows, and its machine, if that is the one that shows it."""
    booter, ticket = booter_of(request), request.match_info["ticket"]
    cloud_init = booter.cloud_init
    if cloud_init is None:
        raise web.HTTPNotFound(text="simulated machines get no configuration; set [simulate] as_real")
    holder = cloud_init.tickets.holder(ticket, booter.inventory.snapshot)
    if holder is None:
        raise web.HTTPNotFound(text="invalid ticket; boot the machine from the network again")
    check_holder(booter, holder.machine, client_of(request), asked)
    return ShownTicket(booter, cloud_init, ticket, holder)
