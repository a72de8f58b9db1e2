"""A person who has a kubeconfig, and one who looks into a server's etcd."""

import asyncio
import json
import ssl
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from support.k3s.access import Access
from support.k3s.authorities import CLIENT, Authority, Request, pem
from support.k3s.etcd import Etcd
from support.k3s.fatal import RequestError
from support.k3s.machine import Machine
from support.k3s.workloads import PROTECTED
from support.tls import run
from support.waiting import PATIENCE


def as_admin(machine: Machine) -> Access:
    """Return access to a server's Kubernetes API with a certificate of its client CA."""
    key = generate_private_key(SECP256R1())
    tls = machine.root / "var/lib/rancher/k3s/server/tls"
    wanted = Request("system:admin", [CLIENT], ("system:masters",))
    signed = Authority.load(tls, "client-ca").sign(wanted, key.public_key(), datetime.now(UTC))
    (machine.root / "admin").write_bytes(signed + pem(key))
    context = ssl.create_default_context(cafile=str(tls / "server-ca.crt"))
    context.load_cert_chain(machine.root / "admin")
    return Access(machine.site, f"https://{machine.address}:6443", context)


async def snapshot_of(machine: Machine, at: Path) -> None:
    """Save a snapshot as ``k3s etcd-snapshot save`` does."""
    etcd, tls = etcd_of(machine), machine.root / "var/lib/rancher/k3s/server/tls/etcd"
    files = (
        f"--cacert={tls / 'server-ca.crt'}",
        f"--cert={tls / 'client.crt'}",
        f"--key={tls / 'client.key'}",
    )
    save = ("etcdctl", f"--endpoints={etcd.client_url}", *files, "snapshot", "save", str(at))
    at.parent.mkdir(parents=True, exist_ok=True)
    ended = await asyncio.to_thread(run, *save)
    assert ended.returncode == 0, ended.stderr


async def delete_node(machine: Machine, name: str) -> None:
    """Delete a Node through a server, again where its etcd elects a leader meanwhile."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await as_admin(machine).ask(f"/api/v1/nodes/{name}", method="DELETE")
            except RequestError as error:
                if error.status == 404:
                    return
                await machine.site.pause()
            else:
                return


async def run_pod(machine: Machine, name: str, node: str, *, protected: bool = False) -> None:
    """Have a pod run on a node; a protected one cannot be evicted."""
    annotations = {PROTECTED: "yes"} if protected else {}
    pod = {"metadata": {"name": name, "annotations": annotations}, "spec": {"nodeName": node}}
    path, json_type = "/api/v1/namespaces/default/pods", {"Content-Type": "application/json"}
    await as_admin(machine).ask(path, method="POST", headers=json_type, data=json.dumps(pod).encode())


async def pods_on(machine: Machine, node: str) -> set[str]:
    """Return the names of the pods of a node."""
    found = await as_admin(machine).ask(f"/api/v1/pods?fieldSelector=spec.nodeName={node}")
    return {pod["metadata"]["name"] for pod in json.loads(found)["items"]}


async def ready_nodes(admin: Access) -> set[str]:
    """Return the names of the Nodes that are Ready."""
    nodes = json.loads(await admin.ask("/api/v1/nodes"))["items"]
    return {node["metadata"]["name"] for node in nodes if node["status"]["conditions"][0]["status"] == "True"}


def etcd_of(machine: Machine) -> Etcd:
    """Return a server's etcd, to ask it."""
    server = machine.root / "var/lib/rancher/k3s/server"
    return Etcd(server / "db", server / "tls", machine.address, "")
