"""Which control planes a talosconfig names."""

from datetime import UTC, datetime

import pytest
from support.fleets import ARDA, fleet_of
from support.machines import machine_of

from iluvatar_pxe.admin.clusters import control_planes
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.states import Assignment, Phase, Role

NOW = datetime(2026, 12, 1, tzinfo=UTC)
MACS = tuple(f"52:54:00:00:00:0{number}" for number in (1, 2, 3))


def fleet(*lines: str) -> Fleet:
    machines = (
        (f"arda-0{number}", mac, f"layer: arda\nconfig: configs/one.yaml\n{line}")
        for number, (mac, line) in enumerate(zip(MACS, lines, strict=False), 1)
    )
    return fleet_of(*machines, arda=ARDA)


DECLARED = fleet(
    "role: controlplane\naddress: 10.0.0.1\n",
    "role: controlplane\naddress: 10.0.0.2\n",
    "role: worker\naddress: 10.0.0.3\n",
)


def test_while_none_has_joined_those_that_the_fleet_declares_are_named() -> None:
    assert control_planes("arda", Snapshot(), DECLARED) == ["10.0.0.1", "10.0.0.2"]


def test_once_one_has_joined_those_that_have_joined_are_named() -> None:
    given = Assignment(name="arda-02", layer="arda", role=Role.CONTROLPLANE, rule="", at=NOW)
    joined = machine_of(MACS[1], phase=Phase.JOINED, assignment=given)
    assert control_planes("arda", Snapshot.of([joined]), DECLARED) == ["10.0.0.2"]


def test_where_none_has_an_address_the_remedy_is_told() -> None:
    for known, layer in ((fleet("role: controlplane\n"), "arda"), (DECLARED, "mordor")):
        with pytest.raises(OperationError, match=f"^{layer}: no control plane has an address yet; switch"):
            control_planes(layer, Snapshot(), known)
