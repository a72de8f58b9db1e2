"""Which machines of a cluster are away, by what they say, what Kubernetes has of them, and what is to be done with them."""

import pytest
from support.fleets import fleet_of, talos
from support.machines import machine_of, snapshot_of

from iluvatar_pxe.layers.arda.absence import absences, to_be_installed, words
from iluvatar_pxe.layers.arda.health import MachineReport
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.machines.states import Directive, Intent, Phase
from iluvatar_pxe.values import replace

RUNS = MachineReport(stage="running", is_ready=True)
NODE = Node(name="a", is_ready=True, is_unschedulable=False, boot="b", note="")
MAC, OTHER = "52:54:00:00:00:01", "52:54:00:00:00:02"


@pytest.mark.parametrize(
    ("said", "node", "marks", "why"),
    [
        (RUNS, NODE, {}, []),
        (replace(RUNS, stage="booting"), NODE, {}, []),
        (MachineReport(trouble="no address of it is known"), None, {}, []),  # which is not there yet
        (RUNS, replace(NODE, note="restart/b/m"), {}, []),
        (RUNS, NODE, {"reinstalled": {"a"}}, ["a is to be installed again"]),
        (None, None, {"reinstalled": {"a"}}, ["a is to be installed again"]),
        (replace(RUNS, stage="resetting"), NODE, {}, ["a is being reset"]),
        (RUNS, NODE, {"claimant": "a"}, ["a is being changed"]),
        (replace(RUNS, stage="rebooting"), NODE, {}, ["a is rebooting"]),
        (None, replace(NODE, note="its file has left the fleet"), {}, ["a leaves the cluster"]),
        (RUNS, replace(NODE, is_ready=False), {}, ["a is down: its node is not ready"]),
        (MachineReport(trouble="a: no answer"), NODE, {}, ["a is not known to run: a: no answer"]),
    ],
)
def test_who_is_away(
    said: MachineReport | None, node: Node | None, marks: dict[str, str | set[str]], why: list[str]
) -> None:
    reinstalled, claimant = set(marks.get("reinstalled", ())), str(marks.get("claimant", ""))
    found = absences({"a": said} if said else {}, [node] if node else [], reinstalled, claimant)
    assert words(found) == why
    lasting = ("installed again", "being reset", "leaves")
    assert all(one.is_lasting == any(part in one.why for part in lasting) for one in found.values())


@pytest.mark.parametrize(
    ("phase", "intent", "names"),
    [
        (Phase.JOINED, Intent.REINSTALL, {"one"}),
        (Phase.INSTALLED, Intent.REINSTALL, {"one"}),
        (Phase.JOINED, Intent.BOOT, set()),
        (Phase.ASSIGNED, Intent.REINSTALL, set()),  # it was never in the cluster
    ],
)
def test_who_is_to_be_installed_again(phase: Phase, intent: Intent, names: set[str]) -> None:
    fleet = fleet_of(talos("one", MAC), talos("two", OTHER))
    seen = snapshot_of(machine_of(MAC, phase=phase, directive=Directive(intent)), machine_of(OTHER))
    assert to_be_installed(seen, fleet) == names
