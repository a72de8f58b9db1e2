"""A stand-in for a Raspberry Pi's firmware, which QEMU's machines have not: it loads kernel, initramfs and arguments.

From the network, as a process with the Pi's card: ``python -m support.arm64.firmware MAC CARD ADDRESS SERIAL DIRECTORY``
asks once by DHCP, and then by TFTP with curl. It ends with status 3 where no file is given to it. From a disk it reads
what a Pi's EEPROM reads: the FAT of the first partition.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from support.k3s.firmware import PiFirmware
from support.pi_images import MIB

DECLINED = 3
_CONFIG = "config.txt"
_SECONDS = 120


@dataclass(frozen=True)
class Loaded:
    """What was loaded, as files of this host."""

    kernel: Path
    initramfs: Path
    arguments: str


def from_disk(disk: Path, directory: Path) -> Loaded:
    """Load what a disk's first partition has."""

    def read(name: str) -> bytes:
        command = ("mtype", "-i", f"{disk}@@{MIB}", f"::/{name}")
        return subprocess.run(command, capture_output=True, check=True, timeout=_SECONDS).stdout

    return _load(read, directory)


def loaded_in(directory: Path) -> Loaded:
    """Return what was loaded into a directory."""
    arguments = (directory / "arguments").read_text().splitlines()[0]
    return Loaded(directory / "kernel", directory / "initramfs", arguments)


def _load(read: Callable[[str], bytes], directory: Path) -> Loaded:
    """Load what config.txt names."""
    directory.mkdir(parents=True, exist_ok=True)
    config = read(_CONFIG).decode()
    for kind, name in (
        ("kernel", _named(config, r"kernel=(\S+)")),
        ("initramfs", _named(config, r"initramfs (\S+) followkernel")),
        ("arguments", _named(config, r"cmdline=(\S+)")),
    ):
        (directory / kind).write_bytes(read(name))
    return loaded_in(directory)


def _named(config: str, pattern: str) -> str:
    """Return what the last line of a form names."""
    return [found[1] for found in re.finditer(f"^{pattern}$", config, re.MULTILINE)][-1]


def _by_tftp(server: object, serial: str) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        url = f"tftp://{server}/{serial}/{name}"
        return subprocess.run(
            ["curl", "--silent", "--fail", "--tftp-blksize", "1428", url],
            capture_output=True,
            check=True,
            timeout=_SECONDS,
        ).stdout

    return read


def main() -> None:
    mac, card, address, serial, directory = sys.argv[1:]
    server = PiFirmware(mac, card, address, serial).offered()
    try:
        if server is None:
            sys.exit(DECLINED)
        _load(_by_tftp(server, serial), Path(directory))
    except subprocess.CalledProcessError:
        sys.exit(DECLINED)


if __name__ == "__main__":
    main()
