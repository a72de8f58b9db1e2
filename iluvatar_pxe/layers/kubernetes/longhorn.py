"""Which data only one node has, by Longhorn's resources, and how many copies a fleet wants. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Self

from msgspec import Struct

from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.fleet.yaml.document import parse_documents

_CHART = "longhorn"
_DEFAULT = 3
"""Copies of each volume, by the chart's values."""
_LARGEST = 1 << 20
"""Characters of an Application that is read."""


class Replica(Struct, frozen=True):
    """One copy of a volume."""

    volume: str
    node: str
    is_healthy: bool

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Self:
        """Return it from ``spec`` of a Replica: it was complete once, and has not failed since."""
        is_healthy = bool(spec.get("healthyAt")) and not spec.get("failedAt")
        return cls(str(spec.get("volumeName", "")), str(spec.get("nodeID", "")), is_healthy)


class Volume(Struct, frozen=True):
    """A volume; ``is_healthy`` as Longhorn says: it has all its copies, or nobody uses it."""

    name: str
    is_healthy: bool

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Return it from a Volume. One that nobody uses is ``unknown``, for then no copy is looked at."""
        metadata, status = (found.get(key) or {} for key in ("metadata", "status"))
        return cls(str(metadata.get("name", "")), status.get("robustness") not in {"degraded", "faulted"})


def only_on(node: str, replicas: Iterable[Replica], staying: Collection[str]) -> tuple[str, ...]:
    """Return by name the volumes that have a healthy replica on this node, and none on one of those that stay."""
    holders: dict[str, set[str]] = {}
    for one in replicas:
        if one.is_healthy:
            holders.setdefault(one.volume, set()).add(one.node)
    return tuple(
        sorted(
            volume for volume, nodes in holders.items() if node in nodes and not nodes - {node} & set(staying)
        )
    )


def copies_warning(path: str, text: str, nodes: int) -> str:
    """Return in one line why the number of copies does not fit the number of nodes; empty where it does.

    ``text`` is the file with Longhorn's Application; one that is none, or cannot be read, is Argo CD's to tell.
    """
    copies = _copies(text)
    if copies is None or nodes == 0:
        return ""
    told = f"{path}: defaultClassReplicaCount is {copies}, and nodes that run applications are {nodes}: "
    if copies > nodes:
        return f"{told}no volume gets all its copies; write {min(nodes, _DEFAULT)}"
    if copies == 1 and nodes >= _DEFAULT:
        return f"{told}a volume is lost with the node that has it; write {_DEFAULT}"
    return ""


def _copies(text: str) -> int | None:
    """Return how many copies new volumes get; None where that is not told."""
    values = next(_values(text), None)
    if values is None:
        return None
    written = _part(values, "persistence").get("defaultClassReplicaCount", str(_DEFAULT))
    return int(written) if isinstance(written, str) and written.isdecimal() else None


def _values(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the chart's values that Applications of a text give it."""
    for document in _documents(text):
        spec = _part(document, "spec")
        for source in (_part(spec, "source"), *_list(spec.get("sources"))):
            if source.get("chart") == _CHART:
                helm = _part(source, "helm")
                written = helm.get("values")
                texts = _documents(written) if isinstance(written, str) else ()
                yield _part(helm, "valuesObject") or next(iter(texts), {})


def _documents(text: str) -> tuple[Mapping[str, Any], ...]:
    try:
        return tuple(one.value for one in parse_documents(text[:_LARGEST], str, "is no mapping"))
    except DocumentError:
        return ()


def _part(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, Mapping) else {}


def _list(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, tuple) else []
