"""The servers that bench/assets.py compares, both of which have the same file: ours and nginx."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.nginx import NGINX, nginx
from bench.servers import HERE, OURS, Server, Settings, free_ports, ours, running, tcp_listens

NAME = "talos/none/v1.13.9/large"
_LOCATION = "location /assets/ {{ alias {}/assets/; }}"


@contextmanager
def servers(directory: Path, size: int, core: int) -> Iterator[list[Server]]:
    """Run both on ``core`` until the end of the block, with a file of so many bytes."""
    file = directory / "assets" / NAME
    file.parent.mkdir(parents=True)
    with file.open("wb") as large:
        large.truncate(size)
    mine, peer, *others = free_ports(4, socket.SOCK_STREAM)
    commands = {
        NGINX: (peer, nginx(directory, f"{HERE}:{peer}", _LOCATION.format(directory))),
        OURS: (mine, _ours(directory, mine, others)),
    }
    with ExitStack() as stack:
        yield [
            stack.enter_context(running(name, port, argv, core, directory, tcp_listens))
            for name, (port, argv) in commands.items()
        ]


def _ours(directory: Path, http: int, others: Sequence[int]) -> list[str]:
    tftp, tls = others
    (directory / "fleet").mkdir()
    (directory / "fleet" / "fleet.yaml").write_text("")
    settings: Settings = {
        "tftp": {"port": tftp},
        "http": {"port": http, "tls_port": tls},
        "dns": {"enabled": False},
        "assets": {"directory": str(directory / "assets"), "fetch": False},
    }
    return ours(directory, settings)
