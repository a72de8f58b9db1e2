"""A lab for the user's own fleet: it serves that, and stand-ins for the boot files that are missing."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from msgspec import Struct

from iluvatar_pxe.assets.store import SYSTEM_PROGRAMS, list_assets
from iluvatar_pxe.boot.chains.talos import asset_names
from iluvatar_pxe.boot.programs import PROGRAM_FOLDER
from iluvatar_pxe.lab.daemon import Server
from iluvatar_pxe.lab.guest.firmware import FIRMWARE
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.lab import Lab
from iluvatar_pxe.lab.room.namespace import DIRECTORY
from iluvatar_pxe.lab.system.ipxe import PROGRAMS, current_ipxe
from iluvatar_pxe.lab.system.kernel import stand_in
from iluvatar_pxe.lab.system.stand_ins import add_programs, add_talos, talos_of, write_fleet

_STAND_INS = DIRECTORY / "stand-ins"
_OWN_FLEET = DIRECTORY / "stand-in-fleet"
_NO_ASSETS = DIRECTORY / "no-assets"

Say = Callable[[str], None]


class Sources(Struct, frozen=True):
    """What a lab is to serve."""

    fleet: Path | None
    """Directory of a fleet; None: the starter fleet, with configurations."""
    assets: Path
    """Directory of boot files, which need not exist."""
    cache: Path
    """Where packages are kept that stand-ins are made of."""


class UserLab(Struct, frozen=True):
    """A lab whose daemon runs."""

    lab: Lab
    daemon: Process


@contextmanager
def user_lab(sources: Sources, say: Say) -> Iterator[UserLab]:
    """A lab while the block runs; ``say`` gets a line about everything that is not the user's own. Raises LabError."""
    with Lab() as lab:
        server = Server(lab.network)
        outside = lab.namespace.outside
        fleet = sources.fleet
        if fleet is None:
            write_fleet(outside(_OWN_FLEET))
            say("Fleet: the starter fleet, with empty configurations.")
        outside(_STAND_INS).mkdir()
        outside(_NO_ASSETS).mkdir()
        _add_missing(outside(_STAND_INS), fleet or outside(_OWN_FLEET), sources, say)
        assets = sources.assets if sources.assets.is_dir() else _NO_ASSETS
        server.mount(fleet or _OWN_FLEET, assets, _STAND_INS)
        yield UserLab(lab, server.start())


def _add_missing(stand_ins: Path, fleet: Path, sources: Sources, say: Say) -> None:
    """Put what the user's assets lack, of what machines of the lab may ask for, into ``stand_ins``."""
    ready = list_assets(sources.assets, SYSTEM_PROGRAMS).names
    programs = [name for name in PROGRAMS if f"{PROGRAM_FOLDER}/{name}" not in ready]
    if programs:
        say(f"Not among the boot files in {sources.assets}: {', '.join(programs)}; the lab adds its own.")
        add_programs(stand_ins, current_ipxe(sources.cache), programs)
    for talos, architecture in product(talos_of(fleet), _architectures()):
        if not ready.issuperset(asset_names(talos, architecture)):
            say(
                f"Not in {sources.assets}: Talos {talos.version} for {architecture}. The lab boots a test image:"
                " a small Linux that fetches its configuration, says so, and switches off."
            )
            add_talos(stand_ins, talos, stand_in(sources.cache, architecture))


def _architectures() -> list[str]:
    """Return the architectures that an emulator is installed for."""
    found = (row.architecture for row in FIRMWARE.values() if shutil.which(row.emulator))
    return list(dict.fromkeys(found))
