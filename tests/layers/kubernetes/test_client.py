"""The client of the Kubernetes API, against a server that takes only certificates of the cluster."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from support.talos.certificates import Authority, server_context
from support.talos.client import connected
from support.talos.cluster import Cluster, new_bundle
from support.talos.configuration import Pair
from support.waiting import until

from iluvatar_pxe.errors import KubernetesError
from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.credentials import kubernetes_credentials
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.kubernetes import client as kubernetes
from iluvatar_pxe.layers.kubernetes.client import delete_node
from iluvatar_pxe.machines.states import Role

HERE = "127.0.0.1"


def credentials(bundle: Bundle) -> Credentials:
    return kubernetes_credentials(bundle, timedelta(hours=1), datetime.now(UTC), random.randbytes)


@asynccontextmanager
async def api_server(bundle: Bundle, status: int, asked: list[str]) -> AsyncIterator[int]:
    async def delete(request: web.Request) -> web.Response:
        transport = request.transport
        assert transport
        asked.append(f"{request.path} by {transport.get_extra_info('peercert')['subject'][-1][0][1]}")
        return web.json_response(
            {"kind": "Status", "code": status, "message": "User x\ncannot"}, status=status
        )

    async def lease(_: web.Request) -> web.Response:
        return web.json_response(
            {"metadata": {"uid": "u", "resourceVersion": "7"}, "spec": {"holderIdentity": "one"}}
        )

    async def delete_lease(request: web.Request) -> web.Response:
        asked.append(await request.text())
        return web.json_response({}, status=status)

    pair = Pair(bundle.kubernetes.crt.encode(), bundle.kubernetes.key.encode())
    authority = Authority.of(pair)
    context = server_context(authority.leaf("kube-apiserver", [HERE], datetime.now(UTC)), [authority.pem])
    application = web.Application()
    application.router.add_delete("/api/v1/nodes/{name}", delete)
    application.router.add_get("/apis/{lease:.*}", lease)
    application.router.add_delete("/apis/{lease:.*}", delete_lease)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, HERE, 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("status", [200, 202, 404])
async def test_a_node_is_deleted_or_is_not_there(status: int) -> None:
    bundle, asked = new_bundle(), list[str]()
    async with api_server(bundle, status, asked) as port:
        await delete_node(HERE, credentials(bundle), "arda-01", port=port)
    assert asked == ["/api/v1/nodes/arda-01 by admin"]


async def test_only_the_turn_that_was_seen_is_ended() -> None:
    bundle, asked = new_bundle(), list[str]()
    async with api_server(bundle, 409, asked) as port:  # another daemon was quicker, and has the next turn
        await kubernetes.release(HERE, credentials(bundle), "one", port=port)
    assert json.loads(asked[0]) == {"preconditions": {"uid": "u", "resourceVersion": "7"}}


async def test_a_refusal_a_foreign_cluster_and_silence_say_what_to_do() -> None:
    bundle, asked = new_bundle(), list[str]()
    async with api_server(bundle, 403, asked) as port:
        with pytest.raises(
            KubernetesError, match="status 403: User x cannot; later: kubectl delete node arda-01"
        ):
            await delete_node(HERE, credentials(bundle), "arda-01", port=port)
        asked.clear()
        with pytest.raises(KubernetesError, match="later: kubectl delete node arda-01"):
            await delete_node(HERE, credentials(new_bundle(2)), "arda-01", port=port)
    with pytest.raises(KubernetesError, match=r":\d+: Connection refused; later: kubectl delete node") as off:
        await delete_node(HERE, credentials(bundle), "arda-01", port=port)
    assert "SSLContext" not in str(off.value)
    assert asked == []


async def one_takes_the_lease(at: str, by: Credentials) -> None:
    assert await kubernetes.lease(at, by, kubernetes.REMOVAL) is None
    assert await kubernetes.take_lease(at, by, kubernetes.REMOVAL, "one", None)
    assert not await kubernetes.take_lease(at, by, kubernetes.REMOVAL, "two", None), "one was first"
    seen = await kubernetes.lease(at, by, kubernetes.REMOVAL)
    assert seen
    assert seen.holder == "one"
    assert await kubernetes.take_lease(at, by, kubernetes.REMOVAL, "one", seen)
    assert not await kubernetes.take_lease(at, by, kubernetes.REMOVAL, "two", seen), (
        "one has renewed it since"
    )
    assert await kubernetes.take_lease(
        at, by, kubernetes.REMOVAL, "two", await kubernetes.lease(at, by, kubernetes.REMOVAL)
    )


async def test_a_node_is_cordoned_drained_and_free_again(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    async with cluster.serving():
        plane = cluster.machine(1, Role.CONTROLPLANE)
        by, at, name = credentials(cluster.bundle), plane.address, "controlplane-1"
        await plane.power_on()
        await until(lambda: plane.service("etcd") == "Preparing" and plane.service("apid") == "Running")
        async with connected(plane, cluster.credentials()) as client:
            await client.bootstrap()
        await until(lambda: plane.is_ready)
        held = cluster.site.kubernetes(cluster.bundle.os.crt.encode())
        held.run("web", name)
        held.run("database", name, owner="")
        held.budgets["web"] = 1

        def left_of_two() -> bool:  # the control plane's own pods come when they like
            return sum(namespace == "default" for namespace, _ in held.pods) == 1

        await kubernetes.cordon(at, by, name, "for a change")
        (node,) = await kubernetes.nodes(at, by)
        assert (node.is_ready, node.is_unschedulable, node.note) == (True, True, "for a change")
        assert node.boot
        assert len(await kubernetes.evict(at, by, name)) == 2
        await until(left_of_two)
        left = await kubernetes.drain(at, by, name, seconds=0.1)
        assert [one.rpartition("-")[0] for one in left] == ["default/web"]
        assert [one.rpartition("-")[0] for one in held.evicted] == ["database"]
        held.budgets.clear()
        held.doubled.add("web")
        held.run("another", name, owner="")
        left = await kubernetes.drain(at, by, name, seconds=0.1)
        assert "(status 500: This pod has more than one PodDisruptionBudget" in left[0]
        await until(left_of_two)
        held.doubled.clear()
        assert await kubernetes.drain(at, by, name) == ()
        assert all(
            app.startswith("kube-") for app in {one[1] for one in held.pods if one[0] == "kube-system"}
        )
        await kubernetes.uncordon(at, by, name)
        (node,) = await kubernetes.nodes(at, by)
        assert (node.is_unschedulable, node.note) == (False, "")

        held.nodes[name]["spec"]["unschedulable"] = True
        await kubernetes.cordon(at, by, name, "for a change")
        await kubernetes.uncordon(at, by, name)
        assert held.nodes[name]["spec"]["unschedulable"], "a person has cordoned it"
        await kubernetes.cordon(at, by, "nobody", "for a change")

        assert await kubernetes.claimant(at, by) == ""
        await kubernetes.claim(at, by, "one")
        await kubernetes.claim(at, by, "two")
        assert await kubernetes.claimant(at, by) == "one"
        await kubernetes.release(at, by, "two")
        assert await kubernetes.claimant(at, by) == "one", "it is not two's turn that ends"
        await kubernetes.release(at, by, "one")
        assert await kubernetes.claimant(at, by) == ""
        await one_takes_the_lease(at, by)
