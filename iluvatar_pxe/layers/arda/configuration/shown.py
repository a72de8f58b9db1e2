"""A machine's configuration as people may see it. Pure."""

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.arda.configuration.make import documents_of
from iluvatar_pxe.layers.arda.configuration.stand_in import STAND_IN
from iluvatar_pxe.layers.arda.documents import dump_documents
from iluvatar_pxe.layers.arda.machine_facts import (
    Node,
    Surroundings,
    cluster_facts,
    machine_facts,
    patches_for,
)
from iluvatar_pxe.layers.arda.patched import patched
from iluvatar_pxe.replies.masking import mask_configuration


def shown_configuration(node: Node, fleet: Fleet, around: Surroundings) -> str:
    """Return what the daemon would make for a machine, without secrets; raises ConfigurationError."""
    cluster = cluster_facts(node.layer, fleet, STAND_IN)
    documents = documents_of(cluster, machine_facts(node, fleet, around))
    return mask_configuration(dump_documents(patched(documents, patches_for(node, fleet), cluster.contract)))
