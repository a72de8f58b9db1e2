"""``layers/NAME.yaml``: a layer of each kind as an immutable model."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, WithJsonSchema

from iluvatar_pxe.fleet.base import Model
from iluvatar_pxe.fleet.dns import AnyAddress, Several
from iluvatar_pxe.fleet.fields.names import default_pattern
from iluvatar_pxe.fleet.fields.values import (
    CmdlineArgument,
    ConfigTxtLine,
    FleetPath,
    HostName,
    ImageName,
    KernelArgument,
    NamePattern,
    OddCount,
    Schematic,
    Version,
)
from iluvatar_pxe.machines.states import ROLES, LayerKind, Role

_SAY_KIND = "write 'kind: talos' or 'kind: k3s'"


def _kind(value: Any) -> LayerKind:
    try:
        return LayerKind(value)
    except ValueError:
        trouble = "is missing" if value is None else "is not a layer kind"
        raise ValueError(f"{trouble}; {_SAY_KIND}") from None


class LayerHead(Model, extra="ignore"):
    """The key that selects the model of a layer's file."""

    kind: Annotated[LayerKind | None, BeforeValidator(_kind)] = Field(default=None, validate_default=True)


class Layer(Model, ABC):
    """``layers/NAME.yaml``: machines that run the same system, and make up one cluster."""

    kind: LayerKind
    """What its machines run: ``talos``, or ``k3s`` on Raspberry Pis."""
    names: NamePattern | None = None
    """Pattern for the names of machines without a file; each ``#`` is one digit of the number. Default: ``NAME-##``,
    by the name of this file."""
    reuse_names: tuple[HostName, ...] = ()
    """Names of forgotten machines that may be reused."""
    patches: tuple[FleetPath, ...] = ()
    """Patch files of the fleet, applied to the configuration of its machines."""
    ingress: Several[AnyAddress] = ()
    """Ingress addresses of its cluster, one or a list: ``*.apps.LAYER`` in the domain resolves to them."""

    @property
    @abstractmethod
    def leaders(self) -> int:
        """How many machines hold the state of the layer's cluster."""

    @property
    def roles(self) -> tuple[Role, Role]:
        """The role of the first few machines, and that of the rest."""
        return ROLES[self.kind]

    def pattern(self, name: str) -> str:
        """Return the pattern of machines' names; ``name`` is the layer's."""
        return self.names or default_pattern(name)


class Talos(Model):
    """The ``talos:`` part of a layer's file."""

    version: Version
    """Talos' version, such as ``v1.13.9``."""
    schematic: Schematic
    """The Image Factory schematic ID, which selects extensions."""
    extra_kernel_args: tuple[KernelArgument, ...] = ()
    """Added to the kernel arguments that Talos requires."""

    @property
    def minor(self) -> tuple[int, int]:
        """Major and minor version, as numbers."""
        major, minor, _ = self.version.removeprefix("v").split(".", 2)
        return int(major), int(minor)


def _role_of_talos(role: Role) -> Role:
    roles = ROLES[LayerKind.TALOS]
    if role not in roles:
        raise ValueError(f"a layer of kind talos has no role {role}; it has {' and '.join(roles)}")
    return role


_RoleOfTalos = Annotated[
    Role, AfterValidator(_role_of_talos), WithJsonSchema({"enum": [*ROLES[LayerKind.TALOS]]})
]


class TalosLayer(Layer):
    """``layers/NAME.yaml`` of kind ``talos``: machines that run Talos."""

    kind: Literal[LayerKind.TALOS]
    """What its machines run."""
    talos: Talos
    """What they run."""
    control_planes: OddCount = 1
    """How many machines get the role ``controlplane``; odd."""
    config: Mapping[_RoleOfTalos, FleetPath] = Field(default_factory=dict)
    """By role, the machine configuration that its machines fetch."""

    @property
    def leaders(self) -> int:
        """How many control planes there are."""
        return self.control_planes


class K3sLayer(Layer):
    """``layers/NAME.yaml`` of kind ``k3s``: Raspberry Pis that run k3s."""

    kind: Literal[LayerKind.K3S]
    """What its machines run."""
    servers: OddCount = 1
    """How many machines get the role ``server``; odd."""
    image: ImageName | None = None
    """The folder of the assets' ``raspberry-pi`` with the boot files."""
    kernel_args: tuple[CmdlineArgument, ...] = ()
    """Added to the image's ``cmdline.txt``."""
    config_txt: tuple[ConfigTxtLine, ...] = ()
    """Lines added to ``config.txt``."""
    eeprom_update: StrictBool = False
    """Whether the image's bootloader update files, if any, are served; a Pi then writes them to its EEPROM."""

    @property
    def leaders(self) -> int:
        """How many servers there are."""
        return self.servers
