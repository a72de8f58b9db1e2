"""How a machine leaves its cluster whose file has left the fleet, and when it stays."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import pytest
from support.fleets import fleet_of
from support.machines import machine_of, snapshot_of

from iluvatar_pxe.dns.members import Member
from iluvatar_pxe.layers.arda.api.model import EtcdMember
from iluvatar_pxe.layers.arda.founding import Answered, Found
from iluvatar_pxe.layers.arda.removal import Act, Etcd, Leaver, next_act, way_back
from iluvatar_pxe.layers.founding import Unproved
from iluvatar_pxe.layers.leaving import Hold, unlisted
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Assignment, Phase, Role
from iluvatar_pxe.values import replace

WORKER = Leaver(name="w1", runs=True)
GONE = replace(WORKER, runs=False, is_lost=True)
PLANE = replace(WORKER, name="a", member=1)


def etcd(healthy: str, members: str = "123", staying: str = "23") -> Etcd:
    """Return etcd with members by their digits; the machine that leaves has 1."""
    listed, well, stays = (frozenset(map(int, one)) for one in (members, healthy, staying))
    return Etcd(listed, well, stays & well)


@pytest.mark.parametrize(
    ("one", "state", "act"),
    [
        (WORKER, etcd("123"), Act.DRAIN),
        (replace(WORKER, is_drained=True), etcd("123"), Act.SHUT_DOWN),
        (replace(WORKER, is_node=False), etcd("123"), Act.SHUT_DOWN),  # it was switched on again
        (GONE, etcd("123"), Act.DELETE_NODE),
        (replace(GONE, is_node=False), etcd("123"), None),
        (PLANE, etcd("123"), Act.DRAIN),
        (replace(PLANE, is_drained=True), etcd("123"), Act.LEAVE_ETCD),
        (replace(PLANE, is_drained=True, is_node=False), etcd("12", "12"), Act.LEAVE_ETCD),
        (replace(PLANE, is_drained=True, member=None), etcd("23", "23"), Act.SHUT_DOWN),
        (replace(GONE, member=1), etcd("23"), Act.REMOVE_MEMBER),
        (replace(GONE, member=1, is_node=False), etcd("23"), Act.REMOVE_MEMBER),
        (replace(WORKER, is_drained=True, last_replicas=("a",)), etcd("123"), Act.SHUT_DOWN),
    ],
)
def test_it_is_done(one: Leaver, state: Etcd, act: Act | None) -> None:
    assert next_act(one, state) == act


@pytest.mark.parametrize(
    ("one", "state", "why"),
    [
        (replace(GONE, is_lost=False), etcd("123"), "it may be restarting"),
        (replace(WORKER, is_due=False), etcd("123"), "unless the file is back by then"),
        (replace(WORKER, waits_for="w2"), etcd("123"), "w2 is changed first"),
        (replace(WORKER, is_namesake=True), etcd("123"), "machines/w1.yaml lists another machine by now"),
        (replace(WORKER, is_going_down=True), etcd("123"), "it shuts down"),
        (replace(WORKER, last_replicas=("a", "b")), etcd("123"), "last healthy replica of Longhorn's volumes a, b"),
        (PLANE, etcd("1", "1", ""), "no control plane that the fleet lists has a healthy etcd"),
        (WORKER, etcd("1", "1", ""), "no control plane that the fleet lists has a healthy etcd"),
        (PLANE, etcd("123", staying=""), "no control plane that the fleet lists has a healthy etcd"),
        (PLANE, etcd("12"), "1 healthy members would be left of etcd's 3"),
        (replace(GONE, member=1), etcd("2"), "1 healthy members would be left of etcd's 3"),
        (PLANE, etcd("1234", "12345", "234"), None),
        (replace(GONE, member=1), etcd("23", "1234"), "2 healthy members would be left of etcd's 4"),
    ],
)  # fmt: skip
def test_it_is_held(one: Leaver, state: Etcd, why: str | None) -> None:
    act = next_act(one, state)
    if why is None:
        assert not isinstance(act, Hold)
    else:
        assert isinstance(act, Hold)
        assert why in act.why


MEMBER = EtcdMember(1, "a", (), (), is_learner=False)


@pytest.mark.parametrize(
    ("said", "way"),
    [
        (Answered(etcd="Running", members=(MEMBER,)), None),
        (Answered(etcd="Running", members=(replace(MEMBER, is_learner=True),)), Hold("its etcd joins again")),
        (Answered(etcd="Preparing"), Hold("its etcd joins again")),
        (Answered(etcd="Finished"), Act.RESTART),
        (Unproved("10.0.0.1: no answer"), Hold("10.0.0.1: no answer")),
    ],
)
def test_a_control_plane_whose_file_is_back_joins_etcd_again(said: Found, way: Act | Hold | None) -> None:
    assert way_back("a", said, is_restarting=False) == way


def test_it_is_restarted_once() -> None:
    assert way_back("a", Answered(etcd="Finished"), is_restarting=True) == Hold("it restarts")


def gone(number: int, **fields: object) -> Machine:
    known = {"phase": Phase.JOINED, "address": IPv4Address("10.0.0.9"), **fields}
    return machine_of(f"52:54:00:00:00:{number:02x}", **known)


def test_only_an_installed_machine_without_a_place_has_left() -> None:
    fleet = fleet_of(("listed", "52:54:00:00:00:01", "layer: arda\nrole: worker\n"))
    given = Assignment(name="a", layer="arda", role=Role.WORKER, rule="", at=datetime.now(UTC))
    elsewhere = IPv4Address("10.0.0.8")
    members = (Member("listed", elsewhere, "arda"),)

    def left(*machines: Machine) -> list[str]:
        return [one.macs[0][-2:] for one in unlisted(snapshot_of(*machines), fleet, members)]

    assert left(gone(2)) == left(gone(2, phase=Phase.INSTALLED)) == ["02"]
    assert left(gone(1)) == []
    assert left(gone(2, assignment=given)) == []
    assert left(gone(2, phase=Phase.BOOTING)) == []
    assert left(gone(2, address=None)) == left(gone(2, address=elsewhere)) == []
    later = gone(3, phase=Phase.BOOTING)
    assert left(gone(2), replace(later, last_seen=later.last_seen + timedelta(days=1))) == []
