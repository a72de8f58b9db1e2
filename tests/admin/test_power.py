"""Whose power is meant, what is refused, and what is said of it."""

import asyncio
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import cast

import pytest
from admin.samples import FREE, LISTED, OTHER, Counter
from support.fleets import fleet_of
from support.power import power_with

from iluvatar_pxe.admin.machines import Reinstall
from iluvatar_pxe.admin.power import SwitchPower, Wake
from iluvatar_pxe.admin.power_target import power_target
from iluvatar_pxe.errors import KubernetesError, OperationError, UnknownMachineError
from iluvatar_pxe.fleet.models import ListedMachine
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Intent
from iluvatar_pxe.power.action import Action
from iluvatar_pxe.provisioning.outage import Outage
from iluvatar_pxe.values import replace


def test_a_machine_has_the_macs_of_its_file_and_those_that_are_in_no_doubt(counter: Counter) -> None:
    snapshot = counter.inventory.snapshot
    machine = replace(
        counter.machine(FREE), macs=(FREE, OTHER), unsure=(OTHER,), claimed=("52:54:00:00:00:09",)
    )
    assert power_target(FREE, snapshot.with_machine(machine), counter.fleet).macs == (FREE,)
    listed = fleet_of(("big", OTHER, ""))
    assert power_target(FREE, snapshot.with_machine(machine), listed).macs == (OTHER, FREE)


def test_one_that_only_a_file_lists_has_what_that_says(counter: Counter) -> None:
    fleet = fleet_of(("new", "52:54:00:00:00:09", "address: 192.168.1.20\n"))
    target = power_target("New", counter.inventory.snapshot, fleet)
    assert (target.name, target.macs, target.machine) == ("new", ("52:54:00:00:00:09",), None)
    assert target.address == IPv4Address("192.168.1.20")
    with pytest.raises(UnknownMachineError, match="no machine has this name"):
        power_target("newer", counter.inventory.snapshot, fleet)


async def test_who_it_is_has_to_be_clear_and_a_daemon_has_to_run(counter: Counter) -> None:
    with pytest.raises(OperationError, match="no daemon is running"):
        await counter.ask(Wake(machine=LISTED))
    await counter.edit(FREE, conflict="two at once")
    with pytest.raises(OperationError, match="two at once; first: iluvatar-pxe machines release"):
        await counter.ask(Wake(machine=FREE))


@dataclass(frozen=True)
class Cluster:
    """A stand-in for clusters that are asked: what they lose, or why they do not tell."""

    loses: str = ""
    trouble: str = ""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def harm(self, _: Machine) -> str:
        if self.trouble:
            raise KubernetesError(self.trouble)
        return self.loses

    async def harm_unseen(self, listed: ListedMachine) -> str:
        return f"{listed.name} was asked about"


class Plug:
    """A program that switches the machine ``free``, and a daemon that has it."""

    def __init__(self, counter: Counter, directory: Path) -> None:
        self._told = directory / "told"
        self._counter = counter
        program = directory / "plug"
        program.write_text(f"#!/bin/sh\necho $1 >>{self._told}; echo off\n")
        program.chmod(0o755)
        directory.chmod(0o755)
        lines = "role: worker\npower: {command: {program: plug}}\n"
        counter.fleet = fleet_of(("free", FREE, lines), ("other", OTHER, "role: worker\n"))
        counter.context = replace(counter.context, power=power_with({}, directory))
        self.in_cluster(Cluster())

    def in_cluster(self, cluster: Cluster) -> None:
        self._counter.context = replace(self._counter.context, outage=cast("Outage", cluster))

    @property
    def told(self) -> list[str]:
        return self._told.read_text().split() if self._told.exists() else []


@pytest.fixture
def plug(counter: Counter, tmp_path: Path) -> Plug:
    return Plug(counter, tmp_path)


async def test_a_machine_is_switched_by_what_its_file_names(counter: Counter, plug: Plug) -> None:
    answer = await counter.ask(SwitchPower(machine="free", action=Action.OFF))
    assert answer == {"message": "free is switched off", "power": None}
    answer = await counter.ask(SwitchPower(machine=FREE, action=Action.STATUS))
    assert answer == {"message": "free is off", "power": "off"}
    assert plug.told == ["off", "status"]
    with pytest.raises(OperationError, match=r"nothing says what switches .* in machines/other\.yaml"):
        await counter.ask(SwitchPower(machine="other", action=Action.ON))


@pytest.mark.parametrize(
    ("cluster", "why"),
    [
        (Cluster(loses="etcd stops"), "^free: etcd stops; mend the others first, or add --force$"),
        (Cluster(trouble="nobody answers"), "^free: what its cluster loses cannot be told: nobody answers; "),
    ],
)
async def test_what_harms_a_cluster_needs_force(
    counter: Counter, plug: Plug, cluster: Cluster, why: str
) -> None:
    plug.in_cluster(cluster)
    for action in (Action.OFF, Action.CYCLE):
        with pytest.raises(OperationError, match=why):
            await counter.ask(SwitchPower(machine="free", action=action))
    assert plug.told == []
    await counter.ask(SwitchPower(machine="free", action=Action.ON))
    await counter.ask(SwitchPower(machine="free", action=Action.CYCLE, force=True))
    assert plug.told == ["on", "cycle"]


async def test_a_cluster_is_asked_about_a_machine_that_only_a_file_lists(
    counter: Counter, plug: Plug
) -> None:
    lines = "role: controlplane\npower: {command: {program: plug}}\n"
    counter.fleet = fleet_of(("new", "52:54:00:00:00:09", lines))
    with pytest.raises(OperationError, match=r"^new: new was asked about; mend the others first"):
        await counter.ask(SwitchPower(machine="new", action=Action.OFF))
    assert plug.told == []


async def test_of_two_control_planes_at_once_the_second_is_asked_about_without_the_first(
    counter: Counter, plug: Plug
) -> None:
    class Pair(Cluster):
        async def harm(self, _: Machine) -> str:
            return "etcd stops" if plug.told else ""

    plug.in_cluster(Pair())
    lines = "role: controlplane\npower: {command: {program: plug}}\n"
    counter.fleet = fleet_of(("free", FREE, lines), ("other", OTHER, lines))
    asked = (counter.ask(SwitchPower(machine=name, action=Action.OFF)) for name in ("free", "other"))
    first, second = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(first, dict)
    assert str(second) == "other: etcd stops; mend the others first, or add --force"
    assert plug.told == ["off"]


async def test_a_machine_that_is_reinstalled_is_cycled_if_asked(counter: Counter, plug: Plug) -> None:
    await counter.ask(Reinstall(machine="free"))
    assert plug.told == []
    answer = await counter.ask(Reinstall(machine="free", cycle=True))
    assert answer["message"].endswith("is reinstalled at its next boot; it is switched off and on again now")
    assert plug.told == ["cycle"]


async def test_one_that_cannot_be_started_is_reinstalled_anyhow(counter: Counter, plug: Plug) -> None:
    with pytest.raises(OperationError, match="nothing says what switches its power"):
        await counter.ask(Reinstall(machine="other", cycle=True))
    assert counter.machine(OTHER).directive.intent is Intent.BOOT
    answer = await counter.ask(Reinstall(machine="other", wake=True))
    assert "; but it has to be started by hand: no interface with an IPv4 address" in answer["message"]
    assert counter.machine(OTHER).directive.intent is Intent.REINSTALL
    assert plug.told == []
