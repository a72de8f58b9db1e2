"""A machine's state besides what it reports: its assignment, observed phase and desired state."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from types import MappingProxyType

from msgspec import Struct

from iluvatar_pxe.machines.boots import Stage


class Phase(StrEnum):
    """Observed state."""

    DISCOVERED = "discovered"
    ASSIGNED = "assigned"
    BOOTING = "booting"
    INSTALLING = "installing"
    """It has fetched its configuration, and has not reported that it is installed."""
    INSTALLED = "installed"
    """Its operating system has reported that it is on the disk."""
    JOINED = "joined"
    """It is a member of its cluster: it runs and is ready."""
    FAILED = "failed"
    """It is in a boot loop: repeated boots of one chain without progress."""


class Intent(StrEnum):
    """Desired state."""

    BOOT = "boot"
    """Whatever its layer, its file or its rule sets."""
    LOCAL = "local"
    REINSTALL = "reinstall"
    """Boot its chain although it has joined; once."""
    HOLD = "hold"
    IGNORE = "ignore"


class Wipe(IntEnum):
    """Whether what is on the disk may be erased, whatever it is."""

    NO = 0
    FIRST = 1
    """Yes, and an installed Talos is wiped first, by a boot for that: it would boot instead of being installed again."""
    ALLOWED = 2
    """Yes; that boot was served."""
    ONCE = 3
    """Only an installed Talos, by a boot for that; all else on the disks is spared."""

    @property
    def spares(self) -> bool:
        """Say whether a disk with something else than this machine's Talos is spared."""
        return self in {Wipe.NO, Wipe.ONCE}

    @property
    def next_boot_wipes(self) -> bool:
        """Say whether the next boot wipes an installed Talos."""
        return self in {Wipe.FIRST, Wipe.ONCE}

    @property
    def after_that_boot(self) -> "Wipe":
        """What is left of it once that boot was served."""
        return {Wipe.FIRST: Wipe.ALLOWED, Wipe.ONCE: Wipe.NO}.get(self, self)


class Directive(Struct, frozen=True):
    """An intent, and who set it and why."""

    intent: Intent = Intent.BOOT
    by: str = ""
    why: str = ""
    wipe: Wipe = Wipe.NO
    """With ``reinstall``."""


@dataclass(frozen=True, slots=True)
class CleanUp:
    """What is left to do in its cluster after a machine that is installed again: once it is down, its Node is deleted."""

    layer: str
    name: str
    boot: int
    """In which of its boots that began."""
    ends: int = 0
    """Generation of the cluster whose data is lost with it, so that it is founded again; 0 if it goes on."""


class LayerKind(StrEnum):
    """What a layer's machines run."""

    TALOS = "talos"
    K3S = "k3s"
    """On Raspberry Pis."""


class Role(StrEnum):
    """A machine's role in its layer's cluster, in the terms of Talos or k3s."""

    CONTROLPLANE = "controlplane"
    WORKER = "worker"
    SERVER = "server"
    AGENT = "agent"

    @property
    def leads(self) -> bool:
        """Say whether the cluster's state lives on machines of this role."""
        return self in {Role.CONTROLPLANE, Role.SERVER}

    @property
    def words(self) -> str:
        """What people call it."""
        return "control plane" if self is Role.CONTROLPLANE else self.value


ROLES: Mapping[LayerKind, tuple[Role, Role]] = MappingProxyType(
    {LayerKind.TALOS: (Role.CONTROLPLANE, Role.WORKER), LayerKind.K3S: (Role.SERVER, Role.AGENT)}
)
"""By kind of layer, the role of the first few machines and that of the rest."""


class Assignment(Struct, frozen=True, kw_only=True):
    """A name and a role, given once. ``rule`` says in words what gave them."""

    name: str
    layer: str
    role: Role
    rule: str
    at: datetime


ATTEMPTS_WITHIN = timedelta(hours=1)


class Attempts(Struct, frozen=True):
    """Boots of one chain without progress: start times of the last few, oldest first.

    ``best`` is the latest stage that any boot of the chain has reached, ``boot`` the last one counted.
    """

    chain: str = ""
    best: Stage = Stage.DISCOVER
    starts: tuple[datetime, ...] = ()
    boot: int = 0

    def lately(self, now: datetime) -> int:
        """Return how many began within the hour; a clock that jumped makes them none of this hour's."""
        return sum(abs(now - start) < ATTEMPTS_WITHIN for start in self.starts)
