"""The servers that bench/tftp.py compares, all of which have the same files: ours, dnsmasq and atftpd."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from getpass import getuser
from pathlib import Path

from bench.servers import HERE, OURS, Server, Settings, free_ports, ours, running

DNSMASQ, ATFTPD = "dnsmasq", "atftpd"
LARGE, SMALL = "ipxe/snponly.efi", "ipxe/undionly.kpxe"
SIZES = {LARGE: 60 << 20, SMALL: 2 << 20}
_PATIENCE = 0.2
_WELL_KNOWN = 69
"""dnsmasq knows no other port, but has an address of its own here."""
_OF_DNSMASQ = "127.0.0.69"


@contextmanager
def servers(directory: Path, core: int) -> Iterator[dict[str, Server]]:
    """Run the three on ``core`` until the end of the block."""
    files = directory / "assets"
    for name, size in SIZES.items():
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_bytes(bytes(size))
    directory.chmod(0o755)  # dnsmasq and atftpd serve what everybody may read
    other, *_ = free_ports(1, socket.SOCK_DGRAM)
    mine, http, tls = free_ports(3, socket.SOCK_STREAM)
    commands = {
        DNSMASQ: (_WELL_KNOWN, _dnsmasq(directory, files)),
        ATFTPD: (other, _atftpd(files, other)),
        OURS: (mine, _ours(directory, files, (mine, http, tls))),
    }
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(running(name, port, argv, core, directory, _answers))
            for name, (port, argv) in commands.items()
        }


def address_of(server: Server) -> str:
    """Return where it listens."""
    return _OF_DNSMASQ if server.name == DNSMASQ else HERE


def _answers(server: Server) -> bool:
    """Ask for a file that is not there, and say whether anything came back."""
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(_PATIENCE)
        client.sendto(b"\0\1nothing\0octet\0", (address_of(server), server.port))
        try:
            return bool(client.recv(512))
        except OSError:  # nobody there yet
            return False


def _dnsmasq(directory: Path, files: Path) -> list[str]:
    file = directory / "dnsmasq.conf"
    file.write_text(
        f"port=0\nlisten-address={_OF_DNSMASQ}\nbind-interfaces\nuser={getuser()}\npid-file=\n"
        f"enable-tftp\ntftp-root={files}\ntftp-max=300\nquiet-tftp\n"
    )
    return ["dnsmasq", "--keep-in-foreground", f"--conf-file={file}"]


def _atftpd(files: Path, port: int) -> list[str]:
    command = ["atftpd", "--daemon", "--no-fork", "--bind-address", HERE, "--port", str(port)]
    return [*command, "--maxthread", "300", "--verbose=3", "--logfile", "-", str(files)]


def _ours(directory: Path, files: Path, ports: Sequence[int]) -> list[str]:
    tftp, http, tls = ports
    (directory / "fleet").mkdir()
    (directory / "fleet" / "fleet.yaml").write_text("")
    settings: Settings = {
        "tftp": {"port": tftp},
        "http": {"port": http, "tls_port": tls},
        "dns": {"enabled": False},
        "assets": {"directory": str(files), "fetch": False},
    }
    return ours(directory, settings)
