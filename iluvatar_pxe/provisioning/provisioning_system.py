"""The initramfs that installs Raspberry Pis: made of boot files when it is first asked for, and kept in memory."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial

from iluvatar_pxe.assets.source import FileSource
from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.assets.unpack.image import FACTS
from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.catalogue.provisioning import TOOL_FILES
from iluvatar_pxe.errors import AssetNotReadyError, UnpackError
from iluvatar_pxe.host.threads import begun
from iluvatar_pxe.layers.ainur.installer.contents import pack_modules, pack_system
from iluvatar_pxe.layers.ainur.installer.image_facts import PartitionFacts, read_facts
from iluvatar_pxe.layers.ainur.installer.modules import load_order
from iluvatar_pxe.layers.ainur.installer.vendor import MODULES, modules_in

_MOST_KERNELS = 4
"""For which it is kept, some 10 MB each."""


class ProvisioningSystem:
    """Makes it for each kernel; belongs to one event loop."""

    def __init__(self, store: AssetStore, scripts: Mapping[str, bytes]) -> None:
        """``scripts`` are the files of ``boot_assets/installer`` by their names."""
        self._store = store
        self._scripts = scripts
        self._made: Recent[tuple[str, ...], asyncio.Future[bytes]] = Recent(_MOST_KERNELS)
        self._asking = asyncio.Lock()

    async def initramfs(self, initrd: str) -> bytes:
        """Return it for the kernel of an image whose own initrd has this logical name; raises AssetError.

        A slow host needs longer for it than a Pi waits: what was begun is there for whoever asks next.
        """
        async with self._asking, AsyncExitStack() as stack:
            sources = [await self._open(name, stack) for name in (initrd, *TOOL_FILES.values())]
            key = (initrd, *(source.tag for source in sources))
            made = self._made.get(key)
            if made is None or _has_failed(made):
                contents = [await source.read(0, source.size) for source in sources]
                made = begun(partial(self._pack, contents))
                made.add_done_callback(_has_failed)  # otherwise asyncio logs that nobody has looked at it
                self._made.put(key, made)
        return await asyncio.shield(made)

    async def _open(self, name: str, stack: AsyncExitStack) -> FileSource:
        source = await self._store.open(name)
        if source is None:
            raise AssetNotReadyError(f"{name}: is missing; run 'iluvatar-pxe assets fetch'")
        stack.push_async_callback(source.close)
        return source

    def _pack(self, contents: Sequence[bytes]) -> bytes:
        """Pack an initrd's modules with the tools, which come behind it in the order of ``TOOL_FILES``."""
        initrd, *tools = contents
        modules = load_order(modules_in(initrd), MODULES)
        return pack_system(dict(zip(TOOL_FILES, tools, strict=True)), self._scripts) + pack_modules(modules)


def _has_failed(made: asyncio.Future[bytes]) -> bool:
    return made.done() and (made.cancelled() or made.exception() is not None)


async def read_partitions(store: AssetStore, folder: str) -> PartitionFacts:
    """Return what unpacking the image in a folder has found out; raises AssetError."""
    name = f"{folder}/{FACTS}"
    source = await store.open(name)
    if source is None:
        raise AssetNotReadyError(f"{name}: is missing; run 'iluvatar-pxe assets fetch'")
    try:
        return read_facts((await source.read(0, source.size)).decode(errors="replace"))
    except UnpackError as error:
        raise UnpackError(f"{folder}: {error}") from error
    finally:
        await source.close()
