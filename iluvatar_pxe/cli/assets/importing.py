"""``assets import``: wanted files from a stick, copied to the daemon and verified there."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from iluvatar_pxe.admin.assets import AssetsImport, AssetsStatus
from iluvatar_pxe.admin.describe import Data
from iluvatar_pxe.cli.assets.matching import found_in
from iluvatar_pxe.cli.assets.session import Session, daemon_runs, session
from iluvatar_pxe.cli.assets.staging import Opened, copy, files_below, staging, without_links
from iluvatar_pxe.cli.assets.watching import LOOK_SECONDS, Show, is_read, look, watch
from iluvatar_pxe.cli.assets.words import COPYING
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.host.owner import Owner, acting_as
from iluvatar_pxe.settings.model import Settings


async def import_all(settings: Settings, paths: Sequence[Path], show: Show, *, trust: bool) -> list[Data]:
    """Import the wanted files below these paths, but not those that are there; return the last rows of all.

    Raises OSError, OperationError, AssetError and ControlError.
    """
    runs = await daemon_runs(settings)
    with ExitStack() as files:
        async with session(settings, runs=runs) as place:
            known = (await place.ask(AssetsStatus()))["files"]
        rows, opened = await asyncio.to_thread(_opened, paths, known, files)
        async with session(settings, runs=runs) as place:
            with acting_as(Owner.of(settings.state_directory)), staging(settings.assets_directory) as folder:
                for one in opened:
                    rows |= await _import(place, one, folder, show, trust=trust)
    return list(rows.values())


def _opened(
    paths: Sequence[Path], rows: Sequence[Data], files: ExitStack
) -> tuple[dict[str, Data], list[Opened]]:
    """Return the rows of the files that were found, and open what is to be imported.

    It is opened by whoever gives the command: the daemon's user may not be able to.
    """
    found = {one.name: one for one in found_in(_given(paths), files_below(paths), rows)}
    if not found:
        where = " ".join(map(str, paths))
        raise OperationError(
            f"{where}: has no file that the fleet wants; to see them: iluvatar-pxe assets status"
        )
    meant = {row["name"]: row | {"fault": None} for row in rows if row["name"] in found}
    return meant, [Opened.of(found[name], files) for name, row in meant.items() if not row["ready"]]


def _given(paths: Sequence[Path]) -> list[Path]:
    """Return the files that were given, as ``files_below`` returns them."""
    return [without_links(path) for path in paths if not path.is_dir()]


async def _import(
    place: Session, opened: Opened, folder: Path, show: Show, *, trust: bool
) -> dict[str, Data]:
    copied = 0

    def report(octets: int) -> None:
        nonlocal copied
        copied = octets

    (row,) = await look(place, [opened.name])
    copying = asyncio.create_task(asyncio.to_thread(copy, opened, folder, report))
    while not copying.done():
        share = {"bytes": copied, "size": opened.size, "percent": copied * 100 // (opened.size or 1)}
        show([row | share | {"state": COPYING, "trouble": None}])
        await asyncio.wait([copying], timeout=LOOK_SECONDS)
    await place.ask(AssetsImport(name=opened.name, file=await copying, trust=trust))
    return {row["name"]: row for row in await watch(place, [opened.name], is_read, show)}
