"""Kubernetes objects as plain values, and their text."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

Object = Mapping[str, Any]
NAMESPACE = "argocd"
_PART_OF = "app.kubernetes.io/part-of"


def of_kind(version: str, kind: str, name: str, **parts: object) -> dict[str, Any]:
    """Return an object in Argo CD's namespace, without labels."""
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        **parts,
    }


def config_map(name: str, data: Mapping[str, str]) -> dict[str, Any]:
    """Return one of Argo CD's own ConfigMaps, which it reads by their label."""
    found = of_kind("v1", "ConfigMap", name, data=dict(data))
    found["metadata"]["labels"] = {"app.kubernetes.io/name": name, _PART_OF: "argocd"}
    return found


def stream(objects: Iterable[Object], *, indent: int | None = None) -> str:
    """Return a YAML stream with a document of JSON for each object: JSON is YAML, and in one line its shortest."""
    separators = (",", ": " if indent else ":")
    texts = (json.dumps(one, ensure_ascii=False, indent=indent, separators=separators) for one in objects)
    return "".join(f"---\n{text}\n" for text in texts)
