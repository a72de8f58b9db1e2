"""Stand-ins in a process of their own, as in a network namespace: ``python -m support.talos.alone …``.

Each boots from the network as the daemon says. Prints a JSON line for each change of a machine's stage, and ends with
status 1 if something happened that must not happen to a machine. Without a judge: what is complete is taken.
"""

import argparse
import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from support.talos.clock import Clock
from support.talos.cluster import Cluster, new_bundle
from support.talos.hardware import Disk, Hardware
from support.talos.machine import Firmware, Machine
from support.talos.netboot import Netboot
from support.talos.network_first import NetworkFirst
from support.talos.site import Site

from iluvatar_pxe.layers.arda.api.protos.runtime_events_pb2 import MachineStatusEvent
from iluvatar_pxe.machines.states import Role

_LOOK_SECONDS = 0.05


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--server", help="the daemon's HTTP, such as http://10.77.0.2:8080; without: that of the first offer"
    )
    parser.add_argument(
        "--dns", default="", help="ADDRESS:PORT of the daemon's DNS, else as the configurations say"
    )
    parser.add_argument("--directory", required=True, type=Path)
    parser.add_argument("--speed", type=float, default=50.0)
    parser.add_argument("--version", default="v1.14.1")
    parser.add_argument(
        "--orders",
        type=Path,
        help="a FIFO with lines of an order and a MAC: on, cut, hold (etcd's first write), release, "
        "stranger (another cluster's Talos is on its disk), data (it has a disk with data); without: all are on",
    )
    parser.add_argument("machines", nargs="+", help="MAC=ADDRESS or MAC=ADDRESS@INTERFACE")
    sys.exit(asyncio.run(_run(parser.parse_args())))


async def _run(arguments: argparse.Namespace) -> int:
    site = Site(dns=arguments.dns)
    plugged = [_Plugged.parse(text) for text in arguments.machines]
    firmware: Firmware = NetworkFirst({one.mac: one.card for one in plugged})
    if arguments.server:
        firmware = Netboot(arguments.server)
    for number, one in enumerate(plugged, start=1):
        hardware = Hardware(
            one.mac,
            uuid=f"4c4c4544-0000-1000-8000-{one.mac.replace(':', '')}",
            serial=f"BOX{number}",
            disks=[Disk("sda", serial=f"SERIAL{number}", wwid=f"naa.{number:016x}")],
        )
        Machine(
            site, hardware, one.address, arguments.directory / one.mac.replace(":", ""), firmware,
            version=arguments.version, clock=Clock(arguments.speed),
        )  # fmt: skip
    try:
        async with asyncio.TaskGroup() as group:
            obeying = group.create_task(_obey(site, arguments.orders))
            status = await _tell(site)
            obeying.cancel()
        return status
    finally:
        for machine in site.machines:
            await machine.power_cut()


@dataclass(frozen=True)
class _Plugged:
    """A machine in a network."""

    mac: str
    address: str
    card: str

    @classmethod
    def parse(cls, text: str) -> Self:
        mac, _, place = text.partition("=")
        address, _, card = place.partition("@")
        return cls(mac, address, card)


async def _obey(site: Site, orders: Path | None) -> None:
    """Carry out orders until cancelled."""
    machines = {machine.hardware.mac: machine for machine in site.machines}
    if orders is None:
        for machine in machines.values():
            await machine.power_on()
        return
    reader = asyncio.StreamReader()
    fifo = os.fdopen(os.open(orders, os.O_RDWR | os.O_NONBLOCK), "rb", 0)  # also to write: it never ends
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), fifo
    )
    try:
        while True:
            order, mac = (await reader.readline()).decode().split()
            await _carry_out(order, machines[mac])
    finally:
        transport.close()


async def _carry_out(order: str, machine: Machine) -> None:
    match order:
        case "on":
            await machine.power_on()
        case "cut":
            await machine.power_cut()
        case "hold":
            machine.may_write_etcd.clear()
        case "release":
            machine.may_write_etcd.set()
        case "stranger":
            disk = machine.hardware.disks[0]
            others = Cluster(Path(), contract=machine.contract, bundle=new_bundle(2))
            config = others.configuration(Role.CONTROLPLANE, "stranger", disk.serial)
            machine.install(disk, config, machine.booted_version)
        case "data":
            machine.hardware.disks.append(
                Disk("sdb", serial=f"DATA{machine.hardware.serial}", rotational=True, holds=("xfs",))
            )
        case _:
            raise ValueError(order)


async def _tell(site: Site) -> int:
    """Print what changes until a machine has failed."""
    told: dict[str, dict[str, object]] = {}
    while not any(machine.failures for machine in site.machines):
        for machine in site.machines:
            mac = machine.hardware.mac
            now = _state(machine)
            if told.get(mac) != now:
                told[mac] = now
                _say(now)
        await asyncio.sleep(_LOOK_SECONDS)
    for machine in site.machines:
        if machine.failures:
            _say({"mac": machine.hardware.mac, "failures": machine.failures})
    return 1


def _state(machine: Machine) -> dict[str, object]:
    boot = machine.boot
    stage = MachineStatusEvent.MachineStage.Name(boot.stage) if boot else "OFF"
    name = boot.configuration.hostname if boot and boot.configuration else ""
    return {
        "mac": machine.hardware.mac,
        "hostname": name,
        "stage": stage,
        "ready": machine.is_ready,
        "etcd": machine.service("etcd"),
        "bootstraps": machine.bootstraps,
        "config": machine.boots[-1].arguments.get("talos.config", "") if machine.boots else "",
        "wiped": sum("talos.experimental.wipe" in boot.arguments for boot in machine.boots),
        "boots": len(machine.boots),
    }


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
