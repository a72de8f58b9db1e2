"""What Talos itself reads in a machine configuration."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self
from urllib.parse import urlsplit

from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.layers.arda.documents import Document, load_documents


class UnusableError(Exception):
    """What a Talos machine does not take as its configuration."""


@dataclass(frozen=True)
class Pair:
    crt: bytes
    key: bytes


@dataclass(frozen=True)
class Configuration:
    """Documents of a configuration; it is complete if one of them is the v1alpha1 document."""

    text: str
    documents: tuple[Document, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what the text holds; raises UnusableError."""
        try:
            documents = load_documents(text)
        except DocumentError as error:
            raise UnusableError(str(error)) from error
        if not documents:
            raise UnusableError("config not found")
        return cls(text, documents)

    @property
    def is_complete(self) -> bool:
        return any("kind" not in document for document in self.documents)

    def kind(self, name: str) -> Document:
        """Return the first document of a kind, or an empty one."""
        return next((document for document in self.documents if document.get("kind") == name), {})

    @cached_property
    def _v1alpha1(self) -> Document:
        return next((document for document in self.documents if "kind" not in document), {})

    @property
    def machine(self) -> Mapping[str, Any]:
        return self._v1alpha1.get("machine") or {}

    @property
    def cluster(self) -> Mapping[str, Any]:
        return self._v1alpha1.get("cluster") or {}

    @property
    def is_control_plane(self) -> bool:
        return self.machine.get("type") == "controlplane"

    @property
    def os_ca(self) -> Pair:
        return _pair(self.machine.get("ca"))

    @property
    def accepted_cas(self) -> tuple[bytes, ...]:
        """Return the certificates of every CA whose clients the API takes."""
        others = (_pair(item).crt for item in self.machine.get("acceptedCAs") or ())
        return (self.os_ca.crt, *others)

    @property
    def etcd_ca(self) -> Pair:
        return _pair((self.cluster.get("etcd") or {}).get("ca"))

    @property
    def kubernetes_ca(self) -> Pair:
        """Return the CA of the Kubernetes API, with its key on control planes."""
        issuing = self.kind("KubeAPIServerCAConfig").get("issuingCA")
        if issuing:
            return Pair(issuing["cert"].encode(), issuing["key"].encode())
        return _pair(self.cluster.get("ca"))

    @property
    def kubelet_image(self) -> str:
        kubelet = self.machine.get("kubelet") or {}
        return str(self.kind("KubeletConfig").get("image") or kubelet.get("image") or "")

    @property
    def kubernetes_version(self) -> str:
        return self.kubelet_image.rpartition(":")[2]

    @property
    def hostname(self) -> str:
        network = self.machine.get("network") or {}
        return str(self.kind("HostnameConfig").get("hostname") or network.get("hostname") or "")

    @property
    def cluster_name(self) -> str:
        return str(self.kind("KubeClusterConfig").get("clusterName") or self.cluster.get("clusterName") or "")

    @property
    def endpoint(self) -> str:
        """Return the URL of the cluster's Kubernetes API."""
        legacy = (self.cluster.get("controlPlane") or {}).get("endpoint")
        return str(self.kind("KubeClusterConfig").get("endpoint") or legacy or "")

    @property
    def sans(self) -> tuple[str, ...]:
        return tuple(self.machine.get("certSANs") or ())

    @property
    def install(self) -> Mapping[str, Any]:
        return self.machine.get("install") or {}

    @property
    def unattended_install(self) -> Document:
        return self.kind("UnattendedInstallConfig")

    @property
    def installer_image(self) -> str:
        installer = self.unattended_install.get("installer") or {}
        return str(installer.get("image") or self.install.get("image") or "")

    @property
    def event_sink(self) -> str:
        """Return ``host:port``, or nothing."""
        return str(self.kind("EventSinkConfig").get("endpoint") or "")

    @property
    def kernel_logs(self) -> tuple[str, ...]:
        kinds = [document for document in self.documents if document.get("kind") == "KmsgLogConfig"]
        return tuple(str(document["url"]) for document in kinds)

    @property
    def resolvers(self) -> tuple[str, ...]:
        """Return the addresses of its DNS servers."""
        return tuple(one["address"] for one in self.kind("ResolverConfig").get("nameservers") or ())

    @property
    def endpoint_host(self) -> str:
        return urlsplit(self.endpoint).hostname or ""


def _pair(value: Mapping[str, Any] | None) -> Pair:
    found = value or {}
    try:
        return Pair(base64.b64decode(found.get("crt") or ""), base64.b64decode(found.get("key") or ""))
    except binascii.Error as error:
        raise UnusableError(f"illegal base64 data: {error}") from error
