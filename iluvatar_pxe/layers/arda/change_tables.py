"""Which fields of a Talos configuration change while a machine runs, and which need more than that.

A field is written ``KIND:path.to.field``; the document without a kind has none. The longest entry that a field begins
with counts, and what has none is live. Read from Talos v1.13.9 (``CanApplyImmediate``) and the documentation of 1.14.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from iluvatar_pxe.layers.arda.documents import Contract


class ChangeKind(Enum):
    """What a change takes, the more the later."""

    NONE = 0
    LIVE = 1
    """Talos applies it while it runs."""
    RESTART = 2
    """Talos takes it when it starts the next time."""
    UPGRADE = 3
    """A version of Kubernetes, which its parts reach one after the other: ``talosctl upgrade-k8s``."""
    REINSTALL = 4
    """It counts when Talos is installed, or when a cluster is made."""


DISK = (":machine.install.diskSelector", "UnattendedInstallConfig:provisioning.diskSelector")
"""Where Talos was installed."""
_INSTALL = (":machine.install", "UnattendedInstallConfig")
DAEMONS = ("ResolverConfig:nameservers", "TimeSyncConfig:ntp", "EnvironmentConfig:variables.no_proxy")
"""What has the addresses of the fleet's daemons."""
MANIFESTS = (":cluster.inlineManifests", "KubeInlineManifestConfig")
"""What the daemon brings into a cluster."""

_LIVE = (
    *(
        f":machine.{field}"
        for field in (
            *("certSANs", "controlPlane", "kernel", "kubelet", "logging", "network", "nodeAnnotations"),
            *(
                "nodeLabels",
                "nodeTaints",
                "pods",
                "registries",
                "seccompProfiles",
                "sysctls",
                "sysfs",
                "time",
            ),
            *("features.hostDNS", "features.imageCache", "features.kubePrism"),
            *("features.kubernetesTalosAPIAccess", "features.nodeAddressSortAlgorithm"),
        )
    ),
    # Programs that are started later know it; which daemons there are is no reason to restart a cluster.
    "EnvironmentConfig:variables.no_proxy",
)
_VOLUMES = ("VolumeConfig", "UserVolumeConfig", "RawVolumeConfig", "SwapVolumeConfig")
_RESTART = (
    *(":version", ":persist", ":machine", ":machine.registries.config", ":cluster.etcd"),
    *(f"{kind}:encryption.keys" for kind in _VOLUMES),
    *(f":machine.systemDiskEncryption.{name}.keys" for name in ("state", "ephemeral")),
)
_RESTART_1_14 = ("EnvironmentConfig", "KernelModuleConfig", ":machine.kernel")
_UPGRADE = (
    *(":machine.kubelet.image", "KubeletConfig:image"),
    *(f":cluster.{part}.image" for part in ("apiServer", "controllerManager", "proxy", "scheduler")),
    *(f"Kube{part}Config:image" for part in ("APIServer", "ControllerManager", "Proxy", "Scheduler")),
)
_REINSTALL = (
    *(":machine.type", *_INSTALL, "HostnameConfig", ":machine.network.hostname"),
    # A volume that is there is neither encrypted nor decrypted: Talos would not find it any more.
    *(f"{kind}:encryption" for kind in _VOLUMES),
    ":machine.systemDiskEncryption",
    # The cluster's secrets. Whoever rotates a CA by talosctl does that step by step.
    *(":machine.token", ":machine.ca", ":machine.acceptedCAs"),
    *(
        f":cluster.{field}"
        for field in (
            *("id", "secret", "token", "ca", "acceptedCAs", "aggregatorCA", "serviceAccount", "etcd.ca"),
            *("secretboxEncryptionSecret", "aescbcEncryptionSecret"),
        )
    ),
    *("DiscoveryIdentityConfig", "KubeAPIServerCAConfig", "KubeAggregatorCAConfig"),
    *("KubeEtcdEncryptionConfig", "KubeServiceAccountConfig:issuer.privateKey"),
    # The networks of a cluster, which its nodes have their shares of.
    *(f":cluster.network.{field}" for field in ("dnsDomain", "podSubnets", "serviceSubnets")),
    "KubeNetworkConfig",
)


WHOLE_LIVE = frozenset(["RawVolumeConfig", "SwapVolumeConfig", "UserVolumeConfig"])
"""Kinds of documents that come and go while a machine runs, whatever is in them."""
NEW_LIVE = WHOLE_LIVE | {"KernelModuleConfig"}
"""Kinds of documents that come while a machine runs."""

Path = tuple[str, ...]
Place = tuple[str, Path]
"""A kind of document, and the way to a field there."""


def place(text: str) -> Place:
    """Return what an entry names."""
    kind, _, path = text.partition(":")
    return kind, tuple(filter(None, path.split(".")))


def _table(restart: tuple[str, ...]) -> Mapping[Place, ChangeKind]:
    by_kind = (
        (_LIVE, ChangeKind.LIVE),
        (restart, ChangeKind.RESTART),
        (_UPGRADE, ChangeKind.UPGRADE),
        (_REINSTALL, ChangeKind.REINSTALL),
    )
    return MappingProxyType({place(field): kind for fields, kind in by_kind for field in fields})


KINDS: Mapping[Contract, Mapping[Place, ChangeKind]] = MappingProxyType(
    {Contract.V1_13: _table(_RESTART), Contract.V1_14: _table((*_RESTART, *_RESTART_1_14))}
)
"""What a field takes, by the contract of the Talos that runs."""
INSTALL: frozenset[Place] = frozenset(map(place, _INSTALL))
"""What only the installer reads."""
INSTALLER: frozenset[Place] = frozenset(
    [place(":machine.install.image"), place("UnattendedInstallConfig:installer.image")]
)
"""The image that Talos is installed from."""
