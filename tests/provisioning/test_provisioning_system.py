"""The provisioning system's initramfs is made once, however long that takes."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from support.pi_assets import installable
from support.waiting import until

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.provisioning.provisioning_system import ProvisioningSystem

INITRD = "raspberry-pi/small/initrd.img"


class Scripts(Mapping[str, bytes]):
    """Are read once for each making, which takes until ``go``."""

    def __init__(self) -> None:
        self.read, self.go = 0, threading.Event()

    def __getitem__(self, name: str) -> bytes:
        return b"#!/bin/sh\n"

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        self.read += 1
        assert self.go.wait(60)
        yield "init"


async def test_what_nobody_waits_for_any_longer_is_there_for_the_next_who_asks(tmp_path: Path) -> None:
    for name, content in installable("small").items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    store, scripts = AssetStore(tmp_path), Scripts()
    await store.refresh()
    system = ProvisioningSystem(store, scripts)
    first = asyncio.create_task(system.initramfs(INITRD))
    await until(lambda: scripts.read)
    first.cancel()
    await asyncio.wait([first])
    second = asyncio.create_task(system.initramfs(INITRD))
    await asyncio.sleep(0)
    scripts.go.set()
    assert await second
    assert scripts.read == 1
