"""What TFTP serves: iPXE programs and the script beside them, and nothing else."""

import logging
from collections.abc import Sequence
from ipaddress import IPv4Address

from iluvatar_pxe.assets.source import BytesSource, Source
from iluvatar_pxe.boot.programs import PROGRAM_FOLDER
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.replies.ipxe import first_script
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.servers.desk import Desk, sighting_of
from iluvatar_pxe.servers.interfaces import Interface
from iluvatar_pxe.servers.ratelimit import complain
from iluvatar_pxe.servers.tftp import TransferReport
from iluvatar_pxe.servers.tickets import mask
from iluvatar_pxe.wire.tftp_transfer import Outcome

AUTOEXEC = frozenset({"autoexec.ipxe", f"{PROGRAM_FOLDER}/autoexec.ipxe"})


class TftpFiles:
    """Opens files by the names that plans give, and records what was fetched."""

    def __init__(self, desk: Desk, interfaces: Sequence[Interface], http_port: int) -> None:
        self._desk = desk
        self._interfaces = interfaces
        self._http_port = http_port

    async def open(self, name: str, client: IPv4Address) -> Source | None:
        """Return the file of that name, or None: names are looked up, never followed on a disk."""
        name = normalise(name)
        if name in AUTOEXEC:
            links = Links(self._address_facing(client), self._http_port)
            return BytesSource(first_script(links, network=True).encode())
        if not name.startswith(f"{PROGRAM_FOLDER}/"):
            return None
        return await self._desk.catalogue.open(name)

    def report(self, transfer: TransferReport) -> None:
        """Record a fetched program; log what went wrong."""
        client = IPv4Address(transfer.client[0])
        machine = self._desk.machine_at(client)
        name = normalise(transfer.filename)
        if transfer.outcome is Outcome.DONE and machine:
            sighting = sighting_of(machine)
            size, milliseconds = transfer.bytes, float(transfer.milliseconds)
            self._desk.record(sighting, Stage.NBP, name, size=size, milliseconds=milliseconds)
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

    def _address_facing(self, client: IPv4Address) -> IPv4Address:
        facing = (one.address for one in self._interfaces if client in one.network)
        return next(facing, self._interfaces[0].address)


def normalise(name: str) -> str:
    """Return a requested name as plans write it: firmware adds leading slashes, some of them backward."""
    return name.replace("\\", "/").lstrip("/").removeprefix("./")
