"""The servers that bench/scripts.py compares: ours with machines to boot, nginx with the same texts, and aiohttp alone."""

import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from support.fleets import INITRAMFS, KERNEL

from bench.boot_segment import INTERFACE, mac_of
from bench.nginx import NGINX, nginx
from bench.servers import OURS, Server, Settings, free_ports, ours, running, tcp_listens

SIZES = dict.fromkeys((KERNEL, INITRAMFS, "ipxe/snponly.efi"), 2)
"""The boot files, with the least that is no empty file."""


def write_assets(assets: Path, sizes: Mapping[str, int]) -> None:
    """Write boot files of so many bytes, by path."""
    for name, size in sizes.items():
        file = assets / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"MZ" + bytes(size - 2))


@contextmanager
def daemon(
    place: Path, machines: int, core: int, sizes: Mapping[str, int] = SIZES, tftp: int = 0
) -> Iterator[Server]:
    """Run ours, with so many machines listed, and boot files of so many bytes; ``tftp`` is a port, or 0 for any."""
    fleet, assets = place / "fleet", place / "assets"
    write_assets(assets, sizes)
    (fleet / "machines").mkdir(parents=True)
    (fleet / "configs").mkdir()
    (fleet / "fleet.yaml").write_text("")
    (fleet / "configs" / "one.yaml").write_text("machine: {}\n")
    for number in range(machines):
        text = f'match: {{macs: ["{mac_of(number)}"]}}\nlayer: arda\nrole: worker\nconfig: configs/one.yaml\n'
        (fleet / "machines" / f"arda-{number}.yaml").write_text(text)
    schematic, version = KERNEL.split("/")[1:3]
    (fleet / "layers").mkdir()
    (fleet / "layers" / "arda.yaml").write_text(
        f"kind: talos\ntalos: {{version: {version}, schematic: {schematic}}}\n"
    )
    http, tls, free = free_ports(3, socket.SOCK_STREAM)
    settings: Settings = {
        "network": {"interfaces": [INTERFACE]},
        "tftp": {"port": tftp or free},
        "http": {"port": http, "tls_port": tls},
        "dns": {"upstream": []},
        "ntp": {"enabled": False},
        "assets": {"directory": str(assets), "fetch": False},
    }
    with running(OURS, http, ours(place, settings), core, place, tcp_listens) as server:
        yield server


@contextmanager
def static_site(place: Path, texts: Mapping[str, str], core: int) -> Iterator[Server]:
    """Run nginx with these texts as files, by path."""
    root = place / "www"
    root.mkdir()
    for path, text in texts.items():
        (root / path[1:]).write_text(text)
    (port,) = free_ports(1, socket.SOCK_STREAM)
    location = f"location / {{ root {root}; }}"
    with running(NGINX, port, nginx(place, str(port), location), core, place, tcp_listens) as server:
        yield server


@contextmanager
def bare_aiohttp(place: Path, texts: Mapping[str, str], core: int) -> Iterator[Server]:
    """Run aiohttp, which answers everything with the last text."""
    (port,) = free_ports(1, socket.SOCK_STREAM)
    file = place / "text"
    file.write_text(list(texts.values())[-1])
    command = [sys.executable, "-m", "bench.bare_aiohttp", str(port), str(file)]
    with running("aiohttp", port, command, core, place, tcp_listens) as server:
        yield server
