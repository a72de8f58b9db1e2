"""What TFTP serves: iPXE programs, the script beside them, the boot files of Raspberry Pis, and nothing else."""

import logging
from ipaddress import IPv4Address

from iluvatar_pxe.assets.source import BytesSource, Source
from iluvatar_pxe.boot.programs import PROGRAM_FOLDER
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import sighting_of
from iluvatar_pxe.machines.raspberry_pi import parse_file_name
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.provisioning.pis import PiFiles
from iluvatar_pxe.provisioning.tickets import mask
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.replies.ipxe import first_script
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.servers.tftp.server import TransferReport
from iluvatar_pxe.wire.tftp.transfer import Outcome

AUTOEXEC = frozenset({"autoexec.ipxe", f"{PROGRAM_FOLDER}/autoexec.ipxe"})


class TftpFiles:
    """Opens files by the names that plans give, and records what was fetched."""

    def __init__(self, booter: Booter, http_port: int, pis: PiFiles) -> None:
        self._booter = booter
        self._http_port = http_port
        self._pis = pis

    async def open(self, name: str, client: IPv4Address, server: IPv4Address) -> Source | None:
        """Return the file of that name, or None: names are looked up, never followed on a disk."""
        name = normalise(name)
        if name in AUTOEXEC:
            links = Links(server, self._http_port)
            return BytesSource(first_script(links, network=True).encode())
        if name.startswith(f"{PROGRAM_FOLDER}/"):
            return await self._booter.catalogue.open(name)
        asked = parse_file_name(name)
        found = self._pis.asker(asked, client)
        return await self._pis.open(*found, asked, client) if found else None

    def report(self, transfer: TransferReport) -> None:
        """Record a fetched file; log what went wrong."""
        client = IPv4Address(transfer.client[0])
        name = normalise(transfer.filename)
        if transfer.outcome is Outcome.DONE and self._record(transfer, name, client):
            return
        expected = {Outcome.DONE, Outcome.PROBE, Outcome.MISSING}
        complain(
            f"tftp.{transfer.outcome}",
            logging.INFO if transfer.outcome in expected else logging.WARNING,
            client=str(client),
            file=mask(name)[:100],
            bytes=transfer.bytes,
            ms=transfer.milliseconds,
            why=transfer.reason,
        )

    def _record(self, transfer: TransferReport, name: str, client: IPv4Address) -> bool:
        """Record a file that was fetched in whole; say whether it is known by which machine."""
        size, milliseconds = transfer.bytes, float(transfer.milliseconds)
        asked = parse_file_name(name)
        if not name.startswith(f"{PROGRAM_FOLDER}/") and (found := self._pis.asker(asked, client)):
            self._pis.record(*found, asked.file, size, milliseconds)
            return True
        booter = self._booter.facing_address(client)
        machine = booter.machine_at(client)
        if machine:
            booter.record(sighting_of(machine), Stage.NBP, name, size=size, milliseconds=milliseconds)
        return machine is not None


def normalise(name: str) -> str:
    """Return a requested name as plans write it: firmware adds leading slashes, some of them backward."""
    return name.replace("\\", "/").lstrip("/").removeprefix("./")
