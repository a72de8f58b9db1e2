"""How much memory TFTP transfers leave that their clients never continue: before, while 1,000 are open, and after.

Run: .venv/bin/python bench/half_open.py [TRANSFERS]
"""

import socket
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.daemon import HERE, Daemon  # noqa: E402

from iluvatar_pxe.wire.tftp.packet import Ack, ReadRequest, encode  # noqa: E402

PROGRAM = "ipxe/snponly.efi"
MANNERS = {
    "no options, silent": ((), False),
    "window 64 of 1468, silent": ((("blksize", "1468"), ("windowsize", "64")), False),
    "window 64 of 1468, one ACK": ((("blksize", "1468"), ("windowsize", "64")), True),
    "window 64 of 8192, one ACK": ((("blksize", "8192"), ("windowsize", "64")), True),
}
"""By name: the options, and whether the client acknowledges them before it falls silent."""
OF_ADDRESS = 32
SETTLE = 45.0
"""Seconds in which the server gives up a client that is silent."""


def resident(daemon: Daemon) -> float:
    """Return the daemon's memory in MB."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def half_open(
    daemon: Daemon, transfers: int, options: tuple[tuple[str, str], ...], *, acknowledges: bool
) -> None:
    """Begin transfers from many addresses, and leave them alone."""
    request = encode(ReadRequest(PROGRAM, "octet", options))
    for number in range(transfers):
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.bind((f"127.0.{number // OF_ADDRESS % 250 + 1}.9", 0))
            client.settimeout(0.2)
            client.sendto(request, ("127.0.0.1", daemon.tftp_port))
            try:
                _, server = client.recvfrom(65535)
            except TimeoutError:
                continue
            if acknowledges:
                client.sendto(encode(Ack(0)), server)


def main() -> None:
    """Print a table."""
    parser = ArgumentParser(description="memory of TFTP transfers that their clients never continue")
    parser.add_argument("transfers", nargs="?", type=int, default=1000, help="open at once (default: 1000)")
    transfers: int = parser.parse_args().transfers
    with TemporaryDirectory() as directory, Daemon(Path(directory), command=HERE) as daemon:
        program = daemon.assets / PROGRAM
        program.parent.mkdir(parents=True)
        program.write_bytes(bytes(4 << 20))
        time.sleep(6)
        print(f"{transfers} transfers".ljust(30), "before  open  after (MB)")
        for name, (options, acknowledges) in MANNERS.items():
            before = resident(daemon)
            half_open(daemon, transfers, options, acknowledges=acknowledges)
            during = resident(daemon)
            time.sleep(SETTLE)
            print(f"{name:30} {before:6.0f} {during:5.0f} {resident(daemon):6.0f}", flush=True)


if __name__ == "__main__":
    main()
