"""A PC's firmware: BIOS boot ROM, UEFI PXE and UEFI HTTP Boot, from the first DISCOVER to the boot program."""

from ipaddress import IPv4Address

from iluvatar_pxe.errors import NoAnswerError, SimulateError
from iluvatar_pxe.simulate import timings
from iluvatar_pxe.simulate.content import Content
from iluvatar_pxe.simulate.dhcp import messages, offers
from iluvatar_pxe.simulate.dhcp.exchange import ask_boot_server, collect, despite_naks, take_lease
from iluvatar_pxe.simulate.dhcp.offers import Heard, Offers
from iluvatar_pxe.simulate.downloads import by_tftp
from iluvatar_pxe.simulate.play import Play, new_xid
from iluvatar_pxe.simulate.programs import format_error
from iluvatar_pxe.simulate.tftp_download import Manner
from iluvatar_pxe.wire.boot_file import fault_of
from iluvatar_pxe.wire.dhcp import ANY, DhcpMessage, Option
from iluvatar_pxe.wire.pxe import Platform

UEFI_HTTP_AGENT = "UefiHttpBoot/1.0"
_HTTP_SECONDS = 30.0
_UEFI_BOOT_SERVER_PORT = 4011
"""From which EDK2 asks; ROMs ask from 68."""


async def boot_bios(play: Play) -> str:
    """Play a BIOS boot ROM; return the address of the program it runs; raises SimulateError."""
    waits = timings.BIOS_DISCOVER, timings.BOOT_SERVER
    heard = await despite_naks(lambda: _find_boot(play, offers.bios_pxe, *waits))
    if not offers.takes_boot_file_of_offer(heard.message):
        item = offers.first_menu_item(heard.message)
        heard = await _ask_4011(play, heard, play.attachment.ports.client, offers.bios_pxe, item)
    name = offers.boot_file_of_field(heard.message)
    return await _program_by_tftp(play, heard, name, timings.BIOS_SIZE, timings.BIOS_FILE)


async def boot_uefi(play: Play) -> str:
    """Play UEFI PXE, which always asks 4011 where an offer has no menu; return the program's address."""
    waits = timings.UEFI_DISCOVER, timings.UEFI_REQUEST
    heard = await despite_naks(lambda: _find_boot(play, offers.uefi_pxe, *waits))
    heard = await _ask_4011(play, heard, _UEFI_BOOT_SERVER_PORT, offers.uefi_pxe)
    await play.wait(timings.BEFORE_TFTP)
    name = offers.boot_file_of_option(heard.message)
    return await _program_by_tftp(play, heard, name, timings.UEFI_SIZE, timings.UEFI_FILE)


async def boot_uefi_http(play: Play) -> str:
    """Play UEFI HTTP Boot: the URL of the offer, HEAD, then GET; return the program's address."""
    waits = timings.UEFI_DISCOVER, timings.UEFI_REQUEST
    heard = await despite_naks(lambda: _find_boot(play, offers.uefi_http, *waits))
    url = offers.boot_file_of_option(heard.message)
    with play.stages.stage("program") as stage:
        size = await play.http.head(url, UEFI_HTTP_AGENT, _HTTP_SECONDS)
        content = await play.http.get(url, UEFI_HTTP_AGENT, _HTTP_SECONDS)
        if content.size != size:
            raise SimulateError(f"{url}: HEAD says {size} bytes, but {content.size} arrived")
        _check_program(play, url, content)
        stage.detail = f"{url}, {size} bytes"
    return url


async def _find_boot(
    play: Play, why_not: offers.WhyNot, discover_waits: tuple[float, ...], request_waits: tuple[float, ...]
) -> Heard:
    """Collect offers for a whole wait, then take the router's lease; return the offer of a boot."""
    machine, attachment, xid = play.machine, play.attachment, new_xid()
    discover = messages.firmware_discover(machine, xid)
    found = Offers(discover, why_not, attachment.ports.dhcp, attachment.needs_lease)
    channel = attachment.dhcp()
    try:
        with play.stages.stage("offer") as stage:
            await collect(channel, found, discover_waits, lambda _seconds, over: over and found.complete)
            stage.detail = f"from {found.boot.server}" if found.boot else ""
        if lease := found.taken:
            request = messages.firmware_request(machine, xid, lease)
            with play.stages.stage("lease") as stage:
                await take_lease(attachment, channel, lambda: request, lease, request_waits)
                stage.detail = f"{lease.address} from {lease.server}"
    finally:
        channel.close()
    if found.boot is None:
        raise NoAnswerError(found.missing)
    return found.boot


async def _ask_4011(
    play: Play, offer: Heard, port: int, fault: offers.WhyNot, item: bytes | None = None
) -> Heard:
    message = messages.boot_server_request(play.machine, new_xid(), play.attachment.address, item)

    def why_not(answer: DhcpMessage) -> str | None:
        return fault(answer) or (None if offers.boot_file_of_option(answer) else "it names no boot file")

    with play.stages.stage("boot server"):
        return await ask_boot_server(
            play.attachment, message, server_of(offer), port, timings.BOOT_SERVER, why_not
        )


async def _program_by_tftp(play: Play, heard: Heard, name: str, size: Manner, file: Manner) -> str:
    """Ask for the size and break off, then fetch; the second time from another port."""
    server = server_of(heard)
    with play.stages.stage("program") as stage:
        if not name:
            raise SimulateError(f"the offer from {heard.server} names no boot file")
        await by_tftp(play.attachment, server, name, size)
        content = await by_tftp(play.attachment, server, name, file)
        _check_program(play, name, content)
        stage.detail = f"tftp://{server}/{name}, {content.size} bytes"
    return f"tftp://{server}/{name.lstrip('/')}"


def _check_program(play: Play, name: str, content: Content) -> None:
    """Raise SimulateError for what the platform does not run."""
    client = play.machine.kind.client
    cpu = client.cpu if client.platform is Platform.UEFI else None
    if fault := fault_of(content.head, content.size, cpu):
        raise SimulateError(f"{name}: Exec format error: it {fault}")
    if fault := format_error(content.text, client.platform):
        raise SimulateError(f"{name}: {fault}")


def server_of(heard: Heard) -> IPv4Address:
    """Return the server that a firmware goes to: siaddr, else option 54."""
    message = heard.message
    return message.siaddr if message.siaddr != ANY else message.address(Option.SERVER_ID) or heard.server
