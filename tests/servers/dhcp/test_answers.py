"""An answer that is sent again is the one that would be made anew, octet for octet, whatever has changed in between."""

import weakref
from collections.abc import Callable, Sequence
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import captures
from support.booters import booters_of
from support.fleets import READY
from support.proxy import NOBODY, boot_request, discover

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.inventory import inventory as inventory_module
from iluvatar_pxe.inventory import memory
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.machines.states import Assignment, Directive, Intent, Phase, Role
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.provisioning.turn_state import TurnState
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.servers.dhcp.answers import Answers
from iluvatar_pxe.servers.dhcp.proxy import Arrival, Lease, Reply, Silence, respond
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import Option, decode, encode
from iluvatar_pxe.wire.pxe import SIMULATED

RELAY = ("10.99.0.1", 67)
ROUTED = ("10.77.0.50", 68)
CAPTURED = [captures.payload(name) for name in captures.dhcp_requests()]
PI = discover(0, (Option.VENDOR_CLASS, b"PXEClient:Arch:00000:UNDI:002001"), mac="b8:27:eb:01:02:03")
MESSAGES = [
    *CAPTURED,
    encode(replace(discover(7), giaddr=IPv4Address(RELAY[0]))),
    encode(discover(7, (Option.USER_CLASS, bytes((len(SIMULATED),)) + SIMULATED))),
    encode(boot_request(7)),
    encode(PI),
]
MACS = sorted({decode(one).mac for one in MESSAGES})
LINKS = {"eth0": Links(IPv4Address("10.77.0.2"), 8080), "eth1": Links(IPv4Address("10.78.0.2"), 8080)}
COMING = {"ipxe/snponly.efi": Progress(state=State.QUEUED)}


def listing(lines: str) -> Fleet:
    files = {
        f"machines/m{number}.yaml": f'match: {{macs: ["{mac}"]}}\n{lines}' for number, mac in enumerate(MACS)
    }
    return parse_fleet({"fleet.yaml": ""} | files)


FLEETS = [
    Fleet(),
    parse_fleet({"fleet.yaml": "enrolment: {mode: ignore}\n"}),
    listing("intent: local\n"),
    listing('intent: local\nlocal: "404"\n'),
    listing("intent: ignore\n"),
    listing("intent: hold\nprogram: ipxe.efi\n"),
]


class Bench:
    """Booters whose every input can be changed, and the answers remembered of what they decide."""

    def __init__(self, inventory: Inventory, store: AssetStore) -> None:
        self.inventory, self.store = inventory, store
        self.coming: dict[str, Progress] = {}
        self.booters = booters_of(FLEETS[0], inventory, store, lambda _: None, coming=lambda: self.coming)
        real, simulated = self.booters.real, self.booters.simulated
        self.states = {
            False: TurnState(real, real.context),
            True: TurnState(simulated, simulated.context),
        }
        self.allowed = True
        self.made = 0
        self.answers = Answers(
            self._decide,
            lambda sighting, state: self._facing(sighting).basis(sighting.mac, state.context),
            lambda sighting: self.states[sighting.simulated].now(),
            lambda _: self.allowed,
        )

    def ask(
        self,
        data: bytes,
        where: str = "eth0",
        source: tuple[str, int] = NOBODY,
        *,
        own: bool = True,
        pxe_port: bool = False,
    ) -> Reply | Silence | Lease:
        """Answer a message, and fail where that differs from what is made anew; record it, as the server does."""
        arrival = Arrival(
            links=LINKS[where],
            source=source,
            pxe_port=pxe_port,
            own_frame=own,
            server_port=67,
            client_port=68,
        )
        for state in self.states.values():
            state.next_turn()
        found = self.answers.respond(data, arrival, where)
        assert timeless(found) == timeless(respond(data, arrival, self._decided, lambda _: self.allowed))
        if isinstance(found, Reply):
            journal = self._facing(found.decision.case.sighting).journal
            journal.served(found.decision, Stage.DISCOVER, found.boot_file)
        return found

    def allow(self, *, allowed: bool) -> None:
        """Serve other networks, as ``DhcpServer.serve`` does."""
        self.allowed = allowed
        self.answers.clear()

    def edit(self, mac: str, edit: Callable[[Machine], Machine]) -> None:
        if machine := self.inventory.snapshot.machine(mac):
            self.inventory._memory.put(edit(machine))

    def apply(self, fleet: Fleet) -> None:
        for booter in (self.booters.real, self.booters.simulated):
            booter.applied.fleet = fleet

    def forget(self, mac: str) -> None:
        if machine := self.machine(mac):
            self.inventory._memory.remove(machine.id)

    def machine(self, mac: str) -> Machine | None:
        return self.inventory.snapshot.machine(mac)

    def _decide(self, sighting: Sighting) -> Decision:
        self.made += 1
        return self._decided(sighting)

    def _decided(self, sighting: Sighting) -> Decision:
        return self._facing(sighting).decide(sighting)

    def _facing(self, sighting: Sighting) -> Booter:
        return self.booters.facing(simulated=sighting.simulated)


