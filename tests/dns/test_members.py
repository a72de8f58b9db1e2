"""Which machines have names, and which addresses."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import Any

import pytest
from support.fleets import fleet_of
from support.machines import machine_of, snapshot_of

from iluvatar_pxe.dns.members import Member, awaited, control_planes, leaders, members_of
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Assignment, Directive, Intent, Phase, Role
from iluvatar_pxe.values import replace

ONE, TWO = "52:54:00:00:00:01", "52:54:00:00:00:02"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ADDRESS, OTHER = IPv4Address("192.168.1.20"), IPv4Address("192.168.1.21")


def known(mac: str, name: str = "", role: Role = Role.WORKER, **fields: Any) -> Machine:
    given = Assignment(name=name, layer="arda", role=role, rule="", at=NOW) if name else None
    return machine_of(mac, assignment=given, **{"address": ADDRESS} | fields)


def members(*machines: Machine, files: tuple[tuple[str, str, str], ...] = ()) -> list[Member]:
    return list(members_of(snapshot_of(*machines), fleet_of(*files)))


def test_a_machine_that_was_given_a_name_has_it_at_the_address_where_it_was_seen() -> None:
    assert members(known(ONE, "arda-01")) == [Member("arda-01", ADDRESS, "arda")]


def test_a_machine_without_a_name_is_not_told() -> None:
    assert members(known(ONE)) == []


@pytest.mark.parametrize(
    ("lines", "seen", "address"),
    [
        ("address: 192.168.1.99\n", ADDRESS, "192.168.1.99"),
        ("", ADDRESS, "192.168.1.20"),
        ("seen: {address: 192.168.1.77}\n", None, "192.168.1.77"),
        ("seen: {address: 192.168.1.77}\n", ADDRESS, "192.168.1.20"),
        ("", None, None),
    ],
)
def test_the_address_that_is_fixed_goes_before_the_last_seen(
    lines: str, seen: Any, address: str | None
) -> None:
    files = (("arda-09", ONE, f"intent: local\n{lines}"),)
    (member,) = members(known(ONE, "arda-01", address=seen), files=files)
    assert (member.name, member.address) == ("arda-09", IPv4Address(address) if address else None)


def test_a_listed_machine_that_was_never_seen_has_its_fixed_address() -> None:
    files = (("nas", ONE, "intent: local\naddress: 192.168.1.99\n"),)
    assert [(one.name, str(one.address)) for one in members(files=files)] == [("nas", "192.168.1.99")]


def test_where_fleet_and_inventory_give_one_name_to_two_machines_the_fleet_is_right() -> None:
    files = (("arda-01", TWO, "intent: local\naddress: 192.168.1.99\n"),)
    assert [(one.name, str(one.address)) for one in members(known(ONE, "arda-01"), files=files)] == [
        ("arda-01", "192.168.1.99")
    ]


def test_of_two_that_were_seen_at_one_address_the_later_one_has_it() -> None:
    old = known(ONE, "arda-01")
    new = known(TWO, "arda-02", last_seen=NOW + timedelta(hours=1))
    assert [one.address for one in members(old, new)] == [None, ADDRESS]
    assert [one.address for one in members(replace(old, last_seen=NOW + timedelta(hours=2)), new)] == [
        ADDRESS,
        None,
    ]


def test_a_fixed_address_is_nobody_elses() -> None:
    files = (("arda-01", ONE, "intent: local\naddress: 192.168.1.20\n"),)
    newer = known(TWO, "arda-02", last_seen=NOW + timedelta(hours=1))
    assert [one.address for one in members(newer, files=files)] == [ADDRESS, None]


@pytest.mark.parametrize(
    ("role", "phase", "leads"),
    [
        (Role.CONTROLPLANE, Phase.JOINED, True),
        (Role.CONTROLPLANE, Phase.INSTALLING, False),
        (Role.WORKER, Phase.JOINED, False),
    ],
)
def test_leaders_are_control_planes_that_have_joined(role: Role, phase: Phase, leads: bool) -> None:  # noqa: FBT001
    found = members(known(ONE, "arda-01", role, phase=phase))
    assert bool(leaders(found, "arda")) == leads
    assert leaders(found, "ainur") == ()
    assert bool(awaited(found, "arda")) == (role is Role.CONTROLPLANE and not leads)
    assert awaited(found, "ainur") == ()
    assert bool(control_planes(found, "arda")) == (role is Role.CONTROLPLANE)


def test_a_control_plane_that_was_never_seen_is_awaited_where_its_file_says() -> None:
    (member,) = members(files=(("arda-01", ONE, "role: controlplane\naddress: 192.168.1.50\n"),))
    assert [str(one.address) for one in awaited([member], "arda")] == ["192.168.1.50"]


def test_a_leader_that_a_file_lists_is_one_by_the_files_role() -> None:
    files = (("arda-01", ONE, "role: controlplane\nchain: talos\nconfig: configs/one.yaml\n"),)
    (member,) = members(known(ONE, phase=Phase.JOINED), files=files)
    assert member.leads


@pytest.mark.parametrize("directive", [Directive(), Directive(Intent.REINSTALL)])
@pytest.mark.parametrize("role", [Role.CONTROLPLANE, Role.WORKER])
def test_a_machine_leads_in_the_role_that_it_joined_with(role: Role, directive: Directive) -> None:
    """Whatever its file says since: that holds from its next installation on."""
    wanted = Role.WORKER if role is Role.CONTROLPLANE else Role.CONTROLPLANE
    files = (("arda-01", ONE, f"role: {wanted}\nchain: talos\nconfig: configs/one.yaml\n"),)
    (member,) = members(known(ONE, "arda-01", role, phase=Phase.JOINED, directive=directive), files=files)
    assert member.leads == role.leads


def test_a_leader_without_an_address_cannot_be_named() -> None:
    assert (
        leaders(members(known(ONE, "a", Role.CONTROLPLANE, phase=Phase.JOINED, address=None)), "arda") == ()
    )
