"""The cluster's objects, in its etcd: Nodes and the secrets of their passwords, as far as joining and leaving need them."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from support.k3s.etcd import Etcd
from support.k3s.fatal import RequestError
from support.k3s.site import Site

Object = dict[str, Any]
ETCD_ROLE, CONTROL_PLANE = "node-role.kubernetes.io/etcd", "node-role.kubernetes.io/control-plane"
MEMBER_NAME, MEMBER_ADDRESS = "etcd.k3s.cattle.io/node-name", "etcd.k3s.cattle.io/node-address"
REMOVE_MEMBER = "etcd.k3s.cattle.io/remove"
_NODES, _SECRETS = "/registry/minions/", "/registry/secrets/kube-system/"
_NAMESPACE = "/registry/namespaces/kube-system"


class Kubernetes:
    """What one server's API reads from and writes to its etcd; every method may raise RequestError."""

    def __init__(self, etcd: Etcd, site: Site) -> None:
        self._etcd, self._site = etcd, site

    async def namespace(self) -> Object:
        """Return ``kube-system``, whose UID tells one cluster from another; the first API server makes it."""
        made = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "kube-system", "uid": str(uuid4()), "creationTimestamp": _now()},
        }
        await self._etcd.create(_NAMESPACE, json.dumps(made).encode())
        found: Object = json.loads((await self._etcd.get(_NAMESPACE))[_NAMESPACE])
        return found

    async def nodes(self) -> list[Object]:
        return [
            self._shown(json.loads(one)) for one in (await self._etcd.get(_NODES, is_prefix=True)).values()
        ]

    async def node(self, name: str) -> Object | None:
        found = await self._etcd.get(_NODES + name)
        return self._shown(json.loads(found[_NODES + name])) if found else None

    async def register(self, node: Object) -> Object:
        """Make a Node, or give the one that is there its new status; what a kubelet set on it before stays."""
        name = node["metadata"]["name"]
        made = {
            "apiVersion": "v1",
            "kind": "Node",
            **node,
            "metadata": {**node["metadata"], "uid": str(uuid4()), "creationTimestamp": _now()},
        }
        if not await self._etcd.create(_NODES + name, json.dumps(made).encode()):
            found = await self.node(name)
            if found is None:
                raise RequestError(f"node {name} has just been deleted")
            found["metadata"]["annotations"] |= node["metadata"]["annotations"]
            made = {**found, "status": node["status"]}
            await self.write(made)
        return made

    async def write(self, node: Object) -> None:
        await self._etcd.put(_NODES + node["metadata"]["name"], json.dumps(node).encode())

    async def delete_node(self, name: str) -> Object | None:
        """Delete a Node, and return what it was; that of a server is still there until its member of etcd is gone."""
        found = await self.node(name)
        if found is not None and ETCD_ROLE in found["metadata"]["labels"]:
            found["metadata"]["deletionTimestamp"] = _now()
            await self.write(found)
        elif found is not None:
            await self.purge_node(name)
        return found

    async def purge_node(self, name: str) -> None:
        """Take a Node away, and the secret that it owns."""
        await self._etcd.delete(_NODES + name)
        await self._etcd.delete(_SECRETS + secret_name(name))

    async def secret(self, name: str) -> Object | None:
        found = await self._etcd.get(_SECRETS + name)
        return json.loads(found[_SECRETS + name]) if found else None

    async def is_password_of(self, node: str, password: str) -> bool:
        """Say whether a node's password is the first one that was heard for its name, and keep that."""
        name = secret_name(node)
        made = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "k3s.cattle.io/node-password",
            "immutable": True,
            "metadata": {"name": name, "namespace": "kube-system", "creationTimestamp": _now()},
            "data": {"hash": base64.b64encode((await _hashed(password)).encode()).decode()},
        }
        if await self._etcd.create(_SECRETS + name, json.dumps(made).encode()):
            return True
        found = await self.secret(name)
        return found is None or await _is_of(password, base64.b64decode(found["data"]["hash"]).decode())

    def _shown(self, node: Object) -> Object:
        """Return a Node with the condition Ready as the node controller has it by now."""
        is_alive = node["metadata"]["uid"] in self._site.kubelets
        ready = {"type": "Ready", "status": "True" if is_alive else "Unknown", "reason": "KubeletReady"}
        return {**node, "status": {**node["status"], "conditions": [ready]}}


def secret_name(node: str) -> str:
    return f"{node}.node-password.k3s"


async def _hashed(password: str, salt: str = "") -> str:
    """Hash as k3s does, with fewer rounds: ``$1:salt:N:r:p:hash``."""
    salt = salt or secrets.token_hex(8)
    found = await asyncio.to_thread(
        hashlib.scrypt, password.encode(), salt=bytes.fromhex(salt), n=1 << 10, r=8, p=1, dklen=64
    )
    return f"$1:{salt}:10:8:1:{base64.b64encode(found).decode()}"


async def _is_of(password: str, hashed: str) -> bool:
    return hmac.compare_digest(await _hashed(password, hashed.split(":")[1]), hashed)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