def timeless(result: Reply | Silence | Lease) -> Reply | Silence | Lease:
    """Leave out when the machine was seen, which decides nothing."""
    if isinstance(result, Reply) and (machine := result.decision.case.machine):
        case = replace(result.decision.case, machine=machine.seen_at(machine.first_seen))
        return replace(result, decision=replace(result.decision, case=case))
    return result


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return made_in(tmp_path)


def made_in(directory: Path) -> Bench:
    bench = Bench(Inventory(f"sqlite:///{directory}/inventory.db"), AssetStore(directory))
    bench.store.ready = READY
    return bench


def with_own(data: bytes, xid: int, secs: int, flags: int) -> bytes:
    return data[:4] + xid.to_bytes(4) + secs.to_bytes(2) + flags.to_bytes(2) + data[12:]


@pytest.mark.parametrize("data", MESSAGES)
def test_a_repeated_message_gets_the_earlier_answer_with_its_own_transaction(
    bench: Bench, data: bytes
) -> None:
    bench.apply(FLEETS[2])
    for number in range(4):
        reply = bench.ask(with_own(data, number, number, number % 2 << 15))
    if isinstance(reply, Reply):
        assert (decode(reply.data).xid, decode(reply.data).secs) == (3, 3)
        is_pi = decode(data).mac == decode(encode(PI)).mac
        assert bench.made == (4 if is_pi else 2), "first of a new machine, then of a known one"


def test_what_others_say_in_a_machines_name_is_answered_for_itself(bench: Bench) -> None:
    bench.apply(FLEETS[2])
    data = CAPTURED[0]
    for _ in range(3):
        bench.ask(data)
    made = bench.made
    bench.ask(data, own=False)
    bench.ask(data, source=ROUTED)
    bench.ask(data, where="eth1")
    assert bench.made == made + 3
    bench.ask(data)
    assert bench.made == made + 3, "the machine's own answer is untouched"


def test_invented_machines_take_no_place(bench: Bench) -> None:
    for number in range(10):
        for _ in range(3):
            bench.ask(encode(discover(7, mac=f"02:00:00:00:00:{number:02x}")))
    assert len(bench.answers._known) == 0


def test_no_earlier_fleet_stays_in_memory(bench: Bench) -> None:
    fleets = [listing("intent: local\n") for _ in range(3)]
    gone = [weakref.ref(fleet) for fleet in fleets[:2]]
    for data in (CAPTURED[0], encode(discover(7))):
        bench.apply(fleets.pop(0))
        for _ in range(3):
            assert isinstance(bench.ask(data), Reply)
    bench.apply(fleets.pop(0))
    assert gone[0]() is None
    bench.ask(CAPTURED[0])
    assert gone[1]() is None


