"""What clusters are looked after with."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from msgspec import Struct

from iluvatar_pxe.changed import Changed
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.arda.install import held_machines
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.provisioning.cluster_network import no_network
from iluvatar_pxe.provisioning.cluster_secrets import ClusterRepository, ClusterSecrets
from iluvatar_pxe.provisioning.kept_snapshots import KeptSnapshots

_LIFETIME = timedelta(minutes=15)
"""Of the certificates that the daemon signs for itself; a new one for each look."""


def _none() -> None:
    """Say that the fleet is applied."""


class Pace(Struct, frozen=True):
    """Seconds."""

    first: float = 2.0
    """Between two looks, while something happens."""
    most: float = 15.0
    """Between two looks, while nothing changes."""
    founded: float = 60.0
    """Between two looks at a cluster that is founded."""
    down: float = 0.5
    """Between two looks whether a machine that resets itself is down."""
    gone: float = 60.0
    """After which a machine leaves its cluster whose file is gone, and one that is silent is taken for gone."""
    turn: float = 60.0
    """After which a daemon that takes machines out of a cluster is taken for dead, so that another one does."""
    late: float = 1800.0
    """After which a node that was told what to do is taken for stuck: it may have an image of 200 MB to download."""
    converged: float = 300.0
    """Between two looks at machines that run with what they should; a commit is looked at at once."""
    steady: float = 40.0
    """For which a control plane is watched that was changed: the kubelet looks at its static pods every 20 s, and Talos
    asks the kubelet every 15 s (its KubeletStaticPodController)."""
    settled: float = 10.0
    """After which an etcd that prepares is taken for one without data."""


class ClusterContext(Struct, frozen=True):
    """What clusters are watched by."""

    fleet: Callable[[], Fleet]
    snapshot: Callable[[], Snapshot]
    secrets: ClusterSecrets
    repository: ClusterRepository
    changed: Changed
    """Told when another fleet is applied."""
    check: Callable[[str], Awaitable[None]] = no_network
    """Raises ConfigurationError where this network keeps a layer's cluster from being founded."""
    fleet_problem: Callable[[], str | None] = _none
    """Why the newest state of the fleet is not applied, or None."""
    snapshots: KeptSnapshots | None = None
    """Those of etcd that this host keeps; None where it keeps none."""
    pace: Pace = Pace()
    observes: bool = False
    """Nothing is done, but it is said what would be."""

    def layers(self) -> list[str]:
        """Return the names of the layers whose configurations the daemon makes."""
        fleet = self.fleet()
        return [name for name in fleet.layers if fleet.makes_configurations(name)]

    def held_machines(self) -> Mapping[str, str]:
        """Return by the names of the machines that are not installed why, in words."""
        return held_machines(self.snapshot(), self.fleet())

    async def credentials(self, layer: str, role: ApiRole) -> Credentials:
        """Return credentials of the daemon's own; raises as ``ClusterSecrets.talos``."""
        return await self.secrets.talos(layer, [role], _LIFETIME)

    async def kubernetes(self, layer: str) -> Credentials:
        """Return an administrator's credentials for the Kubernetes API; raises as ``ClusterSecrets.kubernetes``."""
        return await self.secrets.kubernetes(layer, _LIFETIME)
