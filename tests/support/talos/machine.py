"""One stand-in for a machine that boots Talos: its power, its firmware, and what outlives a boot."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from support.talos.after import After
from support.talos.boot import Boot
from support.talos.clock import Clock
from support.talos.hardware import Disk, Hardware, Installed
from support.talos.site import Site

from iluvatar_pxe.layers.arda.documents import Contract

POST_SECONDS = 5.0

Firmware = Callable[["Machine"], Awaitable[str | None]]
"""Returns the kernel's arguments of a network boot, or None to boot from the disk."""
Verdict = Callable[[str], object]
"""Raises an exception about a complete configuration that Talos refuses."""


class Machine:
    """A machine that lives in the test's event loop while it has power."""

    def __init__(
        self,
        site: Site,
        hardware: Hardware,
        address: str,
        directory: Path,
        firmware: Firmware,
        *,
        version: str = "v1.14.1",
        clock: Clock | None = None,
        verdict: Verdict = str,
    ) -> None:
        self.site, self.hardware, self.address, self.firmware = site, hardware, address, firmware
        self.booted_version, self.clock, self.verdict = version, clock or Clock(), verdict
        self.failures: list[str] = []
        """What must not happen to a machine, such as an overwritten disk of somebody."""
        self.boots: list[Boot] = []
        self.bootstraps = 0
        """How often it has taken the order to found a cluster."""
        self.may_write_etcd = asyncio.Event()
        """Cleared: etcd is told to start, and has not written anything yet."""
        self.may_write_etcd.set()
        self.answers = asyncio.Event()
        """Cleared: the API accepts connections and answers nothing."""
        self.answers.set()
        self._directory = directory
        self._life: asyncio.Task[None] | None = None
        site.machines.append(self)

    @property
    def boot(self) -> Boot | None:
        """Return the boot that goes on."""
        return self.boots[-1] if self.is_on and self.boots and not self.boots[-1].is_over else None

    @property
    def is_on(self) -> bool:
        if self._life is not None and self._life.done() and not self._life.cancelled():
            self._life.result()  # a defect of the stand-in is no machine that is off
        return self._life is not None and not self._life.done()

    @property
    def is_ready(self) -> bool:
        """Say whether it has joined: it runs, and Kubernetes has its node ready."""
        return self.boot is not None and self.boot.is_running_and_ready

    def service(self, name: str) -> str:
        """Return the state of a service in the boot that goes on, or nothing."""
        return self.boot.services.state(name) if self.boot is not None else ""

    @property
    def version(self) -> str:
        disk = self.hardware.system_disk
        return disk.installed.version if disk and disk.installed else self.booted_version

    @property
    def contract(self) -> Contract:
        return Contract.of(self.version)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.power_cut()

    async def power_on(self) -> None:
        assert not self.is_on
        self._life = asyncio.create_task(self._live(), name=f"stand-in {self.address}")

    async def power_off(self) -> None:
        """Shut down in order, as a person who presses the button."""
        if self.boot is not None:
            self.boot.end(After.OFF)
        if self._life is not None:
            await self._life

    async def power_cut(self) -> None:
        """Take the power away: nothing that is only in memory is left, and nobody is told."""
        life, self._life = self._life, None
        if life is None:
            return
        life.cancel()
        with suppress(asyncio.CancelledError):
            await life

    def serves_as_control_plane(self, authority: bytes) -> bool:
        boot = self.boot
        if boot is None or boot.configuration is None or not boot.is_installed:
            return False
        return boot.configuration.is_control_plane and boot.configuration.os_ca.crt == authority

    def install(self, disk: Disk, config: str, version: str) -> None:
        """Overwrite a disk with Talos: there is a new partition table, whatever was there."""
        if disk.holds:
            self.failures.append(f"{disk.dev_path} held {', '.join(disk.holds)} and was overwritten")
        disk.holds = ()
        var = self._directory / f"{disk.name}-var"
        shutil.rmtree(var, ignore_errors=True)
        var.mkdir(parents=True)
        disk.installed = Installed(version, config, var)

    def wipe(self, disk: Disk) -> None:
        if disk.installed is not None:
            shutil.rmtree(disk.installed.var, ignore_errors=True)
        disk.installed = None

    async def _live(self) -> None:
        while True:
            await self.clock.sleep(POST_SECONDS)
            arguments = await self.firmware(self)
            if arguments is None and self.hardware.system_disk is None:
                self.failures.append("no bootable disk")
                return
            boot = Boot(self, arguments or "")
            self.boots.append(boot)
            if await boot.run() is After.OFF:
                return
