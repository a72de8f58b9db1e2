"""What the provisioning system is told, and what it tells of its progress, in lines of text. Pure.

At the address that its kernel argument ``URL_ARGUMENT`` has, it sends ``hardware`` (see ``hardware.py``), then asks for
``install``, and tells how far it is by ``progress``. A plan's lines are a word, a space, and a value up to the line's
end; shell reads them. The first is ``FIRST_LINE``, the last ``end``. Documents of cloud-init are asked for by their names.
"""

import base64
import gzip
import re
from enum import StrEnum

from msgspec import Struct

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.layers.ainur.installer.data import NewData
from iluvatar_pxe.layers.ainur.installer.gpt import OnePartition
from iluvatar_pxe.layers.ainur.installer.layout import Installation, Layout, grown
from iluvatar_pxe.machines.inspection import Disk

URL_ARGUMENT = "iluvatar.url="
HARDWARE, INSTALL, PROGRESS = "hardware", "install", "progress"
"""Names below that address."""
FIRST_LINE = "iluvatar-install 1"
LARGEST_PROGRESS = 4096
"""Bytes of a report of progress."""
_LINE = re.compile(r"(step|percent|fault) (.{1,500})")
_BLOCK = 4096
"""Bytes of a block of a file system that is made."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class Compression(StrEnum):
    """How a part of an image is compressed."""

    ZSTD = "zst"
    XZ = "xz"
    GZIP = "gz"
    NONE = "none"


class InstallStep(StrEnum):
    """What the provisioning system does, in this order."""

    DOCUMENTS = "documents"
    """It fetches the machine's cloud-init documents."""
    DATA = "data"
    """It makes the file system for what lasts, on an empty disk."""
    ERASE = "erase"
    """From here on the disk starts nothing."""
    WRITE = "write"
    """It writes the image, while it checks its sum."""
    GROW = "grow"
    SEED = "seed"
    """It writes the documents, and names its own disk in ``fstab`` and ``cmdline.txt``."""
    DONE = "done"
    """The disk is complete, and the machine restarts."""
    START = "start"
    """The root in memory is complete, and its init is started."""


class ImagePart(Struct, frozen=True, kw_only=True):
    """Where the bytes of a file go once they are unpacked."""

    offset: int
    """Bytes from the disk's beginning."""
    compression: Compression
    size: int
    """Bytes of the file."""
    sha256: str
    """Of the file, as it is downloaded."""
    path: str
    """Of its URL, on the server that gives the plan: that is known by the address at which it was asked."""


class Install(Struct, frozen=True, kw_only=True):
    """A disk is to be erased and installed."""

    disk: Disk
    image: Layout
    parts: tuple[ImagePart, ...]
    installation: Installation
    kernel_args: tuple[str, ...] = ()
    """Added to the image's ``cmdline.txt``."""
    config_lines: tuple[str, ...] = ()
    """Added to its ``config.txt``."""
    data: NewData | None = None
    """The file system that is made before."""


class Load(Struct, frozen=True, kw_only=True):
    """A root is to be built in memory, and started."""

    size: int
    """Bytes that its file system may take."""
    root: ImagePart
    installation: Installation
    data: NewData | None = None
    """The file system that is made before."""


class Wait(Struct, frozen=True):
    """Nothing is done for some seconds, and why, in one line; then everything is asked anew."""

    seconds: int
    why: str


class Restart(Struct, frozen=True):
    """Nothing is to be installed in this boot; ``is_complete``: because the disk is, which the machine then tells."""

    is_complete: bool


Planned = Install | Load | Wait | Restart


class Progress(Struct, frozen=True):
    """What the provisioning system does, how much of it is done, or what went wrong; another try follows a fault."""

    step: InstallStep | None
    percent: int | None = None
    fault: str = ""


def plan_text(plan: Planned) -> str:
    """Return a plan's lines."""
    match plan:
        case Wait(seconds, why):
            lines = [f"wait {seconds} {_plain(why)}"]
        case Restart(is_complete):
            lines = ["restart complete" if is_complete else "restart now"]
        case Install():
            lines = [*_data_lines(plan.data), *_install_lines(plan)]
        case Load():
            lines = [
                *_data_lines(plan.data),
                f"memory {plan.size}",
                _part_line(plan.root),
                f"root-uuid {plan.installation.root_uuid}",
            ]
    return "\n".join((FIRST_LINE, *lines, "end", ""))


def parse_progress(text: str) -> Progress:
    """Return what a report says; raises WireError."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if not match or match[1] in found:
            raise WireError(f"a report of progress has the line {line[:80]!r}, which it cannot have")
        found[match[1]] = match[2]
    step, percent = found.get("step"), found.get("percent", "0")
    if not found or (step and step not in {*InstallStep}) or not re.fullmatch(r"[0-9]{1,2}|100", percent):
        raise WireError("a report of progress names no step that there is, or no percentage")
    return Progress(
        InstallStep(step) if step else None,
        int(percent) if "percent" in found else None,
        _plain(found.get("fault", "")),
    )


def _install_lines(plan: Install) -> list[str]:
    layout, own = grown(plan.image, plan.disk.size), plan.installation
    return [
        f"disk {plan.disk.path}",
        f"disk-size {plan.disk.size}",
        *map(_part_line, plan.parts),
        f"first-table {_base64(layout.table(own, bootable=False))}",
        f"table {_base64(layout.table(own, bootable=True))}",
        f"boot-offset {layout.boot.start}",
        f"boot PARTUUID={own.part_uuid(1)}",
        f"root PARTUUID={own.part_uuid(2)}",
        f"root-uuid {own.root_uuid}",
        *(f"kernel-argument {one}" for one in plan.kernel_args),
        *(f"config-line {one}" for one in plan.config_lines),
    ]


def _part_line(part: ImagePart) -> str:
    return f"part {part.offset} {part.compression} {part.size} {part.sha256} {part.path}"


def _data_lines(data: NewData | None) -> list[str]:
    """Return what is written to an empty disk, its table last; a table is nearly all zeros, and so compressed."""
    if data is None:
        return []
    table = OnePartition(size=data.disk.size, sector=data.sector, name="/".join(data.disk.identity))
    return [
        f"data-disk {data.disk.path}",
        f"data-disk-size {data.disk.size}",
        f"data-label {data.label}",
        f"data-offset {table.partition.start}",
        f"data-blocks {table.partition.size // _BLOCK}",
        *(f"data-write {one.offset} {_base64(gzip.compress(one.data, mtime=0))}" for one in table.writes()),
    ]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _plain(text: str) -> str:
    return _CONTROL.sub(" ", text)
