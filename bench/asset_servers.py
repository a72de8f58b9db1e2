"""The servers that bench/assets.py compares, both of which have the same file: ours and nginx."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.servers import HERE, OURS, Server, Settings, free_ports, ours, running

NGINX = "nginx"
NAME = "talos/none/v1.13.9/large"
_NGINX = """daemon off;
worker_processes 1;
pid PLACE/nginx.pid;
error_log stderr;
events { worker_connections 64; }
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path PLACE/body;
    proxy_temp_path PLACE/proxy;
    fastcgi_temp_path PLACE/fastcgi;
    uwsgi_temp_path PLACE/uwsgi;
    scgi_temp_path PLACE/scgi;
    server {
        listen 127.0.0.1:PORT;
        location /assets/ { alias PLACE/assets/; }
    }
}
"""


@contextmanager
def servers(directory: Path, size: int, core: int) -> Iterator[list[Server]]:
    """Run both on ``core`` until the end of the block, with a file of so many bytes."""
    file = directory / "assets" / NAME
    file.parent.mkdir(parents=True)
    with file.open("wb") as large:
        large.truncate(size)
    directory.chmod(0o755)  # nginx' worker is another user, if this one is root
    mine, nginx, *others = free_ports(4, socket.SOCK_STREAM)
    commands = {
        NGINX: (nginx, _nginx(directory, nginx)),
        OURS: (mine, _ours(directory, mine, others)),
    }
    with ExitStack() as stack:
        yield [
            stack.enter_context(running(name, port, argv, core, directory, _listens))
            for name, (port, argv) in commands.items()
        ]


def _listens(server: Server) -> bool:
    try:
        socket.create_connection((HERE, server.port), 1).close()
    except OSError:  # not yet
        return False
    return True


def _nginx(directory: Path, port: int) -> list[str]:
    file = directory / "nginx.conf"
    file.write_text(_NGINX.replace("PLACE", str(directory)).replace("PORT", str(port)))
    return ["nginx", "-e", "stderr", "-c", str(file)]


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
