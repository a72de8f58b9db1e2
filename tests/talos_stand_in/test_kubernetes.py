"""The stand-in's Kubernetes API answers the real kubectl, and refuses as the real API does."""

import asyncio
import random
import shutil
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
import yaml
from support.talos.client import connected
from support.talos.cluster import NAME, Cluster
from support.talos.kubernetes import Kubernetes
from support.talos.machine import Machine
from support.waiting import until

from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.credentials import kubernetes_credentials
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.kubeconfig import kubeconfig
from iluvatar_pxe.layers.load_key import load_key
from iluvatar_pxe.machines.states import Role

HERE = "controlplane-1"
KUBECTL = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")


async def founded(cluster: Cluster, workers: int = 0) -> tuple[Machine, Kubernetes]:
    """Return the one control plane, and what its Kubernetes holds; workers are numbered from 2 on."""
    plane = cluster.machine(1, Role.CONTROLPLANE)
    machines = [plane, *(cluster.machine(2 + number, Role.WORKER) for number in range(workers))]
    for machine in machines:
        await machine.power_on()
    await until(lambda: plane.service("etcd") == "Preparing" and plane.service("apid") == "Running")
    async with connected(plane, cluster.credentials()) as client:
        await client.bootstrap()
    await until(lambda: all(machine.is_ready for machine in machines))
    return plane, cluster.site.kubernetes(cluster.bundle.os.crt.encode())


def credentials(bundle: Bundle) -> Credentials:
    return kubernetes_credentials(bundle, timedelta(hours=1), datetime.now(UTC), random.randbytes)


class Kubectl:
    """The real program, with a kubeconfig of ours."""

    def __init__(self, cluster: Cluster, plane: Machine) -> None:
        self._file = cluster.directory / "kubeconfig"
        url = f"https://{plane.address}:6443"
        self._file.write_text(yaml.safe_dump(kubeconfig(NAME, url, credentials(cluster.bundle))))

    async def __call__(self, *words: str) -> tuple[int, str]:
        """Return its status and what it says."""
        process = await asyncio.create_subprocess_exec(
            "kubectl", f"--kubeconfig={self._file}", f"--cache-dir={self._file.parent / 'cache'}", *words,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()


@KUBECTL
async def test_kubectl_sees_nodes_as_their_kubelets_register_and_deletes_one(cluster: Cluster) -> None:
    plane, kubernetes = await founded(cluster, workers=1)
    kubectl = Kubectl(cluster, plane)
    status, said = await kubectl("get", "nodes")
    assert status == 0, said
    _, *rows = (line.split() for line in said.splitlines())
    assert rows == [
        [HERE, "Ready", "control-plane", "1m", "v1.36.3"],
        ["worker-2", "Ready", "<none>", "1m", "v1.36.3"],
    ]
    worker = cluster.site.machines[1]
    assert (await kubectl("delete", "node", "worker-2", "--wait=false"))[0] == 0
    await until(lambda: not worker.is_ready)
    assert (await kubectl("get", "node", "worker-2"))[1].startswith("Error from server (NotFound)")
    await worker.power_cut()
    await worker.power_on()
    await until(lambda: worker.is_ready)
    assert "worker-2" in kubernetes.nodes
    await worker.power_cut()
    assert "NotReady" in (await kubectl("get", "node", "worker-2"))[1]


@KUBECTL
async def test_kubectl_drains_a_node_of_what_a_budget_lets_go(cluster: Cluster) -> None:
    plane, kubernetes = await founded(cluster, workers=2)
    kubectl = Kubectl(cluster, plane)
    kubernetes.run("alone", "worker-2", owner="")
    database = kubernetes.run("database", "worker-2")["metadata"]["name"]
    kubernetes.budgets["database"] = 1
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": database}}
    path = f"/api/v1/namespaces/default/pods/{database}/eviction"
    async with session_of(f"https://{plane.address}:6443", credentials(cluster.bundle)) as session:
        assert await asked(session, "POST", path, eviction) == (429, "TooManyRequests")
    kubernetes.run("database", "worker-3")
    status, said = await kubectl("drain", "worker-2", "--ignore-daemonsets", "--force", "--timeout=20s")
    assert status == 0, said
    assert not any(of(pod, "alone") for pod in kubernetes.pods.values())
    assert len(kubernetes.evicted) == 2
    on = {pod["spec"]["nodeName"] for pod in kubernetes.pods.values() if of(pod, "database")}
    assert "worker-2" not in on
    assert "SchedulingDisabled" in (await kubectl("get", "node", "worker-2"))[1]
    assert (await kubectl("uncordon", "worker-2"))[0] == 0
    assert "unschedulable" not in kubernetes.nodes["worker-2"]["spec"]


async def test_the_api_refuses_as_the_real_one_does(cluster: Cluster) -> None:
    plane, kubernetes = await founded(cluster)
    url, node = f"https://{plane.address}:6443", f"/api/v1/nodes/{HERE}"
    ours = credentials(cluster.bundle)
    nobody = aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=ours.ca))
    async with aiohttp.ClientSession(url, connector=nobody) as session:
        assert await asked(session, "GET", node) == (401, "Unauthorized")
    async with session_of(url, ours) as session:
        assert await asked(session, "GET", "/api/v1/nodes/other") == (404, "NotFound")
        assert await asked(session, "GET", "/api/v1/pods?fieldSelector=spec.host=a") == (400, "BadRequest")
        patch = {"spec": {"unschedulable": True}, "metadata": {"resourceVersion": "0"}}
        assert await asked(session, "PATCH", node, patch, "application/merge-patch+json") == (409, "Conflict")
        assert (await asked(session, "PATCH", node, patch))[0] == 415
        assert (await session.get("/apis/longhorn.io/v1beta2")).status == 404
        boot = plane.boot
        assert boot
        assert boot.membership
        await boot.membership.stop(cut=True)
        assert await asked(session, "DELETE", node) == (500, "InternalError")
    assert HERE in kubernetes.nodes


async def test_a_graceful_reset_drains_the_node_and_leaves_it_in_kubernetes(cluster: Cluster) -> None:
    _, kubernetes = await founded(cluster, workers=2)
    worker = cluster.site.machines[1]
    kubernetes.run("web", "worker-2")
    cluster.served[worker.hardware.mac] = ""
    async with connected(worker, cluster.credentials()) as client:
        await client.reset()
    await until(lambda: worker.hardware.system_disk is None)
    assert [pod["spec"]["nodeName"] for pod in kubernetes.pods.values() if of(pod, "web")] != ["worker-2"]
    assert kubernetes.nodes["worker-2"]["spec"]["unschedulable"]


def of(pod: dict[str, Any], app: str) -> bool:
    return bool(pod["metadata"]["labels"]["app"] == app)


def session_of(url: str, one: Credentials) -> aiohttp.ClientSession:
    context = ssl.create_default_context(cadata=one.ca)
    load_key(context, one)
    return aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(ssl=context))


async def asked(
    session: aiohttp.ClientSession,
    method: str,
    path: str,
    body: object = None,
    kind: str = "application/json",
) -> tuple[int, str]:
    """Return the status, and the reason in the Status object."""
    async with session.request(method, path, json=body, headers={"Content-Type": kind}) as answer:
        return answer.status, str((await answer.json()).get("reason"))
