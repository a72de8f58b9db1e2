"""Whole boots: of one machine from its first DISCOVER to its configuration, and of many at once."""

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address

from msgspec import Struct

from iluvatar_pxe.errors import NoAnswerError, SimulateError
from iluvatar_pxe.simulate.downloads import HttpClient
from iluvatar_pxe.simulate.firmware_pc import boot_bios, boot_uefi, boot_uefi_http
from iluvatar_pxe.simulate.ipxe import interpreter
from iluvatar_pxe.simulate.ipxe.boot import IpxeOnNetwork
from iluvatar_pxe.simulate.link.attachment import Attachment, CardAttachment, HostAttachment, Ports
from iluvatar_pxe.simulate.link.macvlan import plugged_in
from iluvatar_pxe.simulate.machine import Kind, Machine
from iluvatar_pxe.simulate.pi.firmware import boot_pi
from iluvatar_pxe.simulate.play import Play
from iluvatar_pxe.simulate.stages import Stages

BOOT_SECONDS = 600.0
"""After which a boot counts as one that never ends."""
ROUNDS = 3
"""How often the boot order is gone through when packets were lost after a server had been heard."""
ROUND_PAUSE = 5.0
SILENCE_SECONDS = 2.0
"""After which somebody at a terminal wants to know that nothing has come yet."""
TALOS_AGENT = "Go-http-client/1.1"
_CONFIG = "talos.config="
_CONFIG_SECONDS = 30.0

_PROGRAMS = {
    Kind.BIOS: boot_bios,
    Kind.UEFI_X64: boot_uefi,
    Kind.UEFI_ARM64: boot_uefi,
    Kind.UEFI_X64_HTTP: boot_uefi_http,
    Kind.UEFI_ARM64_HTTP: boot_uefi_http,
}


class Report(Struct, frozen=True):
    """How a boot went: ``result`` in words, or the ``reason`` why its last stage failed."""

    machine: Machine
    stages: Stages
    result: str = ""
    reason: str = ""


async def boot_by_host(
    machines: Sequence[Machine], server: IPv4Address, ports: Ports, on_silence: Callable[[], None]
) -> list[Report]:
    """Boot machines at once from this host's own address; raises SimulateError when the server has no route.

    Firmware asks for a minute; ``on_silence`` is called after ``SILENCE_SECONDS`` if nobody has answered by then.
    """
    attachment = HostAttachment(server, ports)
    timer = asyncio.get_running_loop().call_later(SILENCE_SECONDS, _tell, attachment, on_silence)
    try:
        return await _all([(machine, attachment) for machine in machines])
    finally:
        timer.cancel()


def _tell(attachment: HostAttachment, on_silence: Callable[[], None]) -> None:
    if not attachment.was_answered:
        on_silence()


async def boot_with_nics(machines: Sequence[Machine], interface: str, ports: Ports) -> list[Report]:
    """Boot machines at once, each by a card of its own on ``interface``; raises SimulateError without the right to."""
    async with plugged_in(interface, [machine.mac for machine in machines]):
        return await _all([(machine, CardAttachment(machine.mac, ports)) for machine in machines])


async def _all(machines: Sequence[tuple[Machine, Attachment]]) -> list[Report]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(boot(machine, attachment)) for machine, attachment in machines]
    return [task.result() for task in tasks]


async def boot(machine: Machine, attachment: Attachment) -> Report:
    """Boot one machine; what fails is in the report."""
    stages = Stages(asyncio.get_running_loop().time)
    http = HttpClient(attachment)
    try:
        async with asyncio.timeout(BOOT_SECONDS):
            result = await _rounds(Play(machine, attachment, stages, http))
    except SimulateError as error:
        return Report(machine, stages, reason=str(error))
    except TimeoutError:
        return Report(machine, stages, reason=f"the boot did not end within {BOOT_SECONDS:.0f} s")
    except ConnectionRefusedError:
        nothing = f"nothing listens on UDP port {attachment.ports.dhcp} of the server"
        return Report(
            machine, stages, reason=f"{nothing}; start the daemon, or name its address with --server"
        )
    except OSError as error:
        return Report(machine, stages, reason=f"this host: {error.strerror}")
    finally:
        await http.close()
    return Report(machine, stages, result)


async def _rounds(play: Play) -> str:
    """Go through the boot order until something boots; a server that was never heard is not asked for ever."""
    for _ in range(ROUNDS - 1):
        try:
            return await _once(play)
        except NoAnswerError:
            if not play.stages.done:
                raise
        await play.wait(ROUND_PAUSE)
    return await _once(play)


async def _once(play: Play) -> str:
    kind = play.machine.kind
    if kind.is_pi:
        return await boot_pi(play)
    origin = await _PROGRAMS[kind](play) if kind in _PROGRAMS else None
    ending = await IpxeOnNetwork(play, origin).boot()
    match ending:
        case interpreter.Booted():
            return await _system(play, ending)
        case interpreter.Program(name):
            return f"{name} is started"
        case interpreter.LocalDisk(how):
            return f"boots its own disk: {how}"
        case interpreter.Stuck(why):
            play.stages.failed = "script"
            raise SimulateError(why)


async def _system(play: Play, booted: interpreter.Booted) -> str:
    """Fetch what the kernel fetches: Talos its configuration."""
    urls = [word.removeprefix(_CONFIG) for word in booted.command_line.split() if word.startswith(_CONFIG)]
    if not urls:
        return f"{booted.kernel} is started"
    with play.stages.stage("config") as stage:
        content = await play.http.get(urls[0], TALOS_AGENT, _CONFIG_SECONDS)
        stage.detail = f"{content.size} bytes, sha256 {content.sha256[:16]}"
    return f"{booted.kernel} is started and has its configuration"
