"""iPXE on the network: its DHCP, autoexec.ipxe, the scripts it is given, and what they make it fetch."""

from ipaddress import IPv4Address

from iluvatar_pxe.errors import NoAnswerError, NoFileError, SimulateError
from iluvatar_pxe.simulate import timings
from iluvatar_pxe.simulate.content import Content
from iluvatar_pxe.simulate.dhcp import messages, offers
from iluvatar_pxe.simulate.dhcp.exchange import ask_boot_server, collect, despite_naks, take_lease
from iluvatar_pxe.simulate.dhcp.offers import Heard, Offers
from iluvatar_pxe.simulate.downloads import by_tftp, split_url
from iluvatar_pxe.simulate.ipxe.commands import COMMANDS, FETCH_SECONDS
from iluvatar_pxe.simulate.ipxe.interpreter import (
    Action,
    Configure,
    Ending,
    Fetch,
    Ipxe,
    Result,
    Sleep,
    beside,
)
from iluvatar_pxe.simulate.ipxe.script import is_script
from iluvatar_pxe.simulate.machine import Machine
from iluvatar_pxe.simulate.play import Play, new_xid
from iluvatar_pxe.wire.dhcp import ANY, DhcpMessage
from iluvatar_pxe.wire.pxe import Platform

VERSION = "1.21.1+"
AGENT = f"iPXE/{VERSION}"
AUTOEXEC = "autoexec.ipxe"


