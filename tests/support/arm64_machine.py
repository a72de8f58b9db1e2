"""A machine of QEMU's for arm64 with one disk, started with a kernel as a Raspberry Pi's firmware starts one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.provisioning_system import ProvisioningSystem

HOST = "10.0.2.2"
"""Where a machine finds this host's loopback: QEMU's own network, which reaches nothing else that a test uses."""
SERIAL = "S-1"
SECONDS = 200.0
_COMMAND = (
    *("qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a57", "-no-reboot"),
    *("-display", "none", "-monitor", "none", "-rtc", "base=1970-01-02"),
    *("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="),
)


class Arm64Machine:
    """One that runs; its console is in a file."""

    def __init__(self, process: "subprocess.Popen[bytes]", console: Path) -> None:
        self.process = process
        self._console = console

    @property
    def console(self) -> str:
        return self._console.read_text(errors="replace")

    def wait_for_restart(self) -> None:
        """Wait until it restarts, which ends QEMU."""
        with suppress(subprocess.TimeoutExpired):
            assert self.process.wait(SECONDS) == 0
            return
        raise AssertionError(f"it does not restart; its console says\n{self.console[-3000:]}")


@contextmanager
def started(
    system: ProvisioningSystem, disk: Path, url: str, console: Path, memory: int = 512
) -> Iterator[Arm64Machine]:
    """Yield a machine that was switched on, with ``memory`` MiB; it is switched off after the block."""
    command = [
        *(*_COMMAND, "-m", str(memory), "-kernel", str(system.kernel), "-initrd", str(system.initramfs)),
        *("-append", f"console=ttyAMA0 iluvatar.url={url}", "-serial", f"file:{console}"),
        *("-drive", f"if=none,id=disk,format=raw,file={disk}"),
        *("-device", f"virtio-blk-pci,drive=disk,serial={SERIAL}"),
    ]
    console.touch()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})
    try:
        yield Arm64Machine(process, console)
    finally:
        process.kill()
        process.wait()
