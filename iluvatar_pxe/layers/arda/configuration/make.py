"""The documents of a machine's configuration."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.layers.arda.configuration import v1_13, v1_14
from iluvatar_pxe.layers.arda.configuration.common import (
    document,
    nameservers,
    network,
    registry_mirrors,
    reporting,
    time_sync,
    user_volumes,
    vip_config,
)
from iluvatar_pxe.layers.arda.configuration.facts import ClusterFacts, MachineFacts
from iluvatar_pxe.layers.arda.documents import Contract, Document

_OF_CONTRACT: Mapping[Contract, Callable[[ClusterFacts, MachineFacts], Iterator[Document]]] = (
    MappingProxyType({Contract.V1_13: v1_13.documents, Contract.V1_14: v1_14.documents})
)


def documents_of(cluster: ClusterFacts, machine: MachineFacts) -> tuple[Document, ...]:
    """Return a whole configuration; raises ConfigurationError where the machine's disk cannot be named."""
    if machine.disk and not machine.disk.is_named:
        trouble = "has no serial number, no WWID and no place, so it cannot be told from other disks"
        raise ConfigurationError(f"disk {machine.disk.path} {trouble}; choose another disk")
    return (
        *_OF_CONTRACT[cluster.contract](cluster, machine),
        *network(machine),
        *vip_config(cluster, machine),
        *time_sync(machine),
        *registry_mirrors(machine),
        *user_volumes(machine),
        *reporting(machine),
    )


def partial_documents(machine: MachineFacts) -> tuple[Document, ...]:
    """Return what a machine gets that waits in maintenance: the network, and where it reports. No secret is in it.

    Without a v1alpha1 document Talos applies it, installs nothing, and waits for a whole configuration.
    """
    found = nameservers(machine)
    resolvers = [document("ResolverConfig", **found)] if found else []
    return (*network(machine), *resolvers, *time_sync(machine), *reporting(machine))
