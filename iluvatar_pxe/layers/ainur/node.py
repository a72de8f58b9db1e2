"""A machine of a k3s cluster, and what all of its machines have in common, as their documents are made of. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from iluvatar_pxe.fleet.k3s import K3s
from iluvatar_pxe.fleet.registries import Registries
from iluvatar_pxe.fleet.root import Root
from iluvatar_pxe.fleet.users import User
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.fragments import Fragment
from iluvatar_pxe.layers.argocd.following import Followed
from iluvatar_pxe.machines.states import Role


class InstalledArgoCd(Struct, frozen=True):
    """What a cluster installs of Argo CD, and what that follows."""

    chart: str
    """The logical name of its Helm chart."""
    followed: Followed


@dataclass(frozen=True, slots=True, kw_only=True)
class K3sCluster:
    """What all machines of a layer have in common."""

    name: str
    """The layer's name."""
    domain: str
    """The fleet's domain."""
    k3s: K3s
    """The version, which is chosen, and the options."""
    bundle: K3sBundle
    registries: Registries = field(default_factory=Registries)
    users: tuple[User, ...] = ()
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By name of those users that have one, the hash of the password."""

    argo_cd: InstalledArgoCd | None = None
    """None where no Argo CD is installed."""

    @property
    def api(self) -> str:
        """The name of its API, which is also the one that machines join by."""
        return f"api.{self.name}.{self.domain}"


@dataclass(frozen=True, slots=True, kw_only=True)
class K3sNode:
    """A machine that has its place in a cluster."""

    name: str
    role: Role
    macs: tuple[str, ...]
    """MACs of its NICs; the one that it boots by comes first."""
    instance_id: str
    """cloud-init configures a machine again when this is another one."""
    root: Root = field(default_factory=Root)
    fragments: tuple[Fragment, ...] = field(default=(), repr=False)
    """What the fleet adds to its cloud-config, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a machine is told of the daemons."""

    daemons: tuple[str, ...]
    """Their URLs, such as ``http://192.168.1.2:8080``; the one that serves the machine comes first."""
    ticket: str = field(repr=False)
    time_servers: tuple[str, ...] = ()
    sums: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of boot files, by their names."""
    is_beside: bool = False
    """Whether the machine is the first daemon's own host, whose clock says nothing about the machine's."""

    @property
    def clocks(self) -> tuple[str, ...]:
        """The daemons that may tell the machine the time."""
        return self.daemons[1:] if self.is_beside else self.daemons

    @property
    def url(self) -> str:
        """Where the machine's own documents are: only the daemon that made the ticket knows it."""
        return f"{self.daemons[0]}/cloud-init/{self.ticket}"
