"""The file that a card's image is written to: in its place only when it is whole, and never a device."""

import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from iluvatar_pxe.amount import amount
from iluvatar_pxe.assets.space import FULL
from iluvatar_pxe.errors import SeedCardError
from iluvatar_pxe.host.durable import put_in_place


@contextmanager
def new_file(out: Path, needed: int, *, force: bool) -> Iterator[Path]:
    """Yield where to make a file, in a folder of its own beside ``out``, and put it there after the block.

    ``needed`` are the bytes that come. What was there stays if the block fails. Raises SeedCardError where ``out``
    cannot or must not be written, and OSError.
    """
    check_out(out, force=force)
    if (free := shutil.disk_usage(out.parent).free) < needed:
        raise _full(out, needed - free)
    folder = Path(mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        yield folder / out.name
        put_in_place(folder / out.name, out)
    except OSError as error:
        if error.errno in FULL:
            raise _full(out, needed) from error
        raise
    finally:
        shutil.rmtree(folder)


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


def _full(out: Path, lacks: int) -> SeedCardError:
    return SeedCardError(
        f"{out}: no space left in {out.parent}: {amount(lacks)} more are needed; make room, or name a file on "
        f"another disk"
    )
