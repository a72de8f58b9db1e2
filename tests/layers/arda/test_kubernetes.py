"""The client of the Kubernetes API, against a server that takes only certificates of the cluster."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from support.talos.certificates import Authority, server_context
from support.talos.cluster import new_bundle
from support.talos.configuration import Pair

from iluvatar_pxe.errors import KubernetesError
from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.credentials import Credentials, kubernetes_credentials
from iluvatar_pxe.layers.arda.kubernetes import delete_node

HERE = "127.0.0.1"


def credentials(bundle: Bundle) -> Credentials:
    return kubernetes_credentials(bundle, timedelta(hours=1), datetime.now(UTC), random.randbytes)


@asynccontextmanager
async def api_server(bundle: Bundle, status: int, asked: list[str]) -> AsyncIterator[int]:
    async def delete(request: web.Request) -> web.Response:
        transport = request.transport
        assert transport
        asked.append(f"{request.path} by {transport.get_extra_info('peercert')['subject'][-1][0][1]}")
        return web.json_response({"kind": "Status", "code": status}, status=status)

    pair = Pair(bundle.kubernetes.crt.encode(), bundle.kubernetes.key.encode())
    authority = Authority.of(pair)
    context = server_context(authority.leaf("kube-apiserver", [HERE], datetime.now(UTC)), [authority.pem])
    application = web.Application()
    application.router.add_delete("/api/v1/nodes/{name}", delete)
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


async def test_a_refusal_a_foreign_cluster_and_silence_say_what_to_do() -> None:
    bundle, asked = new_bundle(), list[str]()
    async with api_server(bundle, 403, asked) as port:
        with pytest.raises(KubernetesError, match="status 403; later: kubectl delete node arda-01"):
            await delete_node(HERE, credentials(bundle), "arda-01", port=port)
        asked.clear()
        with pytest.raises(KubernetesError, match="later: kubectl delete node arda-01"):
            await delete_node(HERE, credentials(new_bundle(2)), "arda-01", port=port)
    with pytest.raises(KubernetesError, match="later: kubectl delete node arda-01"):
        await delete_node(HERE, credentials(bundle), "arda-01", port=port)
    assert asked == []
