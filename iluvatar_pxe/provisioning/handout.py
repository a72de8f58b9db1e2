"""What a client may get: a machine's script with its ticket, its configuration, a Raspberry Pi's files."""

from ipaddress import IPv4Address
from typing import Protocol

from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.boot.plan import Plan, RunScript
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.provisioning.tickets import Claim, Tickets
from iluvatar_pxe.replies.ipxe import Scripts, Shown
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.replies.raspberry_pi import PiTexts


class Disclosure(Protocol):
    """How much of a plan, a machine and a configuration a client at an address gets to see."""

    purpose: str
    """The purpose of its tickets for machine configurations."""

    def plan(self, plan: Plan, client: IPv4Address) -> Plan:
        """Return a plan as the client may have it, but for its configuration."""
        ...

    def sighting(self, sighting: Sighting, client: IPv4Address) -> Sighting:
        """Return what the client may be told of the machine that it is taken for."""
        ...

    def arguments(self, line: str, client: IPv4Address) -> str:
        """Return a kernel command line as the client may have it."""
        ...

    async def configuration(self, text: str, client: IPv4Address) -> str:
        """Return a machine configuration as the client may have it."""
        ...


class FullDisclosure:
    """For real machines, which get what is theirs."""

    purpose = "talos-config"

    def plan(self, plan: Plan, client: IPv4Address) -> Plan:
        """Return the plan."""
        del client
        return plan

    def sighting(self, sighting: Sighting, client: IPv4Address) -> Sighting:
        """Return the sighting."""
        del client
        return sighting

    def arguments(self, line: str, client: IPv4Address) -> str:
        """Return the command line."""
        del client
        return line

    async def configuration(self, text: str, client: IPv4Address) -> str:
        """Return the configuration."""
        del client
        return text


class Handout:
    """Makes scripts and redeems their tickets."""

    def __init__(self, tickets: Tickets, disclosure: Disclosure, scripts: Scripts, pi_texts: PiTexts) -> None:
        self._tickets = tickets
        self.disclosure = disclosure
        self.scripts = scripts
        self.pi_texts = pi_texts

    def under(self, disclosure: Disclosure) -> "Handout":
        """Return one that gives the same to others, as far as ``disclosure`` lets it, with tickets of its own."""
        return Handout(self._tickets.apart(), disclosure, self.scripts, self.pi_texts)

    def script(self, decision: Decision, links: Links, client: IPv4Address, *, doubt: str) -> str:
        """Return the script that a decision is for a client; empty where its plan is no script.

        In doubt whether the client is the machine, the script carries no ticket.
        """
        shown = self.disclosure.plan(decision.plan, client)
        if not isinstance(shown, Shown):
            return ""
        claim = None if doubt else self.claim_of(decision)
        ticket = self.ticket(claim) if claim else ""
        sighting = self.disclosure.sighting(decision.case.sighting, client)
        others = len(decision.case.fleet.recipients.daemons) > 1
        return self.scripts.machine_script(shown, sighting, links, ticket, others=others)

    def claim_of(self, decision: Decision) -> Claim | None:
        """Return what the ticket in a decision's script says; None where no ticket is in it."""
        plan, machine = decision.plan, decision.case.machine
        if not isinstance(plan, RunScript) or plan.config is None or machine is None:
            return None
        return Claim(machine.id, machine.generation)

    def ticket(self, claim: Claim) -> str:
        """Return the ticket that says this, for a machine configuration."""
        return self._tickets.mint(claim, self.disclosure.purpose)

    def holder(self, ticket: str, snapshot: Snapshot) -> Machine | None:
        """Return the machine that a ticket is made out to; None where it is not valid, or not any more.

        It dies when the machine reports that it is installed, runs, or has joined.
        """
        claim = self._tickets.check(ticket, self.disclosure.purpose)
        machine = snapshot.machine_with_id(claim.machine_id) if claim else None
        if claim is None or machine is None or _has_all(machine):
            return None
        is_current = machine.generation == claim.generation or self._tickets.outlives_its_boot(claim)
        return machine if is_current else None


def _has_all(machine: Machine) -> bool:
    """Say whether a machine has reported what shows that it needs no configuration any more."""
    return machine.phase in {Phase.INSTALLED, Phase.JOINED} or machine.reached >= Stage.RUNNING
