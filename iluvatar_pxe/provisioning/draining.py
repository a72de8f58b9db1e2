"""Moves the pods of a node that leaves its cluster."""

from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.kubernetes import client as kubernetes
from iluvatar_pxe.layers.kubernetes.node import Node

_SHOWN = 5


async def left_on(node: Node, plane: str, credentials: Credentials, note: str) -> str:
    """Cordon a node, and evict its pods as far as they may go by now; return in words which are left.

    A budget, or Longhorn, may keep some: call it again. ``note`` says what it is cordoned for. Raises KubernetesError.
    """
    if not node.is_unschedulable:
        await kubernetes.cordon(plane, credentials, node.name, note)
    left = await kubernetes.evict(plane, credentials, node.name)
    return f"{len(left)} are left: {', '.join(left[:_SHOWN])}" if left else ""
