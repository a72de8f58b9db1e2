"""Labels and taints of Kubernetes' nodes as written in a fleet."""

import re
from typing import Annotated

from pydantic import AfterValidator

from iluvatar_pxe.declared.shapes import Shape, hint

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_DNS = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
_KEY = rf"(?:{_DNS}/)?{_NAME}"
_NO_KEY = "write a label such as example.org/storage"
_OF_KUBERNETES = re.compile(r"(?:.*\.)?(?:kubernetes|k8s)\.io")
_OF_KUBELET = re.compile(r"(?:.*\.)?(?:kubelet|node)\.kubernetes\.io")
_ALLOWED = frozenset(
    [
        *("kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch"),
        *("topology.kubernetes.io/zone", "topology.kubernetes.io/region"),
    ]
)
"""Kubernetes' own labels that a kubelet may give its node, besides those in its own namespaces (``--node-labels``)."""


def _label_key(key: str) -> str:
    if not re.fullmatch(_KEY, key, re.ASCII):
        raise ValueError(_NO_KEY)
    namespace = key.rpartition("/")[0]
    is_reserved = _OF_KUBERNETES.fullmatch(namespace) and not _OF_KUBELET.fullmatch(namespace)
    if is_reserved and key not in _ALLOWED:
        raise ValueError(
            f"a kubelet with {key} does not start; give the node this label by kubectl or Argo CD"
        )
    return key


LabelKey = Annotated[str, AfterValidator(_label_key), hint(_KEY, _NO_KEY)]
LabelValue = Annotated[
    str,
    Shape(rf"(?:{_NAME})?", "write up to 63 letters, digits, '-', '_' and '.', in quotes if it is a number"),
]
Taint = Annotated[
    str,
    Shape(
        rf"{_KEY}(?:=(?:{_NAME})?)?:(?:NoSchedule|PreferNoSchedule|NoExecute)",
        "write a taint such as example.org/dedicated=storage:NoSchedule",
    ),
]
