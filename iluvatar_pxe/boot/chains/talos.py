"""talos: Talos Linux from memory, which fetches its machine configuration with a ticket."""

from iluvatar_pxe.boot.case import Subject
from iluvatar_pxe.boot.chains.hold import hold_for, hold_without, hold_without_files
from iluvatar_pxe.boot.plan import Hold, RunScript, ToBeMade
from iluvatar_pxe.boot.screens import disk_notes, nic_notes
from iluvatar_pxe.catalogue.choosing import key_of, told
from iluvatar_pxe.catalogue.lock import STABLE
from iluvatar_pxe.catalogue.names import TALOS
from iluvatar_pxe.fleet.models import Talos, TalosLayer
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.fleet.source import layer_file
from iluvatar_pxe.machines.states import LayerKind
from iluvatar_pxe.wire.pxe import CpuArch

_TALOS_ARCH = {CpuArch.X86_64: "amd64", CpuArch.ARM64: "arm64"}

KERNEL_ARGS = (
    "talos.platform=metal",
    "console=tty0",
    "slab_nomerge=",
    "pti=on",
    "consoleblank=0",
    "printk.devkmsg=on",
    "selinux=1",
    "module.sig_enforce=1",
    "proc_mem.force_override=never",
)
"""What Image Factory gives a metal machine by default (siderolabs/talos, pkg/machinery/kernel/kernel.go).

Talos reboots for ever without ``slab_nomerge`` and ``pti=on``.
"""
WIPE = "talos.experimental.wipe=system"
"""Talos wipes every disk on which it finds itself installed, and restarts. With nothing to wipe it restarts, too."""
KERNEL_ARGS_TO_1_13 = ("init_on_alloc=1", "nvme_core.io_timeout=4294967295")


def plan(subject: Subject) -> RunScript | Hold:
    """Boot Talos' kernel and initramfs; hold while one of them is not there."""
    arch = _TALOS_ARCH.get(subject.arch)
    if arch is None:
        return hold_for(
            subject, f"Talos runs on x86_64 and arm64, not on {subject.arch}", "choose another chain"
        )
    layer = subject.fleet.talos(subject.case.layer)
    if layer is None:
        return hold_without(subject, LayerKind.TALOS)
    kernel, initramfs = asset_names(layer.talos, arch)
    if lacking := _hold_without(subject, layer.talos, kernel, initramfs):
        return lacking
    config = _configuration(subject, layer)
    if isinstance(config, Hold):
        return config
    wipes = subject.case.machine is not None and subject.case.machine.directive.wipe.next_boot_wipes
    wiped = ", which first wipes the Talos that is installed" if wipes else ""
    made = ", with a configuration that the daemon makes" if isinstance(config, ToBeMade) else ""
    return RunScript(
        why=f"{subject.why}, Talos {layer.talos.version}{made}{wiped}",
        chain="talos",
        name=subject.title,
        template="talos.ipxe",
        values={
            "version": layer.talos.version,
            "kernel": kernel,
            "initramfs": initramfs,
            "kernel_args": " ".join(
                (*kernel_args(layer.talos), *(subject.options.kernel_args or ()), *((WIPE,) if wipes else ()))
            ),
        },
        config=config,
        notes=(*nic_notes(subject.case), *(disk_notes(subject.case) if made else ())),
    )


def _configuration(subject: Subject, layer: TalosLayer) -> str | ToBeMade | Hold:
    """Return the configuration that the fleet has for a machine; where its layer has none at all, one is made."""
    name, role = subject.case.layer or "", subject.role
    file = subject.options.config or (layer.config.get(role) if role else None)
    if file is None and role and not layer.config:
        return ToBeMade(name, role)
    if file is None:
        trouble = f"{layer_file(name)} has no configuration for {f'role {role}' if role else 'its role'}"
        return hold_for(
            subject, trouble, "add it there under 'config:', or set 'config:' in its file or rule"
        )
    text = subject.fleet.texts[file]
    if is_sealed(text):
        trouble = f"{file} is sealed, and the boot server's key does not open it"
        return hold_for(subject, trouble, "run 'iluvatar-pxe fleet recover --key FILE' there")
    return text


def _hold_without(subject: Subject, talos: Talos, *files: str) -> Hold | None:
    """Hold a machine whose boot files are not here, or of which it is not known yet which they are."""
    if not talos.is_chosen:
        file = layer_file(subject.case.layer or "")
        why, remedy = told(subject.case.context.coming.get(key_of(TALOS)), file)
        trouble = f"which version of Talos is '{STABLE}' for {file} is not known yet"
        return hold_for(subject, f"{trouble}: {why}" if why else trouble, remedy)
    missing = [name for name in files if name not in subject.ready]
    return hold_without_files(subject, missing) if missing else None


def asset_names(talos: Talos, arch: str) -> tuple[str, str]:
    """Return the logical names of kernel and initramfs, laid out as Image Factory serves them."""
    folder = f"talos/{talos.schematic}/{talos.version}"
    return f"{folder}/kernel-{arch}", f"{folder}/initramfs-{arch}.xz"


def kernel_args(talos: Talos) -> tuple[str, ...]:
    """Return the kernel's arguments of a layer but for ``talos.config``."""
    older = KERNEL_ARGS_TO_1_13 if talos.minor <= (1, 13) else ()
    return (*KERNEL_ARGS, *older, *talos.extra_kernel_args)
