"""Has Image Factory know a schematic before a file is asked for that is built from it."""

import asyncio
from pathlib import Path

from iluvatar_pxe.assets.download.download import Got, Report
from iluvatar_pxe.assets.factory import Factory, addresses_for
from iluvatar_pxe.assets.job import Get
from iluvatar_pxe.assets.turns import Turn
from iluvatar_pxe.catalogue.download import Download
from iluvatar_pxe.catalogue.schematic import Schematic
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.provisioning.applied import Applied


class Registering:
    """Downloads files as ``get`` does, and registers their schematics first, each once."""

    def __init__(self, applied: Applied, get: Get) -> None:
        self._applied = applied
        self._get = get
        self._known: frozenset[str] = frozenset()

    async def __call__(self, download: Download, place: Path, report: Report, turn: Turn) -> Got:
        """Get a file. A mirror may have it where the factory cannot be reached; else that is what is told."""
        trouble = await self._register(download.name)
        try:
            return await self._get(download, place, report, turn)
        except AssetError as error:
            if trouble:
                raise trouble from error
            raise

    async def _register(self, name: str) -> AssetError | None:
        """Register the schematic that the name of a file has in it; return why that failed."""
        fleet = self._applied.fleet
        wanted = _schematics(fleet)
        self._known &= wanted.keys()
        for known_as in wanted.keys() & set(name.split("/")) - self._known:
            try:
                await asyncio.to_thread(_register, fleet, wanted[known_as])
            except AssetError as error:
                return error
            self._known |= {known_as}
        return None


def _register(fleet: Fleet, schematic: Schematic) -> None:
    Factory(addresses_for(fleet)).register(schematic)


def _schematics(fleet: Fleet) -> dict[str, Schematic]:
    """Return the schematics that the layers describe, by their ids; those that they name are known there."""
    layers = (fleet.talos(name) for name in fleet.layers)
    composed = (layer.talos.composed for layer in layers if layer)
    return {one.id: one for one in composed if one}