class IpxeOnNetwork:
    """One iPXE; ``origin`` is where its program came from, None for one that is built into the card."""

    def __init__(self, play: Play, origin: str | None) -> None:
        self._play = play
        self._origin = origin
        self._sent = 0
        self._ipxe = Ipxe(COMMANDS)
        for name, value, kind in _own_settings(play.machine):
            self._ipxe.settings.put(name, value, kind)

    async def boot(self) -> Ending:
        """Run ``autoexec.ipxe`` if there is one (UEFI builds of 2025), else what DHCP names; raises SimulateError."""
        url = beside(self._origin, AUTOEXEC) if self._origin else ""
        script = (
            await self._autoexec(url) if self._play.machine.kind.client.platform is Platform.UEFI else None
        )
        if script is None:
            await despite_naks(self._configure)
            url = self._boot_file()
            script = await self._fetch(url, "script", FETCH_SECONDS)
        return await self._run(script.text, url)

    async def _run(self, text: str, url: str) -> Ending:
        steps = self._ipxe.boot(text, url)
        result: Result = None
        while True:
            try:
                action = steps.send(result)
            except StopIteration as end:
                ending: Ending = end.value
                return ending
            result = await self._perform(action)

    async def _perform(self, action: Action) -> Result:
        try:
            match action:
                case Fetch(url, what, seconds):
                    return await self._fetch(url, what, seconds)
                case Sleep(seconds):
                    await self._play.wait(seconds)
                case Configure():
                    await despite_naks(self._configure)
        except SimulateError as error:
            return str(error)
        return None

    async def _autoexec(self, url: str) -> Content | None:
        try:
            content = await self._fetch(url, AUTOEXEC, FETCH_SECONDS)
        except NoFileError:
            return None
        return content if is_script(content.text) else None

    async def _fetch(self, url: str, what: str, seconds: float) -> Content:
        with self._play.stages.stage(what) as stage:
            parts = split_url(url)
            if parts.scheme == "tftp":
                server = IPv4Address(parts.hostname or "")
                content = await by_tftp(self._play.attachment, server, parts.path[1:], timings.IPXE_FILE)
            else:
                content = await self._play.http.get(url, AGENT, seconds)
            stage.detail = f"{url.partition('?')[0]}, {content.size} bytes"
        return content

    def _boot_file(self) -> str:
        name, server = (self._ipxe.settings.show(key) for key in ("net0/filename", "net0/next-server"))
        if not name:
            raise NoAnswerError("iPXE has an address, but no server named a boot file")
        return name if "://" in name else f"tftp://{server}/{name.lstrip('/')}"

    async def _configure(self) -> None:
        """Ask for an address, listen to proxies for two seconds more, and remember what to boot."""
        xid = new_xid()
        self._sent = 0
        attachment = self._play.attachment
        discover = messages.ipxe_discover(self._play.machine, xid, 0, chained=self._origin is not None)
        found = Offers(discover, offers.ipxe, attachment.ports.dhcp, attachment.needs_lease)
        channel = attachment.dhcp()
        try:
            with self._play.stages.stage("iPXE offer") as stage:
                await collect(
                    channel,
                    found,
                    timings.IPXE_DISCOVER,
                    lambda seconds, _over: _enough(found, seconds),
                    lambda: self._discover(xid, found),
                )
                stage.detail = f"from {found.boot.server}" if found.boot else "no proxy"
            if lease := found.taken:
                with self._play.stages.stage("iPXE lease") as stage:
                    secs = self._secs(found)
                    request = messages.ipxe_request(
                        self._play.machine, xid, secs, lease, chained=self._origin is not None
                    )
                    await take_lease(attachment, channel, lambda: request, lease, timings.IPXE_REQUEST)
                    stage.detail = f"{lease.address} from {lease.server}"
        finally:
            channel.close()
        self._ipxe.settings.put("net0/ip", attachment.address.packed, "ipv4")
        if boot := await self._boot_offer(found, xid):
            self._ipxe.settings.put("net0/next-server", boot.message.siaddr.packed, "ipv4")
            self._ipxe.settings.put("net0/filename", offers.boot_file_of_field(boot.message).encode())

    def _discover(self, xid: int, found: Offers) -> DhcpMessage:
        return messages.ipxe_discover(
            self._play.machine, xid, self._secs(found), chained=self._origin is not None
        )

    def _secs(self, found: Offers) -> int:
        self._sent += 1
        return offers.ipxe_secs(self._sent, found)

    async def _boot_offer(self, found: Offers, xid: int) -> Heard | None:
        """Return what names the boot file: a complete offer, or what 4011 says to one that is not."""
        boot = found.boot
        if boot is None or (found.lease and offers.wants_no_proxy(found.lease.message)):
            return None
        if boot.message.siaddr != ANY and offers.boot_file_of_field(boot.message):
            return boot
        attachment = self._play.attachment
        message = messages.ipxe_boot_server_request(
            self._play.machine, xid, self._secs(found), attachment.address, chained=self._origin is not None
        )
        try:
            with self._play.stages.stage("iPXE boot server"):
                return await ask_boot_server(
                    *(attachment, message, boot.server, attachment.ports.client),
                    *(timings.IPXE_BOOT_SERVER, lambda _answer: None),
                )
        except NoAnswerError:
            return None


def _enough(found: Offers, seconds: float) -> bool:
    """Say whether iPXE goes on: with both, or with an address when it has waited for proxies long enough."""
    if found.lease and offers.wants_no_proxy(found.lease.message):
        return True
    return found.complete or (found.lease is not None and seconds > offers.PROXY_SECONDS)


def _own_settings(machine: Machine) -> list[tuple[str, bytes, str]]:
    bios = machine.kind.client.platform is Platform.BIOS
    arch = "i386" if bios else machine.kind.client.cpu.value
    return [
        ("net0/mac", machine.mac, "hex"),
        ("uuid", machine.uuid.bytes, "uuid"),
        ("serial", machine.serial.encode(), "string"),
        ("manufacturer", b"iluvatar-pxe", "string"),
        ("product", f"Simulated {machine.kind}".encode(), "string"),
        ("smbios/2.5.0", b"Simulated board", "string"),
        ("buildarch", arch.encode(), "string"),
        ("platform", b"pcbios" if bios else b"efi", "string"),
        ("version", VERSION.encode(), "string"),
    ]
