"""A machine that runs something else than its layer is never a control plane by accident."""

import pytest
from support.fleets import CONFIGURED, READY, fleet_of
from support.machines import machine_of, snapshot_of
from support.pi import MACS, pi

from iluvatar_pxe.boot.assign import leader_names
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.decide import Decision, decide
from iluvatar_pxe.boot.plan import AssignFirst, BootLocal, CountDown, Hold, Plan, RunScript
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.fingerprint import from_dhcp
from iluvatar_pxe.machines.raspberry_pi import Generation
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch

MAC = "52:54:00:77:00:01"
SCRIPT = "#!ipxe\nexit\n"
OTHERS: dict[str, type[Plan]] = {
    "chain: ipxe\nscript: rescue.ipxe\n": RunScript,
    "chain: local\n": BootLocal,
    "chain: hold\n": Hold,
}


def fleet(lines: str | None, rules: str = "") -> Fleet:
    machines = [("rescue", MAC, lines)] if lines is not None else []
    return fleet_of(*machines, fleet=rules, arda=CONFIGURED, rescue_ipxe=SCRIPT)


def decided(of: Fleet) -> Decision:
    sighting = Sighting(mac=MAC, macs=(MAC,), firmware=Firmware.IPXE, arch=CpuArch.X86_64)
    context = Context(ready=READY, window_open=True, confirmed=True)
    return decide(sighting, snapshot_of(machine_of(MAC)), of, context)


@pytest.mark.parametrize("lines", OTHERS)
@pytest.mark.parametrize("layer", ["", "layer: arda\n"])
def test_another_chain_than_the_layers_has_no_role(lines: str, layer: str) -> None:
    of = fleet(lines + layer)
    decision = decided(of)
    assert isinstance(decision.plan, OTHERS[lines])
    assert (decision.case.role, decision.case.layer) == (None, None)
    assert leader_names("arda", of, []) == set()


@pytest.mark.parametrize("lines", OTHERS)
def test_a_role_in_its_file_keeps_its_place_while_it_runs_something_else(lines: str) -> None:
    of = fleet(f"{lines}role: controlplane\n")
    assert leader_names("arda", of, []) == {"rescue"}
    assert decided(of).case.role is Role.CONTROLPLANE


@pytest.mark.parametrize(
    ("lines", "may_lead"),
    [("", True), ("config: configs/one.yaml\n", False), ("chain: talos\nconfig: configs/one.yaml\n", False)],
)
def test_a_configuration_of_its_own_is_no_control_planes_unless_its_file_says_so(
    lines: str, *, may_lead: bool
) -> None:
    plan = decided(fleet(lines)).plan
    assert isinstance(plan, AssignFirst)
    assert (plan.place.role, plan.place.may_lead) == (None, may_lead)


@pytest.mark.parametrize(
    ("keys", "may_lead"),
    [("", True), (", chain: ipxe, script: rescue.ipxe", False), (", chain: local", False),
     (", chain: talos, config: configs/one.yaml", False)],
)  # fmt: skip
def test_what_a_rule_lets_in_leads_only_where_it_boots_by_its_layer(keys: str, *, may_lead: bool) -> None:
    plan = decided(fleet(None, f"rules: [{{layer: arda{keys}}}]\n")).plan
    assert isinstance(plan, AssignFirst)
    assert plan.place.may_lead == may_lead


WOULD = {
    "": "controlplane or worker of layer arda, and an operating system would be installed.",
    ", chain: talos, config: configs/one.yaml": "become a worker of layer arda, and an operating system would be",
    ", chain: ipxe, script: rescue.ipxe": "become a worker of layer arda, and rescue.ipxe would run.",
    ", chain: local": "become a worker of layer arda, and it would boot its own disk.",
    ", chain: hold": "it would be held.",
}


@pytest.mark.parametrize("keys", WOULD)
@pytest.mark.parametrize("window_open", [True, False])
def test_the_screen_says_what_a_rule_would_really_do(keys: str, *, window_open: bool) -> None:
    of = fleet(None, f"rules: [{{layer: arda{keys}}}]\n")
    context = Context(ready=READY, window_open=window_open)
    plan = decide(PC_ASKS, snapshot_of(machine_of(MAC)), of, context).plan
    assert isinstance(plan, CountDown | Hold)
    shown = " ".join(plan.screen)
    if "hold" in keys and window_open:
        assert "The fleet holds this machine" in shown
        return
    assert WOULD[keys] in shown
    assert ("ERASE" in shown) == (window_open and "local" not in keys)


PI = MACS[Generation.PI4]
PI_ASKS = from_dhcp(pi(Generation.PI4))
PC_ASKS = Sighting(mac=MAC, macs=(MAC,), firmware=Firmware.IPXE, arch=CpuArch.X86_64)
UNABLE = {
    "a Pi in a Talos layer": (PI, "", PI_ASKS),
    "a Pi that is to be a control plane": (PI, "role: controlplane\n", PI_ASKS),
    "a PC in a layer of Pis": (MAC, "layer: ainur\n", PC_ASKS),
    "a processor without Talos": (MAC, "", replace(PC_ASKS, arch=CpuArch.I386)),
    "another such processor": (MAC, "", replace(PC_ASKS, arch=CpuArch.RISCV64)),
}


@pytest.mark.parametrize("name", UNABLE)
@pytest.mark.parametrize("trouble", ["", "the repository cannot be reached"])
def test_a_listed_machine_that_cannot_run_its_layers_chain_takes_no_place(name: str, trouble: str) -> None:
    mac, lines, asks = UNABLE[name]
    of = fleet_of(("one", mac, lines), arda=CONFIGURED, ainur="image: ubuntu\n")
    context = Context(ready=READY, window_open=True, confirmed=True, no_assignment=trouble)
    plan = decide(asks, snapshot_of(machine_of(mac)), of, context).plan
    assert isinstance(plan, Hold)
    assert plan.lack
