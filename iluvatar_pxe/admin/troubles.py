"""What is wrong with a machine or its cluster, of all that the daemon tells of clusters."""

from collections.abc import Mapping
from typing import Any

from iluvatar_pxe.fleet.lookup import listed_as, name_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Machine


def troubles_of(machine: Machine, fleet: Fleet, told: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a machine or its cluster; ``told`` is what ``ShowAwaited`` returned."""
    place = listed_as(machine, fleet) or machine.assignment
    refused = told.get("refused", {}).get(name_of(machine, fleet))
    return [*([refused] if refused else []), *told.get("troubles", {}).get(place and place.layer, ())]
