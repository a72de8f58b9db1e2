"""The file that a card's image is written to: in its place only when it is whole, and never a device."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iluvatar_pxe.amount import amount
from iluvatar_pxe.errors import SeedCardError
from iluvatar_pxe.host.durable import put_in_place
from iluvatar_pxe.host.owner import Owner


@contextmanager
def new_file(out: Path, needed: int, *, force: bool) -> Iterator[Path]:
    """Yield an empty file beside ``out``, and put it there after the block; what is there stays if that fails.

    ``needed`` are the bytes that come. Raises SeedCardError where ``out`` cannot or must not be written, and OSError.
    """
    check_out(out, force=force)
    free = shutil.disk_usage(out.parent).free
    if needed > free:
        raise SeedCardError(
            f"{out}: no space left in {out.parent}: {amount(needed - free)} more are needed; make room, or "
            f"name a file on another disk"
        )
    handle, name = tempfile.mkstemp(prefix=f".{out.name}-", dir=out.parent)
    try:
        with os.fdopen(handle, "wb"):
            Owner.of(out.parent).take(handle)
        yield Path(name)
        put_in_place(Path(name), out)
    finally:
        Path(name).unlink(missing_ok=True)


def check_out(out: Path, *, force: bool) -> None:
    """Raise SeedCardError unless a file can be put there, in place of another one only with ``force``."""
    try:
        mode = out.stat().st_mode
    except FileNotFoundError:
        if not out.parent.is_dir():
            raise SeedCardError(f"{out}: {out.parent} is no directory; make it first") from None
        return
    if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        raise SeedCardError(
            f"{out}: is a device; name a file, and write that to the card with Raspberry Pi Imager, or with: "
            f"sudo dd if=FILE of={out} bs=4M conv=fsync"
        )
    if not stat.S_ISREG(mode):
        raise SeedCardError(f"{out}: is no file; name another one")
    if not force:
        raise SeedCardError(f"{out}: exists; name another file, or replace it with --force")
