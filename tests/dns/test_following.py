"""Members and zones that follow a fleet are those that would be made of it from the beginning."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Interface

from support.fleets import fleet_of
from support.machines import machine_of

from iluvatar_pxe.dns.fleet_zones import Facts, Places, places_of, zones_of
from iluvatar_pxe.dns.members import MemberList, members_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.states import Assignment, Phase, Role

HERE = IPv4Address("10.0.0.2")
OWN = (IPv4Interface("10.0.0.2/28"), IPv4Interface("10.0.0.3/8"))
START = datetime(2026, 1, 1, tzinfo=UTC)
MACS = [f"52:54:00:00:00:{number:02x}" for number in range(12)]
FILES = [
    ("nas", MACS[0], "chain: hold\n"),
    ("box", MACS[1], "chain: hold\naddress: 10.0.0.5\n"),
    ("arda-2", MACS[2], "chain: talos\nconfig: configs/one.yaml\n"),
]
FLEETS = (
    fleet_of(*FILES, fleet="domain: lab.home.arpa\n"),
    fleet_of(*FILES, fleet="domain: a.lab.home.arpa\n"),
    fleet_of(FILES[0], ("box", MACS[3], "chain: hold\n"), fleet="domain: lab.home.arpa\n"),
)


def changed(chance: random.Random, snapshot: Snapshot, step: int) -> Snapshot:
    """Return it with one machine that is new, another, or gone."""
    known = {machine.macs[0]: machine for machine in snapshot.by_id.values()}
    mac = chance.choice(MACS)
    if mac in known and chance.random() < 0.3:
        return snapshot.without(known[mac].id)
    role = chance.choice([Role.CONTROLPLANE, Role.WORKER])
    name = f"arda-{chance.randrange(5)}"
    given = Assignment(name=name, layer="arda", role=role, rule="rule 1", at=START)
    machine: Machine = machine_of(
        mac,
        assignment=chance.choice([None, given]),
        address=chance.choice([None, IPv4Address(f"10.0.0.{chance.randrange(4, 10)}")]),
        phase=chance.choice([Phase.JOINED, Phase.INSTALLING]),
        last_seen=START + timedelta(seconds=step),
    )
    return snapshot.with_machine(machine)


def history(seed: int) -> Iterator[tuple[Snapshot, Fleet]]:
    chance = random.Random(seed)
    snapshot = Snapshot()
    for step in range(60):
        snapshot = changed(chance, snapshot, step)
        yield snapshot, FLEETS[0] if chance.random() < 0.8 else chance.choice(FLEETS)


def test_who_follows_knows_what_one_knows_who_begins() -> None:
    for seed in range(8):
        followed = MemberList()
        places: Places = {}
        for snapshot, fleet in history(seed):
            members = followed.of(snapshot, fleet)
            assert members == members_of(snapshot, fleet)
            facts = Facts(fleet, members, frozenset(), OWN)
            places = places_of(facts, places)
            assert zones_of(facts, 1, HERE, places) == zones_of(facts, 1, HERE)


def test_a_member_of_whom_nothing_has_changed_is_not_made_again() -> None:
    machines = [machine_of(mac, address=IPv4Address(f"10.0.0.{4 + n}")) for n, mac in enumerate(MACS[:3])]
    followed, snapshot = MemberList(), Snapshot.of(machines)
    before = followed.of(snapshot, FLEETS[0])
    other = machine_of(MACS[0], address=IPv4Address("10.0.0.9"))
    after = followed.of(snapshot.with_machine(other), FLEETS[0])
    assert [one.name for one, two in zip(before, after, strict=True) if one is not two] == ["nas"]
    places = places_of(Facts(FLEETS[0], before), {})
    again = places_of(Facts(FLEETS[0], after), places)
    assert len(places.keys() & again.keys()) == 2
    assert all(again[number] is places[number] for number in places.keys() & again.keys())


def test_another_domain_gives_every_member_another_place() -> None:
    members = members_of(Snapshot(), FLEETS[0])
    places = places_of(Facts(FLEETS[0], members), {})
    moved = places_of(Facts(FLEETS[1], members), places)
    assert all(place.name.endswith(b"\1a\3lab\4home\4arpa\0") for place in moved.values())
