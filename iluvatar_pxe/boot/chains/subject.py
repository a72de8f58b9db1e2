"""What a chain plans for."""

from dataclasses import dataclass

from iluvatar_pxe.boot.case import Case
from iluvatar_pxe.fleet.models import Boot, Fleet
from iluvatar_pxe.machines.states import LayerKind, Role
from iluvatar_pxe.wire.pxe import CpuArch


@dataclass(frozen=True, slots=True)
class Subject:
    """A machine in a role, which may be one that it would only get."""

    case: Case
    role: Role | None

    @property
    def title(self) -> str:
        """What the machine is called on screens and in logs."""
        return self.case.title

    @property
    def fleet(self) -> Fleet:
        """The declared state."""
        return self.case.fleet

    @property
    def ready(self) -> frozenset[str]:
        """Logical names of the assets that can be served."""
        return self.case.context.ready

    @property
    def arch(self) -> CpuArch:
        """The processor's architecture."""
        return self.case.arch

    def layers_of(self, kind: LayerKind) -> str:
        """Return in words where a machine belongs that is of another kind of layer than its own."""
        names = [name for name, layer in self.fleet.layers.items() if layer.kind is kind]
        return f"layer {' or '.join(names)}" if names else f"a layer of kind {kind}"

    @property
    def options(self) -> Boot:
        """What its file or its rule says of how it boots."""
        return self.case.options

    @property
    def why(self) -> str:
        """Who wants it to boot this way."""
        if self.options.chain:
            return f"{self.case.source} says chain {self.options.chain}"
        return f"{self.case.source} puts it into layer {self.case.layer}"
