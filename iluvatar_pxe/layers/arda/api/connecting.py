"""Opens clients of Talos' API: gRPC and protobuf are loaded, in a thread, when the first machine is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from iluvatar_pxe.layers.arda.api.tls import PORT
from iluvatar_pxe.layers.credentials import Credentials

if TYPE_CHECKING:
    from iluvatar_pxe.layers.arda.api.client import TalosApi


@asynccontextmanager
async def talos_api(
    address: str, credentials: Credentials | None, *, name: str = "", port: int = PORT
) -> "AsyncIterator[TalosApi]":
    """Give a client of the machine at an IP address, as ``TalosApi.connect``."""
    kind = await asyncio.to_thread(_kind)
    async with kind.connect(address, credentials, name=name, port=port) as api:
        yield api


def _kind() -> "type[TalosApi]":
    from iluvatar_pxe.layers.arda.api.client import TalosApi  # noqa: PLC0415 - 6 MiB, which few fleets need

    return TalosApi
