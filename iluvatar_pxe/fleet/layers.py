"""``layers/NAME.yaml``: a layer of each kind as an immutable model."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, WithJsonSchema, model_validator

from iluvatar_pxe.catalogue.lock import STABLE, AssetsLock
from iluvatar_pxe.catalogue.names import K3S, TALOS
from iluvatar_pxe.catalogue.schematic import Overlay, Schematic
from iluvatar_pxe.declared.base import GIVEN, Model
from iluvatar_pxe.fleet.disk_selector import DiskSelector
from iluvatar_pxe.fleet.dns import AnyAddress, Several
from iluvatar_pxe.fleet.fields.names import default_pattern
from iluvatar_pxe.fleet.fields.values import (
    Address,
    CmdlineArgument,
    ConfigTxtLine,
    ExtensionName,
    FleetPath,
    HostName,
    ImageName,
    KernelArgument,
    KubernetesVersion,
    NamePattern,
    OptionName,
    OptionValue,
    OverlayName,
    QuorumSize,
    SchematicId,
    TalosVersion,
)
from iluvatar_pxe.fleet.k3s import K3s, RoleOfK3s
from iluvatar_pxe.fleet.root import Root
from iluvatar_pxe.fleet.users import User, one_of_each_name
from iluvatar_pxe.machines.states import ROLES, LayerKind, Role

_DATASOURCE = "ds="
_SAY_KIND = "write 'kind: talos' or 'kind: k3s'"


def _kind(value: Any) -> LayerKind:
    try:
        return LayerKind(value)
    except ValueError:
        trouble = "is missing" if value is None else "is not a layer kind"
        raise ValueError(f"{trouble}; {_SAY_KIND}") from None


def names_datasource(argument: str) -> bool:
    """Say whether a kernel argument names the source of a machine's configuration for cloud-init."""
    return argument.startswith(_DATASOURCE)


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

    def pinned(self, lock: AssetsLock) -> Self:
        """Return it with the version that ``stable`` stands for by ``lock``, if it says so and that is known."""
        del lock
        return self


class OverlayPart(Model):
    """The ``overlay:`` part of a layer's file: what a single-board computer needs to boot from its disk."""

    image: ExtensionName
    """The overlay's image, such as ``siderolabs/sbc-rockchip``."""
    name: OverlayName
    """Which overlay of that image, such as ``rock4cplus``."""
    options: Mapping[OptionName, OptionValue] = Field(default_factory=dict)
    """The overlay's own options."""

    @property
    def built(self) -> Overlay:
        """It as a part of a schematic."""
        return Overlay(image=_official(self.image), name=self.name, options=self.options)


class Talos(Model):
    """The ``talos:`` part of a layer's file."""

    version: TalosVersion
    """Talos' version, such as ``v1.13.9``; ``stable`` is the newest one without faults, which is chosen once and pinned."""
    kubernetes: KubernetesVersion | None = None
    """Kubernetes' version, such as ``v1.36.3``; without it, the default one for this version of Talos."""
    given_schematic: SchematicId | None = Field(default=None, alias="schematic")
    """ID of a schematic that was made at Image Factory, in place of ``extensions`` and ``overlay``."""
    extensions: tuple[ExtensionName, ...] = ()
    """System extensions by Image Factory's names; ``siderolabs/`` may be left out."""
    overlay: OverlayPart | None = None
    """An overlay, for single-board computers."""
    extra_kernel_args: tuple[KernelArgument, ...] = ()
    """Added to the kernel arguments that Talos requires, in memory and, without ``schematic``, once installed."""

    @model_validator(mode="after")
    def _one_schematic(self) -> Self:
        if self.given_schematic and (self.extensions or self.overlay):
            raise ValueError("'schematic' stands for extensions and overlay; remove it, or remove those")
        try:
            _ = self.schematic  # computed once, and kept
        except ValueError as error:
            remedy = "make the schematic at Image Factory, and write its id as 'schematic' in place of these"
            raise ValueError(f"no schematic id can be computed: {error}; {remedy}") from error
        return self

    @cached_property
    def schematic(self) -> str:
        """The Image Factory schematic's ID, given or computed."""
        return self.composed.id if self.composed else str(self.given_schematic)

    @cached_property
    def composed(self) -> Schematic | None:
        """The schematic that this part of the file describes; None where it names one."""
        if self.given_schematic:
            return None
        return Schematic(
            extensions=tuple(sorted({_official(name) for name in self.extensions})),
            kernel_args=self.extra_kernel_args,
            overlay=self.overlay.built if self.overlay else None,
        )

    @property
    def is_chosen(self) -> bool:
        """Say whether it is known which version it is."""
        return self.version != STABLE

    @property
    def minor(self) -> tuple[int, int]:
        """Major and minor version, as numbers, of one that is chosen."""
        major, minor, _ = self.version.removeprefix("v").split(".", 2)
        return int(major), int(minor)


