"""Raspberry Pis in a process of their own, in a network namespace: ``python -m support.k3s.alone …``.

Each boots from the network as the daemon says. Prints a JSON line for each change of one's state.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from support.k3s.firmware import PiFirmware
from support.k3s.pi import Pi, line_of
from support.k3s.site import Site

_LOOK_SECONDS = 0.05


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--directory", required=True, type=Path)
    parser.add_argument("--dns", required=True, help="ADDRESS:PORT of the daemon's DNS")
    parser.add_argument(
        "--orders",
        required=True,
        type=Path,
        help="a FIFO with lines of an order and a MAC: on, cut, lose (it gets an empty disk)",
    )
    parser.add_argument("pis", nargs="+", help="MAC=ADDRESS@INTERFACE")
    asyncio.run(_run(parser.parse_args()))


async def _run(arguments: argparse.Namespace) -> None:
    site = Site(dns=arguments.dns)
    pis: dict[str, Pi] = {}
    for text in arguments.pis:
        mac, _, place = text.partition("=")
        address, _, card = place.partition("@")
        serial = mac.replace(":", "")[-8:]
        firmware = PiFirmware(mac, card, address, serial)
        pis[mac] = Pi(site, firmware, arguments.directory / serial)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_obey(pis, arguments.orders))
            group.create_task(_tell(pis))
    finally:
        for pi in pis.values():
            await pi.power_cut()


async def _obey(pis: dict[str, Pi], orders: Path) -> None:
    """Carry out orders until cancelled."""
    reader = asyncio.StreamReader()
    fifo = os.fdopen(os.open(orders, os.O_RDWR | os.O_NONBLOCK), "rb", 0)  # also to write: it never ends
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), fifo
    )
    try:
        while True:
            order, mac = (await reader.readline()).decode().split()
            match order:
                case "on":
                    await pis[mac].power_on()
                case "cut":
                    await pis[mac].power_cut()
                case "lose":
                    pis[mac].lose_disk()
                case _:
                    raise ValueError(order)
    finally:
        transport.close()


async def _tell(pis: dict[str, Pi]) -> None:
    """Print what changes."""
    told: dict[str, str] = {}
    while True:
        for mac, pi in pis.items():
            if told.get(mac) != (line := line_of(pi)):
                told[mac] = line
                sys.stdout.write(line)
                sys.stdout.flush()
        await asyncio.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    main()
