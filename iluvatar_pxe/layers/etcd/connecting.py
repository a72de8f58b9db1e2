"""Opens clients of etcd: gRPC and protobuf are loaded, in a thread, when the first member is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from iluvatar_pxe.layers.credentials import Credentials

if TYPE_CHECKING:
    from iluvatar_pxe.layers.etcd.client import EtcdApi


@asynccontextmanager
async def etcd_api(address: str, credentials: Credentials, *, name: str) -> "AsyncIterator[EtcdApi]":
    """Give a client of the member at an IP address, as ``EtcdApi.connect``."""
    kind = await asyncio.to_thread(_kind)
    async with kind.connect(address, credentials, name=name) as api:
        yield api


def _kind() -> "type[EtcdApi]":
    from iluvatar_pxe.layers.etcd.client import EtcdApi  # noqa: PLC0415 - 6 MiB, which few fleets need

    return EtcdApi
