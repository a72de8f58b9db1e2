"""``assets import``: wanted files from a stick, copied to the daemon and verified there."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from msgspec import Struct

from iluvatar_pxe.admin.asset_words import COPYING
from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.requests.assets import AssetsImport, AssetsStatus
from iluvatar_pxe.assets.brought import staging
from iluvatar_pxe.assets.placing import Done, unhurried
from iluvatar_pxe.cli.assets.matching import Refuse, found_in
from iluvatar_pxe.cli.assets.session import Session, daemon_runs, session
from iluvatar_pxe.cli.assets.staging import Opened, copy, fault_of, files_below
from iluvatar_pxe.cli.assets.watching import LOOK_SECONDS, Show, is_read, look, watch
from iluvatar_pxe.errors import AssetError, OperationError
from iluvatar_pxe.host.owner import Owner, acting_as
from iluvatar_pxe.host.threads import ended, to_the_end
from iluvatar_pxe.settings.model import Settings

_MOST_COPIES = 8
"""Files of one name that are opened: the first of them may not be the wanted one."""


class Imported(Struct, frozen=True):
    """The last rows of the wanted files that were found, and why others were left, one line each."""

    rows: Sequence[Data]
    refused: Sequence[str]


async def import_all(settings: Settings, paths: Sequence[Path], show: Show, *, trust: bool) -> Imported:
    """Import the wanted files below these paths, but not those that are there. One that is refused stops no other.

    Raises OSError, OperationError, AssetError and ControlError.
    """
    runs, refused = await daemon_runs(settings), list[str]()
    with ExitStack() as files:
        async with session(settings, runs=runs) as place:
            known = (await place.ask(AssetsStatus()))["files"]
        rows, opened = await to_the_end(_opened, paths, known, files, refused.append)
        if not rows and not refused:
            where = " ".join(map(str, paths))
            raise OperationError(
                f"{where}: has no file that the fleet wants; to see them: iluvatar-pxe assets status"
            )
        show([row for row in rows.values() if row["fault"]])
        async with session(settings, runs=runs) as place:
            with acting_as(Owner.of(settings.state_directory)), staging(settings.assets_directory) as folder:
                for name, copies in opened.items():
                    import_one = partial(_tried, place, folder, show, rows[name], trust=trust)
                    rows[name] = await _first_right(import_one, copies, refused.append)
    return Imported(list(rows.values()), refused)


def _opened(
    paths: Sequence[Path], rows: Sequence[Data], files: ExitStack, refuse: Refuse
) -> tuple[dict[str, Data], dict[str, list[Opened]]]:
    """Return the rows of the files that were found, and open what is to be imported: of each name, some copies.

    It is opened by whoever gives the command: the daemon's user may not be able to.
    """
    known = {row["name"]: row | {"fault": None} for row in rows}
    meant: dict[str, Data] = {}
    opened: dict[str, list[Opened]] = {}
    for found in found_in(files_below(paths, refuse), rows, refuse):
        row = meant.setdefault(found.name, known[found.name])
        copies = opened.get(found.name, [])
        if row["ready"] or len(copies) == _MOST_COPIES:
            continue
        try:
            opened[found.name] = [*copies, Opened.of(found, files)]
            meant[found.name] = known[found.name]
        except (OSError, OperationError, AssetError) as error:
            if not copies:
                told = fault_of(error) if isinstance(error, OSError) else str(error)
                meant[found.name] = row | {"fault": told}
    return meant, opened


async def _first_right(
    import_one: Callable[[Opened], Awaitable[Data]], copies: Sequence[Opened], refuse: Refuse
) -> Data:
    """Import the first of a file's copies that is the wanted one; return the last row, which says why if none is."""
    row, faults = Data(), list[str]()
    for one in copies:
        row = await import_one(one)
        if row["ready"]:
            return row
        faults.append(f"{one.path}: {row['fault']}")
    for fault in faults[:-1]:
        refuse(fault)
    return row


async def _tried(place: Session, folder: Path, show: Show, row: Data, opened: Opened, *, trust: bool) -> Data:
    """Import a file, and return its last row, which says why if it was refused."""
    try:
        return await _import(place, opened, folder, show, trust=trust)
    except (OperationError, AssetError) as error:
        refused = row | {"fault": str(error)}
        show([refused])
        return refused


async def _import(place: Session, opened: Opened, folder: Path, show: Show, *, trust: bool) -> Data:
    rows = await look(place, [opened.name])
    file = await copied(opened, folder, lambda share: show([row | share for row in rows]))
    await place.ask(AssetsImport(name=opened.name, file=file, trust=trust))
    (row,) = await watch(place, [opened.name], is_read, show)
    return row


async def copied(opened: Opened, folder: Path, show: Callable[[Data], None]) -> Path:
    """Copy a file, and show how far that is; where this is cancelled, the copy ends first."""
    done = 0

    def report(octets: int, _size: int | None) -> None:
        nonlocal done
        done = octets

    def work(tell: Done) -> Path:
        return copy(opened, folder, lambda octets: tell(octets, opened.size))

    copying = asyncio.create_task(unhurried(work, report))
    try:
        while not copying.done():
            share = {"bytes": done, "size": opened.size, "percent": done * 100 // (opened.size or 1)}
            show(share | {"state": COPYING, "trouble": None})
            await asyncio.wait([copying], timeout=LOOK_SECONDS)
    finally:
        copying.cancel()
        await ended(copying)
    return copying.result()
