"""What a chain plans for."""

from dataclasses import dataclass

from iluvatar_pxe.fleet.models import Boot, Fleet
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.wire.pxe import CpuArch


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One machine, what the fleet wants it to boot, and what is there to boot it with."""

    sighting: Sighting
    boot: Boot
    fleet: Fleet
    ready: frozenset[str]
    """Logical names of the assets that can be served."""
    arch: CpuArch
    name: str | None
    """The name of a listed machine; None for one that the fleet does not list."""

    @property
    def title(self) -> str:
        """What the machine is called on screens and in logs."""
        return self.name or self.sighting.mac

    @property
    def why(self) -> str:
        """Who wants it to boot this way."""
        if self.name:
            return f"machines/{self.name}.yaml says chain {self.boot.chain}"
        return f"no file of the fleet lists {self.sighting.mac}; unlisted {self.arch} machines get {self.boot.chain}"
