"""Writes a seed card: a publisher's image for Raspberry Pis, and on its boot partition what its first start needs.

All of that is on the FAT partition: mtools write there without root or a mount, 512 MB have room for some 30 MB of
wheels, and whoever flashed the card can look at it and edit it on any computer. cloud-init is told by ``vendor-data``.
Raspberry Pi Imager replaces ``user-data``, ``network-config`` and ``meta-data`` there by what a person chooses in it,
and has no vendor-data of its own (rpi-imager, src/downloadthread.cpp), so users, keys and host name remain a person's,
and the image's own files say what they are if nobody chooses. No secret is on the card: keys are made by its first start.
"""

import hashlib
import shutil
import subprocess
from pathlib import Path

from msgspec import Struct

from iluvatar_pxe.assets.unpack.partitions import HEAD, LARGEST_IMAGE, partitions_of
from iluvatar_pxe.assets.unpack.root import SparseFile, debugfs_path
from iluvatar_pxe.assets.unpack.stream import CHUNK, Stream, opened
from iluvatar_pxe.errors import SeedCardError
from iluvatar_pxe.layers.ainur.seed_card.card_file import new_file
from iluvatar_pxe.layers.ainur.seed_card.faults import named
from iluvatar_pxe.layers.ainur.seed_card.image_facts import STATUS, ImageFacts, facts_of
from iluvatar_pxe.layers.ainur.seed_card.mtools import copy_in, has, read
from iluvatar_pxe.layers.ainur.seed_card.systems import BEGINNING, System, system_of
from iluvatar_pxe.layers.ainur.seed_card.wheels import WheelSource, gather
from iluvatar_pxe.resources import data_directory

FOLDER = "iluvatar-pxe"
"""On the boot partition."""
BUNDLE = "fleet.bundle"
_VENDOR_DATA = "vendor-data"
_CMDLINE = "cmdline.txt"
_MACHINE = "aarch64"
_OWN = 128 << 20
"""Bytes of what comes beside the image."""
_SECONDS = 120.0


class SeedCard(Struct, frozen=True):
    """What a card was made of."""

    system: System
    facts: ImageFacts
    wheels: int


def write_seed_card(
    out: Path, image: Path, wheels: WheelSource, bundle: Path | None, *, force: bool
) -> SeedCard:
    """Write a card of an image, compressed or not, with a fleet as a bundle of git's.

    Without a bundle, the first start makes the starter fleet. Raises SeedCardError, and OSError.
    """
    with opened(image, LARGEST_IMAGE, lambda _done, _size: None) as stream:
        with named(image):
            beginning = stream.read(BEGINNING)
            boot, root = partitions_of(beginning[:HEAD])
            system = system_of(beginning[boot.start :])
        with new_file(out, root.end + _OWN, force=force) as card:
            with named(image):
                _copy(beginning, stream, card)
                facts = facts_of(_packages(card, root.start))
                _check_unused(card, boot.start)
                files = _with_arguments(card, boot.start, system.arguments)
            folder = card.with_name(FOLDER)
            count = _fill(folder, facts.python, wheels, bundle)
            vendor_data = data_directory("boot_assets") / "seed_card" / _VENDOR_DATA
            copy_in(card, boot.start, [folder, vendor_data, *files])
    return SeedCard(system, facts, count)


def _copy(beginning: bytes, stream: Stream, card: Path) -> None:
    with SparseFile(card) as sparse:
        sparse.write(beginning)
        while chunk := stream.read(CHUNK):
            sparse.write(chunk)


def _check_unused(card: Path, offset: int) -> None:
    """Refuse an image that a card was made of before: wheels of another version would be left in it."""
    if has(card, offset, FOLDER):
        raise SeedCardError("is a seed card already; name the publisher's image")


def _with_arguments(card: Path, offset: int, arguments: str) -> list[Path]:
    """Return ``cmdline.txt`` with these kernel arguments, as a file that is to replace it; none where it has them."""
    if not arguments:
        return []
    line = read(card, offset, _CMDLINE).strip()
    if arguments in line.split():
        return []
    file = card.with_name(_CMDLINE)
    file.write_text(f"{line} {arguments}\n", encoding="utf-8")
    return [file]


def _packages(card: Path, offset: int) -> str:
    """Return the list of packages of the root file system that begins at an offset, empty where there is none."""
    if (debugfs := debugfs_path()) is None:
        raise SeedCardError("debugfs: not installed; sudo apt-get install e2fsprogs")
    command = [debugfs, "-R", f"cat {STATUS}", f"{card}?offset={offset}"]
    done = subprocess.run(  # noqa: S603 - argument list made here
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_SECONDS
    )
    return done.stdout.decode(errors="replace")


def _fill(folder: Path, python: str, wheels: WheelSource, bundle: Path | None) -> int:
    """Make the folder of the card, and return how many wheels it has."""
    templates = data_directory("boot_assets") / "seed_card"
    shutil.copytree(
        templates, folder, ignore=shutil.ignore_patterns(_VENDOR_DATA), copy_function=shutil.copyfile
    )
    place = folder / "wheels"
    place.mkdir()
    gather(place, wheels, python, _MACHINE)
    if bundle:
        shutil.copyfile(bundle, folder / BUNDLE)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{_sha256(path)}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="ascii")
    return len(list(place.iterdir()))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