def test_no_answer_names_an_address_that_the_interface_had(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.apply(FLEETS[2])
    for _ in range(3):
        bench.ask(CAPTURED[0])
    monkeypatch.setitem(LINKS, "eth0", Links(IPv4Address("10.77.0.3"), 8080))
    bench.answers.clear()
    new, former = LINKS["eth0"], Links(IPv4Address("10.77.0.2"), 8080)
    for links in (former, new):  # the first one's message waited for its turn
        monkeypatch.setitem(LINKS, "eth0", links)
        reply = bench.ask(CAPTURED[0])
        assert isinstance(reply, Reply)
        assert decode(reply.data).siaddr == links.address


def test_an_answer_is_known_by_what_it_was_decided_by(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.apply(FLEETS[2])
    data = encode(discover(7))
    bench.ask(data)
    bench.store.ready = READY - {"ipxe/snponly.efi"}
    with monkeypatch.context() as turn:  # which looked that up before it changed
        turn.setattr(bench.states[False], "next_turn", lambda: None)
        bench.ask(data)
    bench.store.ready = READY
    assert isinstance(bench.ask(data), Reply)


def test_a_long_message_is_answered_and_not_remembered(bench: Bench) -> None:
    long = CAPTURED[0].ljust(2000, b"\0")
    for _ in range(3):
        assert isinstance(bench.ask(long), Reply)
    assert bench.made == 3


def test_machines_whose_time_passes_are_decided_about_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.apply(FLEETS[2])
    now = memory.wall_clock()
    for minutes in range(5):
        monkeypatch.setattr(inventory_module, "wall_clock", lambda at=minutes: now + timedelta(minutes=at))
        assert isinstance(bench.ask(CAPTURED[0]), Reply)
    assert bench.made == 2


MAC = st.sampled_from(MACS)
PLACE = Assignment(name="arda-01", layer="arda", role=Role.WORKER, rule="rule 1", at=memory.wall_clock())
CHANGES: st.SearchStrategy[Callable[[Bench], object]] = st.one_of(
    st.sampled_from(FLEETS).map(lambda fleet: lambda bench: bench.apply(fleet)),
    st.builds(
        lambda mac, intent: (
            lambda bench: bench.edit(mac, lambda one: replace(one, directive=Directive(intent, "anna")))
        ),
        MAC,
        st.sampled_from(Intent),
    ),
    MAC.map(lambda mac: lambda bench: bench.edit(mac, lambda one: replace(one, assignment=PLACE))),
    MAC.map(lambda mac: lambda bench: bench.edit(mac, lambda one: replace(one, conflict="two at once"))),
    st.builds(
        lambda mac, phase: lambda bench: bench.edit(mac, lambda one: replace(one, phase=phase)),
        MAC,
        st.sampled_from(Phase),
    ),
    st.builds(
        lambda mac, other: (
            lambda bench: bench.edit(mac, lambda one: replace(one, apart=(other,), serial="S1"))
        ),
        MAC,
        MAC,
    ),
    MAC.map(lambda mac: lambda bench: bench.forget(mac)),
    st.sampled_from([READY, READY - {"ipxe/snponly.efi"}, frozenset[str]()]).map(
        lambda ready: lambda bench: setattr(bench.store, "ready", ready)
    ),
    st.sampled_from([COMING, {}]).map(lambda coming: lambda bench: setattr(bench, "coming", coming)),
    st.sampled_from([{}, {"ipxe": "a link out"}]).map(
        lambda links: lambda bench: setattr(bench.store, "links", links)
    ),
    st.sampled_from([0.0, 60.0]).map(
        lambda seconds: lambda bench: bench.inventory.window.open(seconds, "anna")
    ),
    st.booleans().map(lambda allowed: lambda bench: bench.allow(allowed=allowed)),
)
ASKS = st.builds(
    lambda data, own, *how: lambda bench: bench.ask(with_own(data, *own), how[0], how[1], own=how[2]),
    st.sampled_from(MESSAGES),
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1), st.integers(0, 2**16 - 1)),
    st.sampled_from(sorted(LINKS)),
    st.sampled_from([NOBODY, ROUTED, RELAY]),
    st.booleans(),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(ASKS, ASKS, CHANGES), max_size=8))
def test_whatever_changes_the_answer_is_what_is_made_anew(
    tmp_path: Path, steps: Sequence[tuple[Callable[[Bench], object], ...]]
) -> None:
    bench = made_in(tmp_path)
    for ask, other, change in steps:
        for do in (ask, ask, other, ask, change, ask):
            do(bench)
