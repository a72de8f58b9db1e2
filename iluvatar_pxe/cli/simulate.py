"""``iluvatar-pxe simulate``: acts as a machine's firmware on the network, stage by stage."""

import asyncio
import signal
from collections import Counter
from collections.abc import Coroutine
from functools import partial
from ipaddress import IPv4Address
from typing import Annotated, Any, TypeVar

import typer

from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.running import settings_to_reach_daemon
from iluvatar_pxe.cli.tables import say, say_json, table, terminal_width
from iluvatar_pxe.errors import SimulateError, UsageError
from iluvatar_pxe.host.interfaces import find_interfaces
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.simulate.boot import Report, boot_by_host, boot_with_nics
from iluvatar_pxe.simulate.link.attachment import Ports
from iluvatar_pxe.simulate.machine import Kind, Machine, random_macs
from iluvatar_pxe.simulate.stages import percentile
from iluvatar_pxe.wire.mac import parse_mac

MOST_AT_ONCE = 1000
PERCENTS = (50, 90, 99, 100)
TOTAL = "total"
_MULTICAST = 0x01

Data = dict[str, Any]
T = TypeVar("T")


def simulate(
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help=", ".join(Kind))],
    *,
    server: Annotated[
        str | None,
        typer.Option(
            help="Address of the daemon. Default: the one it serves on this host.", show_default=False
        ),
    ] = None,
    mac: Annotated[
        str | None, typer.Option(help="MAC of the machine. Default: a random one.", show_default=False)
    ] = None,
    interface: Annotated[
        str | None,
        typer.Option(
            help="Give the machine its own NIC on this interface's network and boot as real firmware does: by "
            "broadcast, with a lease from the router. Needs root.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[
        int, typer.Option(min=1, max=MOST_AT_ONCE, help="Number of machines that boot at once.")
    ] = 1,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Boot a simulated machine: fetch everything that a real one would, and report each stage's duration.

    Exits 0 when it boots, also from its own disk; otherwise 1, with the stage and the reason.
    """
    settings = settings_to_reach_daemon(config)
    reports = _until_stopped(_boots(_machines(kind, mac, count), server, interface, settings))
    page = _many(kind, reports) if count > 1 else _one(reports[0])
    if as_json:
        say_json(page)
    elif count > 1:
        _show_many(page)
    else:
        _show_one(page)
    _complain(reports)


def _machines(kind: Kind, mac: str | None, count: int) -> list[Machine]:
    if mac is None:
        return [Machine(kind, octets) for octets in random_macs(kind, count)]
    if count > 1:
        raise UsageError("--mac names one machine; remove it or --count")
    try:
        octets = bytes.fromhex(parse_mac(mac).replace(":", ""))
    except ValueError as error:
        raise UsageError(f"--mac {mac}: {error}") from error
    if octets[0] & _MULTICAST:
        raise UsageError(f"--mac {mac}: a multicast address; use a NIC's own")
    return [Machine(kind, octets)]


def _boots(
    machines: list[Machine], server: str | None, interface: str | None, settings: Settings
) -> Coroutine[Any, Any, list[Report]]:
    ports = Ports(settings.dhcp.port, settings.dhcp.pxe_port, settings.tftp.port, settings.dhcp.client_port)
    if interface is not None:
        if server is not None:
            raise UsageError(
                "--server and --interface exclude each other: with --interface the machine broadcasts; remove one"
            )
        return boot_with_nics(machines, interface, ports)
    address = _address(server, settings)
    return boot_by_host(machines, address, ports, partial(_tell_silence, address, ports.dhcp))


def _tell_silence(address: IPv4Address, port: int) -> None:
    why = f"{address} has not answered on UDP port {port} yet: does a daemon run there, and does a firewall let it pass?"
    typer.echo(f"iluvatar-pxe: {why} Asking on, as firmware does.", err=True)


def _address(server: str | None, settings: Settings) -> IPv4Address:
    if server is None:
        served = find_interfaces(settings.network.interfaces).interfaces
        if not served:
            raise UsageError("no interface of [network] interfaces has an address; pass --server")
        return served[0].address
    try:
        return IPv4Address(server)
    except ValueError as error:
        raise UsageError(f"--server {server}: not an IPv4 address") from error


def _until_stopped(work: Coroutine[Any, Any, T]) -> T:
    """Run it; SIGTERM and SIGINT end it in order, so that no NIC is left behind."""

    async def run() -> T:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await task

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        raise SimulateError("interrupted") from None


def _one(report: Report) -> Data:
    stages = [
        {"stage": stage.name, "ms": round(stage.milliseconds, 1), "detail": stage.detail}
        for stage in report.stages.done
    ]
    return {
        "kind": report.machine.kind,
        "mac": report.machine.mac_text,
        "stages": stages,
        "seconds": round(report.stages.milliseconds / 1000, 3),
        "boots": not report.reason,
        "result": report.result,
        "failed": report.stages.failed if report.reason else "",
        "reason": report.reason,
    }


def _many(kind: Kind, reports: list[Report]) -> Data:
    by_stage: dict[str, list[float]] = {}
    for report in reports:
        for name, milliseconds in report.stages.by_name().items():
            by_stage.setdefault(name, []).append(milliseconds)
    whole = [report.stages.milliseconds for report in reports if not report.reason]
    stages = {name: _percentiles(values) for name, values in by_stage.items()}
    return {
        "kind": kind,
        "count": len(reports),
        "failed": sum(bool(report.reason) for report in reports),
        "stages": stages | ({TOTAL: _percentiles(whole)} if whole else {}),
        "results": dict(Counter(report.result for report in reports if not report.reason)),
        "reasons": dict(Counter(_reason(report) for report in reports if report.reason)),
    }


def _percentiles(values: list[float]) -> dict[str, float]:
    names = {percent: "max" if percent == 100 else f"p{percent}" for percent in PERCENTS}
    return {name: round(percentile(values, percent), 1) for percent, name in names.items()}


def _show_one(page: Data) -> None:
    rows = [((one["stage"],), (f"{one['ms']:>8.1f}",), (one["detail"],)) for one in page["stages"]]
    say([f"{page['kind']}, {page['mac']}"])
    say(table((("stage",), (f"{'ms':>8}",), ("detail",)), rows, terminal_width(), (2,)))
    if page["boots"]:
        say([f"{page['kind']} {page['mac']}: {page['result']}, after {page['seconds']:.1f} s"])


def _show_many(page: Data) -> None:
    names = [f"{name:>9}" for name in _percentiles([0.0])]
    rows = [
        ((stage,), *((f"{value:>9.1f}",) for value in values.values()))
        for stage, values in page["stages"].items()
    ]
    say([f"{page['count']} x {page['kind']}, milliseconds"])
    say(table((("stage",), *((name,) for name in names)), rows, terminal_width(), (0,)))
    say(f"{count} x {result}" for result, count in page["results"].items())
    say([f"{page['count'] - page['failed']} of {page['count']} boot"])


def _reason(report: Report) -> str:
    return f"{report.stages.failed or 'boot'}: {report.reason}"


def _complain(reports: list[Report]) -> None:
    """Name the stages and reasons of boots that failed; raises SimulateError when there is one."""
    reasons = Counter(_reason(report) for report in reports if report.reason)
    if not reasons:
        return
    if len(reports) == 1:
        raise SimulateError(f"{reports[0].machine.kind} {reports[0].machine.mac_text}: {next(iter(reasons))}")
    raise SimulateError("; ".join(f"{count} x {reason}" for reason, count in reasons.most_common(3)))
