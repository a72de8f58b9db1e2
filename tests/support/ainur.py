"""A k3s cluster and machines of it, for tests: the same ones whenever they are made."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from support.secrets_of import k3s_bundle_of

from iluvatar_pxe.fleet.k3s import K3s
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.node import K3sCluster, K3sNode
from iluvatar_pxe.machines.states import Role

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
MAC = "dc:a6:32:00:00:01"


@cache
def bundle_of(name: str = "ainur") -> K3sBundle:
    """Return a cluster's secrets."""
    return k3s_bundle_of(name, BEGIN)


def cluster_of(**k3s: object) -> K3sCluster:
    """Return a cluster whose layer's ``k3s:`` part says this."""
    return K3sCluster(name="ainur", domain="lab.home.arpa", k3s=K3s.model_validate(k3s), bundle=bundle_of())


def node_of(name: str = "ainur-01", role: Role = Role.SERVER, **more: Any) -> K3sNode:
    """Return a machine."""
    return K3sNode(name=name, role=role, macs=(MAC,), instance_id=f"{name}-1", **more)
