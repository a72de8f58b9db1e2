"""Where nodes get container images: the ``registries:`` part of ``fleet.yaml``, and what Talos and k3s make of it."""

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import Field

from iluvatar_pxe.declared.base import Model
from iluvatar_pxe.declared.shapes import Shape

_HOST = r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::\d{1,5})?"
RegistryName = Annotated[
    str,
    Shape(rf"\*|{_HOST}", 'write a registry as image names begin with it, such as docker.io, or "*" for all'),
]
MirrorUrl = Annotated[
    str,
    Shape(
        rf"https?://(?:{_HOST}|\[[0-9A-Fa-f:]+\](?::\d{{1,5}})?)",
        "write the address of a registry without a path, such as https://registry.lab.home.arpa:5000",
    ),
]


class Registries(Model):
    """The ``registries:`` part of ``fleet.yaml``: where nodes get container images."""

    mirrors: Mapping[RegistryName, Annotated[tuple[MirrorUrl, ...], Field(min_length=1)]] = Field(
        default_factory=dict
    )
    """By registry (``"*"`` is every other one), the registries that are asked before it, in this order."""


def talos_documents(registries: Registries) -> str:
    """Return the documents for the machine configurations of Talos 1.12 and later; empty where there is no mirror."""
    return "".join(_talos_document(name, urls) for name, urls in registries.mirrors.items())


def _talos_document(name: str, urls: Iterable[str]) -> str:
    head = f'---\napiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: "{name}"\nendpoints:\n'
    return head + "".join(f'  - url: "{url}"\n' for url in urls)


def k3s_registries(registries: Registries) -> str:
    """Return what ``/etc/rancher/k3s/registries.yaml`` is to say; empty where there is no mirror."""
    mirrors = "".join(_k3s_mirror(name, urls) for name, urls in registries.mirrors.items())
    return f"mirrors:\n{mirrors}" if mirrors else ""


def _k3s_mirror(name: str, urls: Iterable[str]) -> str:
    return f'  "{name}":\n    endpoint:\n' + "".join(f'      - "{url}"\n' for url in urls)
