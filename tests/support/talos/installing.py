"""How a stand-in installs Talos and wipes disks, by the rules of its contract."""

from typing import TYPE_CHECKING

from support.talos.after import After
from support.talos.disk_selectors import SelectorError, first_match, first_of_1_13
from support.talos.hardware import Disk

from iluvatar_pxe.layers.arda.api.protos import runtime_events_pb2 as events_pb2

if TYPE_CHECKING:
    from support.talos.boot import Boot

PULL_SECONDS, WRITE_SECONDS = 20.0, 10.0
AGAIN_SECONDS = 10.0
NO_DISK = "no disk matched the expression"
Stage = events_pb2.MachineStatusEvent.MachineStage
Sequence = events_pb2.SequenceEvent


def wipe_system(boot: "Boot") -> None:
    """Wipe every disk that Talos is on; ``talos.experimental.wipe=system``."""
    for disk in boot.machine.hardware.disks:
        if disk.installed is not None:
            boot.log.write(f"wiping system disk {disk.dev_path}")
            boot.machine.wipe(disk)


async def install(boot: "Boot") -> None:
    """Install onto the disk that the configuration chooses; the boot ends then, or waits for a disk."""
    await (_install_1_13 if boot.is_1_13 else _install_1_14)(boot)


async def _install_1_13(boot: "Boot") -> None:
    assert boot.configuration is not None
    boot.become(Stage.INSTALLING)
    boot.publish(Sequence(sequence="install", action=Sequence.START))
    disk = first_of_1_13(boot.machine.hardware.disks, boot.configuration.install)
    if disk is None:
        boot.log.write("task install failed: no disk matched the selector", "error")
        failed = Sequence(sequence="install", action=Sequence.NOOP)
        failed.error.message = "error running phase install in install sequence: no disk matched"
        boot.publish(failed)
        await boot.clock.sleep(AGAIN_SECONDS)
    else:
        boot.log.write(f"installing Talos to disk {disk.dev_path}")
        await _write(boot, disk)
    boot.publish(Sequence(sequence="install", action=Sequence.STOP))
    boot.end(After.REBOOT)


async def _install_1_14(boot: "Boot") -> None:
    while (disk := _chosen(boot)) is None:
        await boot.changed.wait()
    boot.install_phase, boot.install_error = "installing", ""
    boot.log.write("installing Talos")
    boot.notice()
    await _write(boot, disk)
    boot.log.write("install successful")
    boot.install_phase = "installed"
    assert boot.configuration is not None
    if boot.configuration.installer_image:
        boot.install_phase, boot.must_reboot = "waiting-for-reboot", True
        boot.notice()
        boot.log.write("requesting reboot after successful install")
        boot.end(After.REBOOT)


def _chosen(boot: "Boot") -> Disk | None:
    """Return the disk; without one 1.14 waits, and says so in no log, but in a resource."""
    assert boot.configuration is not None
    provisioning = boot.configuration.unattended_install.get("provisioning") or {}
    expression = (provisioning.get("diskSelector") or {}).get("match", "")
    try:
        found = first_match(boot.machine.hardware.disks, expression) if expression else None
        error = "" if found else NO_DISK
    except (SelectorError, SyntaxError) as problem:
        found, error = None, str(problem)
    if (boot.install_phase, boot.install_error) != ("pending", error):
        boot.install_phase, boot.install_error = "pending", error
    return found


async def _write(boot: "Boot", disk: Disk) -> None:
    configuration = boot.configuration
    assert configuration is not None
    await boot.clock.sleep(PULL_SECONDS)
    await boot.clock.sleep(WRITE_SECONDS)
    tag = configuration.installer_image.rpartition(":")[2]
    boot.machine.install(disk, configuration.text, tag or boot.machine.booted_version)
