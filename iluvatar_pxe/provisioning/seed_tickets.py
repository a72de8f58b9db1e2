"""Tickets of Raspberry Pis: the right to fetch the documents of cloud-init, and to swap the ticket for secrets, once.

The same ticket is in the kernel's arguments and in the documents, which may lie on a disk for weeks before they are used.
So its age does not count from the moment that documents were given with it. Then it is good until the machine has
stored its secrets, or has got documents in a later boot.
"""

from msgspec import Struct

from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.provisioning.tickets import Claim, Tickets

_TICKET, _RECEIPT = "cloud-init", "cloud-init-receipt"


class Holder(Struct, frozen=True):
    """The machine that a ticket is made out to, and in which of its boots."""

    machine: Machine
    boot: int

    @property
    def may_swap(self) -> bool:
        """Say whether the ticket still gives secrets."""
        return self.machine.seed.is_good_for(self.boot)

    @property
    def is_spent(self) -> bool:
        """Say whether the machine has stored its secrets."""
        return self.machine.seed.is_spent and self.boot == self.machine.seed.boot


class SeedTickets:
    """Mints and checks them."""

    def __init__(self, tickets: Tickets) -> None:
        self._tickets = tickets

    def mint(self, machine: Machine) -> str:
        """Return the ticket of a machine's boot under way."""
        return self._tickets.mint(Claim(machine.id, machine.generation), _TICKET)

    def holder(self, ticket: str, snapshot: Snapshot) -> Holder | None:
        """Return whose ticket it is, whatever it still gives; None where it is not genuine, or its machine is no more."""
        claim = self._tickets.claimed(ticket, _TICKET)
        machine = snapshot.machine_with_id(claim.machine_id) if claim else None
        return Holder(machine, claim.generation) if claim and machine else None

    def gives_documents(self, ticket: str, holder: Holder) -> bool:
        """Say whether a ticket gives documents: that of the boot under way, or one with which they were given."""
        machine, boot = holder.machine, holder.boot
        if boot < machine.seed.boot or holder.is_spent:
            return False
        claim = self._tickets.check(ticket, _TICKET)
        is_current = machine.generation == boot or (claim and self._tickets.outlives_its_boot(claim))
        return holder.may_swap or bool(claim and is_current)

    def keep_young(self, ticket: str, holder: Holder) -> None:
        """Let the ticket of the boot under way not age while its machine waits, and asks with it again and again."""
        claim = self._tickets.check(ticket, _TICKET)
        if claim and holder.boot == holder.machine.generation:
            self._tickets.renew(claim)

    def receipt(self, holder: Holder) -> str:
        """Return what a machine shows to tell that it has stored its secrets; the same whenever it swaps its ticket."""
        return self._tickets.ageless(Claim(holder.machine.id, holder.boot), _RECEIPT)

    def is_receipt(self, text: str, holder: Holder) -> bool:
        """Say whether that is what a machine shows."""
        return self._tickets.claimed(text, _RECEIPT) == Claim(holder.machine.id, holder.boot)
