"""The stand-in for a cluster's API server ends cleanly, whoever is just connecting to it."""

import asyncio
import gc
import socket

import pytest
from support.founded_clusters import TALOS
from support.objects_api import ObjectsApi
from support.talos.site import loopback_addresses


@pytest.mark.parametrize("steps", range(5))
async def test_it_ends_while_somebody_connects(steps: int) -> None:
    """Accepting takes asyncio some steps; a connection left between two of them fails the test here, not a later one."""
    api = ObjectsApi(next(loopback_addresses()))
    with socket.socket() as client:
        async with api.serving(TALOS.kubernetes, TALOS.kubernetes):
            await asyncio.sleep(0)
            client.connect((api.address, 6443))
            for _ in range(steps):
                await asyncio.sleep(0)
    gc.collect()