def _official(name: str) -> str:
    """Return an extension's or overlay's full name: those without an owner are Sidero Labs'."""
    return name if "/" in name else f"siderolabs/{name}"


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
    control_planes: QuorumSize = 1
    """How many machines get the role ``controlplane``: 1, 3 or 5."""
    config: Mapping[_RoleOfTalos, FleetPath] = Field(default_factory=dict)
    """By role, a machine configuration of your own that its machines fetch; without it, the daemon makes one for each."""
    role_patches: Mapping[_RoleOfTalos, tuple[FleetPath, ...]] = Field(default_factory=dict)
    """By role, patch files of the fleet, applied after those of ``patches``."""
    vip: Address | None = None
    """An address of this network that one of the control planes always has; the cluster's API is then found there."""
    disk: Annotated[DiskSelector | None, GIVEN] = None
    """Which disk of its machines Talos is installed on. Default: the smallest SSD or NVMe that is not removable."""

    @model_validator(mode="after")
    def _of_made_configurations(self) -> Self:
        given = {
            "rolePatches": self.role_patches,
            "vip": self.vip,
            "disk": self.disk,
            "talos.kubernetes": self.talos.kubernetes,
        }
        if self.config and (unused := [key for key, value in given.items() if value]):
            raise ValueError(f"{' and '.join(unused)}: your own 'config' says that; remove one of the two")
        return self

    @property
    def leaders(self) -> int:
        """How many control planes there are."""
        return self.control_planes

    def pinned(self, lock: AssetsLock) -> Self:
        """See ``Layer``."""
        version = lock.resolved(TALOS, self.talos.version)
        if version in {None, self.talos.version}:
            return self
        return self.model_copy(update={"talos": self.talos.model_copy(update={"version": version})})


class K3sLayer(Layer):
    """``layers/NAME.yaml`` of kind ``k3s``: Raspberry Pis that run k3s."""

    kind: Literal[LayerKind.K3S]
    """What its machines run."""
    k3s: K3s = Field(default=K3s(), alias="k3s")
    """What they run."""
    servers: QuorumSize = 1
    """How many machines get the role ``server``: 1, 3 or 5."""
    root: Annotated[Root, GIVEN] = Root()
    """Where their operating system and their data are."""
    users: Annotated[tuple[User, ...], AfterValidator(one_of_each_name)] = ()
    """Who may log in to them; nobody else can."""
    role_patches: Mapping[RoleOfK3s, tuple[FleetPath, ...]] = Field(default_factory=dict)
    """By role, patch files of the fleet, applied after those of ``patches``."""
    image: ImageName | None = None
    """The folder of the assets' ``raspberry-pi`` with the boot files."""
    kernel_args: tuple[CmdlineArgument, ...] = ()
    """Added to the image's ``cmdline.txt``."""
    config_txt: tuple[ConfigTxtLine, ...] = ()
    """Lines added to ``config.txt``."""
    reboots: StrictBool = True
    """Whether its nodes are restarted in turn when updates of their operating systems need that."""
    eeprom_update: StrictBool = False
    """Whether the image's bootloader update files, if any, are served; a Pi then writes them to its EEPROM."""

    @property
    def leaders(self) -> int:
        """How many servers there are."""
        return self.servers

    @property
    def configures_itself(self) -> bool:
        """Say whether its kernel arguments name a source for cloud-init, so that the daemon configures no machine of it."""
        return any(map(names_datasource, self.kernel_args))

    def pinned(self, lock: AssetsLock) -> Self:
        """See ``Layer``."""
        version = lock.resolved(K3S, self.k3s.version)
        if version in {None, self.k3s.version}:
            return self
        return self.model_copy(update={"k3s": self.k3s.model_copy(update={"version": version})})
