"""A Pi's ticket: which documents and secrets it gives, and when it is dead, whatever loses power in between."""

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.machines import machine_of, snapshot_of

from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.seed import Seed
from iluvatar_pxe.provisioning.seed_tickets import Holder, SeedTickets
from iluvatar_pxe.provisioning.tickets import LIFETIME, OUTLIVES, Claim, Tickets
from iluvatar_pxe.values import replace

MAC = "2c:cf:67:00:00:05"
WEEKS = 1e7


@dataclass
class Office:
    """Tickets with a clock of the test's."""

    now: float = 1000.0

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start the daemon anew: it knows no ticket's age."""
        self.plain = Tickets(b"k" * 32, lambda: self.now)
        self.seeds = SeedTickets(self.plain)

    def holder(self, ticket: str, machine: Machine) -> Holder:
        found = self.seeds.holder(ticket, snapshot_of(machine))
        assert found
        return found

    def gives_documents(self, ticket: str, machine: Machine) -> bool:
        return self.seeds.gives_documents(ticket, self.holder(ticket, machine))


@pytest.fixture
def office() -> Office:
    return Office()


def test_a_ticket_gives_documents_in_its_boot_until_it_is_old(office: Office) -> None:
    machine = machine_of(MAC, generation=3)
    ticket = office.seeds.mint(machine)
    assert office.gives_documents(ticket, machine)
    office.now += OUTLIVES - 1
    assert office.gives_documents(ticket, replace(machine, generation=4))
    office.now += 1
    assert not office.gives_documents(ticket, replace(machine, generation=4))
    assert office.gives_documents(ticket, machine)
    office.now += LIFETIME
    assert not office.gives_documents(ticket, machine)


def test_a_ticket_does_not_age_while_its_machine_waits_and_asks_in_that_boot(office: Office) -> None:
    machine = machine_of(MAC, generation=3)
    ticket = office.seeds.mint(machine)
    for _ in range(5):
        office.now += LIFETIME / 2
        office.seeds.keep_young(ticket, office.holder(ticket, machine))
        assert office.gives_documents(ticket, machine)
    later = replace(machine, generation=4)
    office.now += LIFETIME / 2
    office.seeds.keep_young(ticket, office.holder(ticket, later))
    assert not office.gives_documents(ticket, later)
    office.now += LIFETIME / 2
    office.seeds.keep_young(ticket, office.holder(ticket, machine))
    assert not office.gives_documents(ticket, machine), "one that is too old already stays so"


def test_once_documents_are_given_their_ticket_is_good_for_weeks_and_boots(office: Office) -> None:
    machine = machine_of(MAC, generation=3, seed=Seed(3))
    ticket = office.seeds.mint(machine)
    office.now += WEEKS
    office.start()
    later = replace(machine, generation=9)
    assert office.holder(ticket, later).may_swap
    assert office.gives_documents(ticket, later)


def test_documents_of_a_later_boot_end_it(office: Office) -> None:
    machine = machine_of(MAC, generation=3, seed=Seed(3))
    ticket = office.seeds.mint(machine)
    later = replace(machine, generation=4, seed=machine.seed.in_boot(4))
    assert not office.holder(ticket, later).may_swap
    assert not office.gives_documents(ticket, later)
    assert machine.seed.in_boot(2) == machine.seed


def test_a_spent_ticket_gives_nothing_but_is_known(office: Office) -> None:
    machine = machine_of(MAC, generation=3, seed=Seed(3, is_spent=True))
    ticket = office.seeds.mint(machine)
    assert not office.holder(ticket, machine).may_swap
    assert not office.gives_documents(ticket, machine)
    assert office.holder(ticket, machine).is_spent


def test_what_is_no_ticket_has_no_holder(office: Office) -> None:
    machine = machine_of(MAC)
    stranger = replace(machine, id=machine_of("2c:cf:67:00:00:06").id)
    of_talos = office.plain.mint(Claim(machine.id, machine.generation), "talos-config")
    for ticket in ("", "x" * 48, of_talos, office.seeds.mint(stranger)):
        assert office.seeds.holder(ticket, snapshot_of(machine)) is None


def test_a_receipt_is_of_one_machine_in_one_boot(office: Office) -> None:
    holder, other = Holder(machine_of(MAC), 3), Holder(machine_of(MAC), 4)
    receipt = office.seeds.receipt(holder)
    office.start()
    assert office.seeds.is_receipt(receipt, holder)
    assert not office.seeds.is_receipt(receipt, other)
    assert not office.seeds.is_receipt(office.seeds.mint(holder.machine), holder)


class FirstStart(RuleBasedStateMachine):
    """A Pi swaps its ticket, and loses power whenever; the daemon is killed, and time passes: it gets its secrets."""

    def __init__(self) -> None:
        super().__init__()
        self.office = Office()
        self.machine = machine_of(MAC, generation=1)
        self.ticket = ""
        self.arrived = self.on_disk = self.is_done = False

    @rule()
    def install(self) -> None:
        """Boot from the network, and get documents: all that was on the disk is gone."""
        machine = replace(self.machine, generation=self.machine.generation + 1)
        self.machine = replace(machine, seed=machine.seed.in_boot(machine.generation))
        self.ticket = self.office.seeds.mint(self.machine)
        self.arrived = self.on_disk = self.is_done = False

    @rule()
    def swap(self) -> None:
        if self.ticket and not self.on_disk:
            self.arrived = self.office.holder(self.ticket, self.machine).may_swap

    @rule()
    def store(self) -> None:
        self.on_disk = self.on_disk or self.arrived

    @rule(is_heard=st.booleans())
    def tell(self, *, is_heard: bool) -> None:
        """Show the receipt; the daemon's answer may be lost, and then it is shown again."""
        if self.on_disk and not self.is_done:
            receipt = self.office.seeds.receipt(self.office.holder(self.ticket, self.machine))
            assert self.office.seeds.is_receipt(receipt, self.office.holder(self.ticket, self.machine))
            self.machine = replace(self.machine, seed=Seed(self.machine.seed.boot, is_spent=True))
            self.is_done = is_heard

    @rule()
    def power_cut(self) -> None:
        """Lose what is in memory, and start from the disk; a firmware that asks the network first is a boot, too."""
        self.arrived = False
        self.machine = replace(self.machine, generation=self.machine.generation + 1)

    @rule(seconds=st.sampled_from([1.0, LIFETIME, WEEKS]))
    def wait(self, seconds: float) -> None:
        self.office.now += seconds

    @rule()
    def kill_the_daemon(self) -> None:
        self.office.start()

    @invariant()
    def nobody_is_stranded(self) -> None:
        if self.ticket and not self.on_disk:
            assert self.office.holder(self.ticket, self.machine).may_swap

    @invariant()
    def what_is_stored_and_told_gives_nothing(self) -> None:
        if self.is_done:
            assert not self.office.holder(self.ticket, self.machine).may_swap
            assert not self.office.gives_documents(self.ticket, self.machine)


TestFirstStart = FirstStart.TestCase
TestFirstStart.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
