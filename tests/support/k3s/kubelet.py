"""A node's agent: it proves the node's name by its password, gets a certificate, and registers the Node (pkg/agent)."""

import json
import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding
from support.k3s.access import Access, access, trusting
from support.k3s.authorities import pem, write_private
from support.k3s.configuration import Configuration
from support.k3s.fatal import FatalError, RequestError
from support.k3s.kubernetes_api import VERSION
from support.k3s.site import Site
from support.k3s.tokens import Token

from iluvatar_pxe.values import replace

REJECTED = (
    "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match server "
    "node-passwd entry, try enabling a unique node name with the --with-node-id flag"
)
_OWN_LABELS = ("node.kubernetes.io/", "kubelet.kubernetes.io/", "topology.kubernetes.io/")


@dataclass
class Kubelet:
    """The agent of one start of k3s, on an agent or on a server."""

    configuration: Configuration
    site: Site
    address: str
    log: Callable[[str], None]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    """Of a server's Node; labels beside those of the configuration."""

    @asynccontextmanager
    async def registered(self, url: str, token: Token) -> AsyncIterator[str]:
        """Register as soon as a server lets it, and post status until left; yields the Node's UID. Raises FatalError."""
        labels = {**self._labels(), **self.labels}
        while True:
            try:
                uid = await self._register(url, token, labels)
                break
            except RequestError as error:
                self.log(
                    REJECTED if error.status == 403 else f"Failed to validate connection to cluster: {error}"
                )
                await self.site.pause()
        self.site.kubelets.add(uid)
        try:
            yield uid
        finally:
            self.site.kubelets.discard(uid)

    async def _register(self, url: str, token: Token, labels: Mapping[str, str]) -> str:
        node, root = self.configuration.node_name, self.configuration.root
        server = await access(self.site, url, token, "node", root, self.log, self._learned())
        await server.ask("/v1-k3s/config")
        own = replace(server, user="", password="", context=await self._certified(server, node))
        taints = [_taint(one) for one in self.configuration.items("node-taint")]
        noted = {"k3s.io/node-args": json.dumps(self.configuration.arguments), "k3s.io/node-env": "{}"}
        asked = {
            "metadata": {"name": node, "labels": labels, "annotations": {**self.annotations, **noted}},
            "spec": {"taints": taints} if taints else {},
            "status": {
                "nodeInfo": {"kubeletVersion": self._version(), "bootID": self.site.boots[self.address]},
                "addresses": [{"type": "InternalIP", "address": self.address}],
            },
        }
        body = await own.ask("/api/v1/nodes", method="POST", data=json.dumps(asked).encode())
        self._learned_file.parent.mkdir(parents=True, exist_ok=True)
        self._learned_file.write_bytes(await server.ask("/v1-k3s/apiservers"))
        return str(json.loads(body)["metadata"]["uid"])

    async def _certified(self, server: Access, node: str) -> ssl.SSLContext:
        """Return TLS with the certificate that the server signs for this node."""
        key = generate_private_key(SECP256R1())
        signing = (
            x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
        )
        headers = {"k3s-Node-Name": node, "k3s-Node-Password": self._password(), "k3s-Node-IP": self.address}
        path = "/v1-k3s/client-kubelet.crt"
        signed = await server.ask(
            path, method="POST", headers=headers, data=signing.public_bytes(Encoding.DER)
        )
        certificate = self.configuration.data / "agent/client-kubelet.crt"
        certificate.parent.mkdir(parents=True, exist_ok=True)
        certificate.write_bytes(signed)
        write_private(certificate.with_suffix(".key"), pem(key))
        context = trusting(server.authorities)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        return context

    def _version(self) -> str:
        """Return the version of k3s that is installed: its file has its name, ``k3s/VERSION/k3s-arm64``."""
        binary = self.configuration.path("/usr/local/bin/k3s")
        return binary.read_text().split("/")[1] if binary.exists() else VERSION

    def _password(self) -> str:
        """Return the node's password, made once where there is none."""
        file = self.configuration.path("/etc/rancher/node/password")
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_private(file, f"{secrets.token_hex(16)}\n".encode())
        return file.read_text().strip()

    def _labels(self) -> dict[str, str]:
        labels = dict(label.partition("=")[::2] for label in self.configuration.items("node-label"))
        for label in labels:
            namespace = label.rpartition("/")[0]
            is_reserved = f".{namespace}".endswith((".kubernetes.io", ".k8s.io"))
            if is_reserved and not f"{label}/".startswith(_OWN_LABELS):
                raise FatalError(
                    f"unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: {label}"
                )
        return labels

    def _learned(self) -> list[str]:
        found: list[str] = json.loads(self._learned_file.read_bytes()) if self._learned_file.exists() else []
        return found

    @property
    def _learned_file(self) -> Path:
        return self.configuration.data / "agent/etc/k3s-agent-load-balancer.json"


def _taint(text: str) -> dict[str, str]:
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    if effect not in {"NoSchedule", "PreferNoSchedule", "NoExecute"}:
        raise FatalError(f"invalid taint effect: {effect}")
    return {"key": key, "value": value, "effect": effect}
