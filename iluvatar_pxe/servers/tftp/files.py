"""What TFTP serves: iPXE binaries, the script beside them, the boot files of Raspberry Pis, and nothing else."""

import logging
from functools import partial
from ipaddress import IPv4Address

from iluvatar_pxe.assets.source import BytesSource, FileReply, Source
from iluvatar_pxe.boot.programs import PROGRAM_FOLDER
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.raspberry_pi import parse_file_name
from iluvatar_pxe.provisioning.booter import Booters
from iluvatar_pxe.provisioning.pis import PiFiles
from iluvatar_pxe.provisioning.tickets import mask
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.servers.tftp.server import TransferReport
from iluvatar_pxe.wire.tftp.transfer import Outcome

AUTOEXEC = frozenset({"autoexec.ipxe", f"{PROGRAM_FOLDER}/autoexec.ipxe"})


class TftpFiles:
    """Opens files by the names that plans give, and records what was fetched."""

    def __init__(self, booters: Booters, http_port: int, pis: PiFiles) -> None:
        self._booters = booters
        self._http_port = http_port
        self._pis = pis

    async def open(self, name: str, client: IPv4Address, server: IPv4Address) -> FileReply | None:
        """Return the file of that name, or None: names are looked up, never followed on a disk."""
        name, links = normalise(name), Links(server, self._http_port)
        if name not in AUTOEXEC and not name.startswith(f"{PROGRAM_FOLDER}/"):
            return await self._pis.open(parse_file_name(name), client, links)
        source = await self._source(name, links)
        return FileReply(source, partial(self._fetched, name, client)) if source else None

    def report(self, transfer: TransferReport) -> None:
        """Record a file that was fetched in whole; log what went wrong."""
        size, milliseconds = transfer.bytes, float(transfer.milliseconds)
        fetched = transfer.reply if transfer.outcome is Outcome.DONE else None
        if fetched and fetched.record(size, milliseconds):
            return
        expected = {Outcome.DONE, Outcome.PROBE, Outcome.MISSING}
        complain(
            f"tftp.{transfer.outcome}",
            logging.INFO if transfer.outcome in expected else logging.WARNING,
            client=transfer.client[0],
            file=mask(normalise(transfer.filename))[:100],
            bytes=transfer.bytes,
            ms=transfer.milliseconds,
            why=transfer.reason,
        )

    async def _source(self, name: str, links: Links) -> Source | None:
        if name in AUTOEXEC:
            scripts = self._booters.real.handout.scripts
            return BytesSource(scripts.first_script(links, network=True).encode())
        return await self._booters.real.open(name)

    def _fetched(self, name: str, client: IPv4Address, size: int, milliseconds: float) -> bool:
        booter = self._booters.facing_address(client)
        machine = booter.machine_at(client)
        if machine:
            booter.journal.fetched(machine, Stage.NBP, name, size=size, milliseconds=milliseconds)
        return machine is not None


def normalise(name: str) -> str:
    """Return a requested name as plans write it: firmware adds leading slashes, some of them backward."""
    return name.replace("\\", "/").lstrip("/").removeprefix("./")
