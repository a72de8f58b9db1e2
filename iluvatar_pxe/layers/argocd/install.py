"""Argo CD's own manifest, ``install.yaml`` of a release, as a cluster gets it from its machines' configurations."""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.layers.argocd.health import HEALTH
from iluvatar_pxe.layers.argocd.objects import NAMESPACE, Object, config_map, stream

_DEFINITION = "CustomResourceDefinition"
_CLUSTER_WIDE = frozenset({_DEFINITION, "ClusterRole", "ClusterRoleBinding", "Namespace"})
"""Kinds of the manifest that belong to no namespace."""
_FREE = frozenset({"default", "enum", "example"})
"""Keys of a schema below which ``description`` may be data."""
_NAMESPACE: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def installed_objects(text: str) -> tuple[Object, ...]:
    """Return what a release's manifest installs, in namespace ``argocd``; blocks, raises ConfigurationError.

    Namespaces come first, then definitions, so that what is of a defined kind comes after it. Descriptions in
    definitions are left out: they are a quarter of the whole.
    """
    try:
        found = [one for one in yaml.load_all(text, Loader=_Loader) if one is not None]
    except yaml.YAMLError as error:
        raise ConfigurationError(f"Argo CD's manifest is no YAML: {str(error).splitlines()[0]}") from error
    if not found or not all(map(_is_object, found)):
        raise ConfigurationError("Argo CD's manifest has something else than Kubernetes objects")
    ordered = sorted((_NAMESPACE, *map(_in_namespace, found)), key=_turn)
    return tuple(_described_less(one) if one["kind"] == _DEFINITION else one for one in ordered)


def manifest(installed: Iterable[Object], following: Iterable[Object]) -> str:
    """Return everything as one YAML stream.

    Talos creates what is not there yet, and changes nothing. So of two objects of one name only one may be in it: ours
    take the place of those in the release, which are empty.
    """
    ours = {_name(one): one for one in (config_map("argocd-cm", HEALTH), *following)}
    kept = [one for one in installed if _name(one) not in ours]
    return stream((*kept, *ours.values()))


class _Loader(yaml.CSafeLoader):
    """Leaves dates what they are to Kubernetes: texts."""


_Loader.yaml_implicit_resolvers = {
    first: [one for one in known if one[0] != "tag:yaml.org,2002:timestamp"]
    for first, known in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _is_object(value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
        return False
    texts = (value.get("apiVersion"), value.get("kind"), value["metadata"].get("name"))
    return all(isinstance(one, str) for one in texts)


def _in_namespace(one: dict[str, Any]) -> Object:
    if one["kind"] in _CLUSTER_WIDE:
        return one
    return {**one, "metadata": {**one["metadata"], "namespace": NAMESPACE}}


def _turn(one: Object) -> int:
    return ("Namespace", _DEFINITION, one["kind"]).index(one["kind"])


def _name(one: Object) -> tuple[str, str]:
    return one["kind"], one["metadata"]["name"]


def _described_less(value: Any) -> Any:
    """Return a definition without the texts for people; a property that is called ``description`` is none."""
    if isinstance(value, Mapping):
        return {
            key: part if key in _FREE else _described_less(part)
            for key, part in value.items()
            if key != "description" or not isinstance(part, str)
        }
    return [_described_less(part) for part in value] if isinstance(value, list) else value
