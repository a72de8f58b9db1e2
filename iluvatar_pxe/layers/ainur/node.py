"""A machine of a k3s cluster, and what all of its machines have in common, as their documents are made of. Pure."""

from dataclasses import dataclass, field
from enum import StrEnum

from iluvatar_pxe.fleet.k3s import K3s
from iluvatar_pxe.fleet.registries import Registries
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.machines.states import Role


class K3sPart(StrEnum):
    """What a machine's k3s does when it is started for the first time."""

    INIT = "init"
    """It initialises the cluster."""
    JOIN_SERVER = "join-server"
    AGENT = "agent"


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
