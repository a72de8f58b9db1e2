"""``layers/NAME.yaml``: the two layers as immutable models."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool, WithJsonSchema

from iluvatar_pxe.fleet.base import Model
from iluvatar_pxe.fleet.dns import AnyAddress, Several
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
    check_role,
)
from iluvatar_pxe.machines.states import ROLES, LayerName, Role


class Layer(Model, ABC):
    """What all layers have."""

    names: NamePattern
    """What machines are called that no file names."""
    reuse_names: tuple[HostName, ...] = ()
    """Names of forgotten machines that may be given again."""
    patches: tuple[FleetPath, ...] = ()
    """Files of the fleet that change what is configured on its machines."""
    ingress: Several[AnyAddress] = ()
    """Where its cluster's applications come in: the addresses, one or a list, of ``*.apps.LAYER`` in the domain."""

    @property
    @abstractmethod
    def leaders(self) -> int:
        """How many machines hold the state of the layer's cluster."""


class TalosLayer(Model):
    """The ``talos:`` part of ``layers/arda.yaml``."""

    version: Version
    """Talos' version, such as ``v1.13.9``."""
    schematic: Schematic
    """The id that Image Factory gives for a choice of extensions."""
    extra_kernel_args: tuple[KernelArgument, ...] = ()
    """Added to the kernel arguments that Talos requires."""

    @property
    def minor(self) -> tuple[int, int]:
        """Major and minor version, as numbers."""
        major, minor, _ = self.version.removeprefix("v").split(".", 2)
        return int(major), int(minor)


def _role_of_arda(role: Role) -> Role:
    check_role(LayerName.ARDA, role)
    return role


_RoleOfArda = Annotated[
    Role, AfterValidator(_role_of_arda), WithJsonSchema({"enum": [*ROLES[LayerName.ARDA]]})
]


class ArdaLayer(Layer):
    """``layers/arda.yaml``: machines that run Talos."""

    names: NamePattern = "arda-##"
    """What machines are called that no file names: ``#`` stands for a digit of their number."""
    talos: TalosLayer
    """What they run."""
    control_planes: OddCount = 1
    """How many machines get the role ``controlplane``; odd."""
    config: Mapping[_RoleOfArda, FleetPath] = Field(default_factory=dict)
    """By role, the machine configuration that its machines fetch."""

    @property
    def leaders(self) -> int:
        """How many control planes there are."""
        return self.control_planes


class AinurLayer(Layer):
    """``layers/ainur.yaml``: Raspberry Pis that run k3s."""

    names: NamePattern = "ainur-##"
    """What machines are called that no file names: ``#`` stands for a digit of their number."""
    servers: OddCount = 1
    """How many machines get the role ``server``; odd."""
    image: ImageName | None = None
    """The folder of the assets' ``raspberry-pi`` with the boot files."""
    kernel_args: tuple[CmdlineArgument, ...] = ()
    """Added to the image's ``cmdline.txt``."""
    config_txt: tuple[ConfigTxtLine, ...] = ()
    """Lines added to ``config.txt``."""
    eeprom_update: StrictBool = False
    """Whether the bootloader's update files are served, if the image has them: they are written to the EEPROM."""

    @property
    def leaders(self) -> int:
        """How many servers there are."""
        return self.servers
