"""What a machine configuration is made of."""

import dataclasses
from collections.abc import Mapping
from ipaddress import IPv4Address
from urllib.parse import urlsplit

from msgspec import Struct, field

from iluvatar_pxe.fleet.registries import Registries
from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import Contract
from iluvatar_pxe.machines.states import Role


@dataclasses.dataclass(frozen=True, slots=True)
class Manifest:
    """Kubernetes objects that Talos creates once the cluster runs; their ``text`` may hold secrets."""

    name: str
    text: str = dataclasses.field(repr=False)


class ClusterFacts(Struct, frozen=True, kw_only=True):
    """What all machines of a cluster have in common."""

    name: str
    endpoint: str
    """URL of the Kubernetes API, such as ``https://api.LAYER.lab.home.arpa:6443``."""
    contract: Contract
    kubernetes: str
    """Kubernetes' version, such as ``v1.36.3``."""
    bundle: Bundle
    schedules_on_control_planes: bool = False
    """Whether control planes also run what users deploy."""
    vip: IPv4Address | None = None
    """An address that one of the control planes has, elected by etcd."""
    manifests: tuple[Manifest, ...] = ()
    """What the control planes bring into the cluster. No worker gets it."""

    @property
    def endpoint_host(self) -> str:
        """The endpoint's name or address."""
        return urlsplit(self.endpoint).hostname or ""


class MachineFacts(Struct, frozen=True, kw_only=True):
    """What is particular to a machine, and to the daemon that serves it.

    With nothing but a role this makes what ``talosctl gen config`` writes for any machine of that role.
    """

    role: Role
    hostname: str = ""
    macs: tuple[str, ...] = ()
    """MACs of the NICs that get an address by DHCP; the first one also holds the cluster's VIP."""
    disk: DiskChoice | None = None
    """Where Talos is installed."""
    installer_image: str = ""
    sans: tuple[str, ...] = ()
    """Names besides its host name in the certificates of its APIs."""
    resolvers: tuple[IPv4Address, ...] = ()
    time_servers: tuple[str, ...] = ()
    event_sink: str = ""
    """``ADDRESS:PORT`` that hears of events."""
    kernel_log: str = ""
    """URL that the kernel's log is sent to, such as ``tcp://192.168.1.2:3334``."""
    no_proxy: tuple[str, ...] = ()
    """Names and addresses that are reached directly, if a patch sets a proxy."""
    registries: Registries = field(default_factory=Registries)
    """Registries that are asked for container images first."""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    longhorn: bool = False
    """Whether the machine has a place for Longhorn's volumes."""

    @property
    def names(self) -> tuple[str, ...]:
        """All that the certificates of its APIs name."""
        return tuple(dict.fromkeys(name for name in (self.hostname, *self.sans) if name))
