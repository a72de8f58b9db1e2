"""Stand-ins in a process of their own, as in a network namespace: ``python -m support.talos.alone …``.

Each boots from the network as the daemon says. Prints a JSON line for each change of a machine's stage, and ends with
status 1 if something happened that must not happen to a machine. Without a judge: what is complete is taken.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from support.talos.clock import Clock
from support.talos.hardware import Disk, Hardware
from support.talos.machine import Machine
from support.talos.netboot import Netboot
from support.talos.site import Site

from iluvatar_pxe.layers.arda.api.protos.runtime_events_pb2 import MachineStatusEvent

_LOOK_SECONDS = 0.05


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True, help="the daemon's HTTP, such as http://10.77.0.2:8080")
    parser.add_argument(
        "--dns", default="", help="ADDRESS:PORT of the daemon's DNS, else the system's resolver"
    )
    parser.add_argument("--directory", required=True, type=Path)
    parser.add_argument("--speed", type=float, default=50.0)
    parser.add_argument("--version", default="v1.14.1")
    parser.add_argument("machines", nargs="+", help="MAC=ADDRESS")
    sys.exit(asyncio.run(_run(parser.parse_args())))


async def _run(arguments: argparse.Namespace) -> int:
    site = Site(dns=arguments.dns)
    for number, pair in enumerate(arguments.machines, start=1):
        mac, _, address = pair.partition("=")
        hardware = Hardware(
            mac,
            uuid=f"4c4c4544-0000-1000-8000-{mac.replace(':', '')}",
            serial=f"BOX{number}",
            disks=[Disk("sda", serial=f"SERIAL{number}", wwid=f"naa.{number:016x}")],
        )
        machine = Machine(
            site, hardware, address, arguments.directory / mac.replace(":", ""), Netboot(arguments.server),
            version=arguments.version, clock=Clock(arguments.speed),
        )  # fmt: skip
        await machine.power_on()
    try:
        return await _tell(site)
    finally:
        for machine in site.machines:
            await machine.power_cut()


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
    }


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
