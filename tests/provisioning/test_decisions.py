"""What was decided is remembered until anything that it was decided from is another."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from uuid import UUID

import pytest
from support.fleets import READY, fleet_of

from iluvatar_pxe.boot.basis import Basis
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.decide import Decision, decide
from iluvatar_pxe.boot.plan import AssignFirst, Hold, RunScript
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.nics import machine_with
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment, Directive, Intent, Role
from iluvatar_pxe.provisioning.decisions import MOST_DECISIONS, Decisions
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch, Platform

MAC, OTHER = "52:54:00:77:00:01", "52:54:00:77:00:02"
MACHINE = Machine(
    id=UUID(int=1),
    macs=(MAC,),
    generation=1,
    reached=Stage.SCRIPT,
    furthest=Stage.SCRIPT,
    first_seen=datetime(2026, 11, 30, tzinfo=UTC),
    last_seen=datetime(2026, 11, 30, tzinfo=UTC),
    firmware=Firmware.UEFI_PXE,
    assignment=Assignment(
        name="one",
        layer="arda",
        role=Role.WORKER,
        rule="machines/one.yaml",
        at=datetime(2026, 11, 30, tzinfo=UTC),
    ),
)
ONE = ("one", MAC, "layer: arda\nrole: worker\nconfig: configs/one.yaml\n")
FLEET = fleet_of(ONE, ("two", OTHER, "intent: local\n"))
SNAPSHOT, CONTEXT = Snapshot.of([MACHINE]), Context(ready=READY)
SIGHTING = Sighting(
    mac=MAC, firmware=Firmware.IPXE, macs=(MAC,), arch=CpuArch.X86_64, platform=Platform.UEFI, neighbour=MAC
)


@dataclass(frozen=True)
class Asked:
    sighting: Sighting = SIGHTING
    snapshot: Snapshot = SNAPSHOT
    fleet: Fleet = FLEET
    context: Context = CONTEXT

    def of(self, decisions: Decisions) -> Decision:
        machine = machine_with(self.sighting.mac, self.snapshot, self.fleet)
        return decisions.decide(self.sighting, self.snapshot, Basis(machine, self.fleet, self.context))

    def anew(self) -> Decision:
        return decide(self.sighting, self.snapshot, self.fleet, self.context)


FIRST = Asked()


def with_machine(**changes: object) -> Asked:
    return replace(FIRST, snapshot=FIRST.snapshot.with_machine(replace(MACHINE, **changes)))  # type: ignore[arg-type]


def test_the_same_question_is_decided_once() -> None:
    decisions = Decisions()
    first = FIRST.of(decisions)
    assert isinstance(first.plan, RunScript)
    again = replace(FIRST, sighting=replace(SIGHTING), context=replace(FIRST.context))
    assert again.of(decisions) is first


@pytest.mark.parametrize(
    ("then", "plan"),
    [
        pytest.param(with_machine(directive=Directive(intent=Intent.HOLD)), Hold, id="held by a command"),
        pytest.param(with_machine(conflict="two machines"), Hold, id="in doubt"),
        pytest.param(with_machine(last_seen=MACHINE.last_seen + timedelta(1)), RunScript, id="seen later"),
        pytest.param(replace(FIRST, snapshot=Snapshot()), AssignFirst, id="forgotten"),
        pytest.param(replace(FIRST, fleet=fleet_of(("one", MAC, "intent: hold\n"))), Hold, id="pushed"),
        pytest.param(replace(FIRST, fleet=fleet_of(ONE)), RunScript, id="pushed alike"),
        pytest.param(replace(FIRST, context=Context()), Hold, id="without its files"),
        pytest.param(replace(FIRST, context=Context(ready=READY, doubt="why")), Hold, id="not itself"),
        pytest.param(replace(FIRST, sighting=replace(SIGHTING, arch=CpuArch.ARM64)), Hold, id="other words"),
        pytest.param(
            replace(FIRST, sighting=replace(SIGHTING, address=IPv4Address("10.77.0.9"))),
            RunScript,
            id="another address",
        ),
    ],
)
def test_whatever_is_another_is_decided_anew(then: Asked, plan: type) -> None:
    decisions = Decisions()
    first = FIRST.of(decisions)
    second = then.of(decisions)
    assert second is not first
    assert second == then.anew()
    assert isinstance(second.plan, plan)
    assert FIRST.of(decisions) == first


def test_a_raspberry_pi_is_decided_by_the_others_too() -> None:
    pi = replace(
        FIRST, sighting=replace(SIGHTING, firmware=Firmware.RASPBERRY_PI, macs=(), serial="10000000abcdef01")
    )
    decisions = Decisions()
    first = pi.of(decisions)
    elder = replace(
        MACHINE,
        id=UUID(int=2),
        macs=(OTHER,),
        serial=pi.sighting.serial,
        first_seen=MACHINE.first_seen - timedelta(1),
        directive=Directive(),
    )
    crowded = replace(pi, snapshot=pi.snapshot.with_machine(elder))
    assert crowded.of(decisions) == crowded.anew()
    assert first == pi.anew()


def test_the_memory_has_an_end_and_none_of_another_fleet() -> None:
    decisions = Decisions()
    for number in range(MOST_DECISIONS + 1):
        mac = f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
        replace(FIRST, sighting=Sighting(mac=mac, firmware=Firmware.IPXE)).of(decisions)
    assert len(decisions) == MOST_DECISIONS
    replace(FIRST, fleet=Fleet()).of(decisions)
    assert len(decisions) == 1
