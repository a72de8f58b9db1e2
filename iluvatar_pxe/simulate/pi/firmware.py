"""A Raspberry Pi's firmware: the ROM and bootcode.bin of a Pi 3, the EEPROM of a Pi 4 or 5."""

from contextlib import ExitStack
from ipaddress import IPv4Address

from iluvatar_pxe.errors import NoFileError, SimulateError
from iluvatar_pxe.simulate import timings
from iluvatar_pxe.simulate.content import Content
from iluvatar_pxe.simulate.dhcp import messages, offers
from iluvatar_pxe.simulate.dhcp.exchange import collect, despite_naks, prefix_length, take_lease
from iluvatar_pxe.simulate.dhcp.offers import Offers
from iluvatar_pxe.simulate.downloads import by_tftp
from iluvatar_pxe.simulate.machine import Kind
from iluvatar_pxe.simulate.pi.cloud_init import boot_system
from iluvatar_pxe.simulate.pi.files import FILES, Files, rom_files
from iluvatar_pxe.simulate.play import Play, new_xid

_ROM_TTL = 128


async def boot_pi(play: Play) -> str:
    """Play a Pi until it has its kernel; return what it runs; raises SimulateError."""
    machine = play.machine
    if machine.kind is Kind.PI3:
        server = await _find_server(play, rom=True)
        await _fetch_all(play, server, rom_files(machine))
    server = await despite_naks(lambda: _find_server(play, rom=False))
    command_line = await _fetch_all(play, server, FILES[machine.kind](machine))
    if command_line is None:
        return f"the {play.stages.done[-1].name} is started with all its files"
    return await boot_system(play, command_line)


async def _find_server(play: Play, *, rom: bool) -> IPv4Address:
    """Return the TFTP server: the proxy's, or the router's where no proxy offers a menu."""
    attachment, eeprom = play.attachment, play.machine.kind is not Kind.PI3
    xid = new_xid() if eeprom else messages.PI3_XID
    found = Offers(
        messages.pi_discover(play.machine, xid, rom=rom),
        offers.raspberry_pi if eeprom else offers.raspberry_pi_3,
        attachment.ports.dhcp,
        attachment.needs_lease,
        lease_first=rom,
    )
    waits = timings.PI_DISCOVER if eeprom else timings.PI3_DISCOVER
    channel = attachment.dhcp(ttl=64 if eeprom else _ROM_TTL)
    try:
        with play.stages.stage("offer" if rom or eeprom else "offer to bootcode.bin") as stage:
            await collect(channel, found, waits, lambda _seconds, over: _enough(found, over=over))
            chosen = found.boot or found.lease
            stage.detail = f"from {chosen.server}" if chosen else ""
        if lease := found.taken:
            with play.stages.stage("lease") as stage:
                stage.detail = f"{lease.address} from {lease.server}"
                if eeprom:
                    request = messages.pi_request(play.machine, xid, lease)
                    await take_lease(attachment, channel, lambda: request, lease, timings.PI_REQUEST)
                elif found.lease:  # it uses what was offered, without asking (raspberrypi/firmware#1699)
                    await attachment.take(lease.address, prefix_length(found.lease.message))
    finally:
        channel.close()
    if chosen is None:
        raise SimulateError(found.missing)
    return offers.pi_tftp_server(chosen)


def _enough(found: Offers, *, over: bool) -> bool:
    """Say whether a Pi goes on: with lease and menu at once, with a router that has option 66 after a wait."""
    if found.complete:
        return True
    return over and found.lease is not None and offers.option_66(found.lease.message) is not None


async def _fetch_all(play: Play, server: IPv4Address, files: Files) -> str | None:
    """Ask for what the model asks for; each request comes from the port after the last one's.

    Return the kernel's arguments, None where it asks for none.
    """
    content: Content | None = None
    command_line: str | None = None
    with ExitStack() as timing:
        stage = None
        while True:
            try:
                ask = files.send(content) if stage else next(files)
            except StopIteration:
                return command_line
            if stage is None or stage.name != ask.stage:
                timing.close()
                stage = timing.enter_context(play.stages.stage(ask.stage))
            try:
                content = await by_tftp(play.attachment, server, ask.name, ask.manner)
            except NoFileError:
                content = None
            if ask.stage == "cmdline.txt":
                command_line = content.text if content else ""
            if content is not None and ask.manner.abort is None:
                stage.detail = " ".join(filter(None, (stage.detail, ask.name)))
