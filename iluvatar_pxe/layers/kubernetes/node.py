"""A machine as Kubernetes has it. Pure."""

from msgspec import Struct


class Node(Struct, frozen=True):
    """A machine in Kubernetes. ``note``: what the daemon cordoned it for; ``boot`` differs after each restart."""

    name: str
    is_ready: bool
    is_unschedulable: bool
    boot: str
    note: str
    addresses: frozenset[str] = frozenset()
    version: str = ""
    """Of its kubelet."""
    leads: bool = False
    """It is labelled as one that holds the cluster's state."""
