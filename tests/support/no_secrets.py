"""What a host has of clusters' secrets whose fleet is a plain directory."""

from pathlib import Path

from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.provisioning.cluster_secrets import ClusterRepository, ClusterSecrets
from iluvatar_pxe.provisioning.signing_clock import SigningClock


def no_secrets(inventory: Inventory) -> ClusterSecrets:
    """Return it for an inventory."""
    repository = ClusterRepository(lambda: None)
    clock = SigningClock(repository.revision, lambda: inventory.snapshot)
    return ClusterSecrets(repository, Path("/nowhere/age.key"), clock)
