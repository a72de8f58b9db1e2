"""Which changes of a configuration Talos 1.13 applies without a reboot."""

from collections.abc import Mapping
from typing import Any

from support.talos.configuration import Configuration

_LIVE = frozenset(
    [
        "ca",
        "acceptedCAs",
        "time",
        "certSANs",
        "install",
        "network",
        "sysfs",
        "sysctls",
        "logging",
        "controlPlane",
        "kubelet",
        "kernel",
        "registries",
        "pods",
        "seccompProfiles",
        "nodeAnnotations",
        "nodeLabels",
        "nodeTaints",
    ]
)
_LIVE_FEATURES = frozenset(
    ["kubernetesTalosAPIAccess", "kubePrism", "hostDNS", "imageCache", "nodeAddressSortAlgorithm"]
)


def needs_reboot(old: Configuration, new: Configuration) -> bool:
    """Say whether a field differs that is not live: of ``machine`` only; other documents and the cluster are."""
    before, after = _without_live(old.machine), _without_live(new.machine)
    return before != after


def _without_live(machine: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in machine.items() if key not in _LIVE}
    features = kept.get("features") or {}
    kept["features"] = {key: value for key, value in features.items() if key not in _LIVE_FEATURES}
    return kept
