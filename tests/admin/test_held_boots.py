"""Which boots are held: the same words from what is kept as from a look at everything."""

from datetime import timedelta

from support.fleets import CONFIGURED, KERNEL, READY, fleet_of
from support.machines import machine_of

from iluvatar_pxe.admin.held_boots import HeldBoots
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.preview.next_boot import Holders
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Assignment, Directive, Intent, Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch

ONE, OTHER, THIRD = (
    machine_of(f"52:54:00:00:00:{number:02x}", arch=CpuArch.X86_64) for number in range(1, 4)
)
RULES = "rules: [{match: {arch: x86_64}, layer: arda}]\n"
FLEET = fleet_of(fleet=RULES)
OPEN = Context(ready=READY, window_open=True)
CLOSED = replace(OPEN, window_open=False)


def place(name: str, machine: Machine) -> Assignment:
    return Assignment(name=name, layer="arda", role=Role.CONTROLPLANE, rule="rule 1", at=machine.first_seen)


def test_what_is_kept_says_what_a_new_look_says() -> None:
    held = replace(ONE, directive=Directive(Intent.HOLD, "root", "fan"))
    later = replace(OTHER, last_seen=OTHER.last_seen + timedelta(hours=1))
    pi = replace(THIRD, firmware=Firmware.RASPBERRY_PI, serial="10000000abcdef01")
    bare = fleet_of(fleet="")
    states: tuple[tuple[list[Machine], Fleet, Context], ...] = (
        ([ONE, OTHER], FLEET, OPEN),
        ([held, OTHER], FLEET, OPEN),
        ([held, later], FLEET, OPEN),
        ([held, later], FLEET, CLOSED),
        ([ONE, later, pi], bare, CLOSED),
        ([ONE, later], FLEET, replace(OPEN, ready=READY - {KERNEL})),
        ([replace(ONE, conflict="two at once")], FLEET, OPEN),
    )
    kept = HeldBoots()
    seen = [words(kept, *state) for state in states]
    assert seen == [words(HeldBoots(), *state) for state in states]
    assert [len(one) for one in seen] == [0, 1, 1, 2, 3, 2, 1]


def test_a_place_that_was_given_to_one_is_weighed_for_all() -> None:
    listed = ((f"m{one.macs[0][-1]}", one.macs[0], "") for one in (ONE, OTHER))
    fleet = fleet_of(*listed, arda=CONFIGURED)
    arda = fleet.layers["arda"].model_copy(
        update={"config": {Role.CONTROLPLANE: "configs/controlplane.yaml"}}
    )
    leaders = replace(fleet, layers={"arda": arda})
    kept, given = HeldBoots(), replace(ONE, assignment=place("m1", ONE))
    assert words(kept, [ONE, OTHER], leaders, OPEN) == {}
    (why,) = words(kept, [given, OTHER], leaders, OPEN).values()
    assert "worker" in why


def words(held: HeldBoots, machines: list[Machine], fleet: Fleet, context: Context) -> dict[str, str]:
    told = held.words(machines, context, Holders(Snapshot.of(machines), fleet))
    return {str(key): why for key, why in told.items()}
