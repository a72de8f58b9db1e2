"""The servers that bench/assets.py compares, both of which have the same file: ours and nginx."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = "127.0.0.1"
OURS, NGINX = "iluvatar-pxe", "nginx"
NAME = "talos/none/v1.13.9/large"
_PATIENCE = 60.0
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


@dataclass(frozen=True)
class Server:
    """An HTTP server that runs."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def worked(self) -> float:
        """Seconds for which it and its workers have had a processor (proc_pid_schedstat(5))."""
        pids = [self.process.pid, *self._workers()]
        threads = [thread for pid in pids for thread in Path(f"/proc/{pid}/task").iterdir()]
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9

    def _workers(self) -> list[int]:
        return [
            int(pid)
            for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]


@contextmanager
def servers(directory: Path, size: int, core: int) -> Iterator[list[Server]]:
    """Run both on ``core`` until the end of the block, with a file of so many bytes."""
    file = directory / "assets" / NAME
    file.parent.mkdir(parents=True)
    with file.open("wb") as large:
        large.truncate(size)
    directory.chmod(0o755)  # nginx' worker is another user, if this one is root
    ours, nginx, *others = _free_ports(4)
    with ExitStack() as running:
        yield [
            running.enter_context(_running(NGINX, nginx, _nginx(directory, nginx), core, directory)),
            running.enter_context(_running(OURS, ours, _ours(directory, ours, others), core, directory)),
        ]


@contextmanager
def _running(name: str, port: int, argv: Sequence[str], core: int, directory: Path) -> Iterator[Server]:
    log = directory / f"{name}.log"
    with log.open("wb") as output:
        pinned = ["taskset", "--cpu-list", str(core), *argv]
        process = subprocess.Popen(
            pinned, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=_environment()
        )
    try:
        if not _listens(port, process):
            sys.exit(f"{name} does not listen: {log.read_text()[-2000:]}")
        yield Server(name, port, process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment() -> dict[str, str]:
    """Return this process's, without settings of ours, which would go before the file's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ILUVATAR_PXE_")}


def _listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((HERE, port), 1).close()
        except OSError:  # not yet
            time.sleep(0.05)
        else:
            return True
    return False


def _nginx(directory: Path, port: int) -> list[str]:
    file = directory / "nginx.conf"
    file.write_text(_NGINX.replace("PLACE", str(directory)).replace("PORT", str(port)))
    return ["nginx", "-e", "stderr", "-c", str(file)]


def _ours(directory: Path, http: int, others: Sequence[int]) -> list[str]:
    tftp, tls = others
    settings: Mapping[str, Mapping[str, Any]] = {
        "network": {"interfaces": ["lo"], "dhcp": "off"},
        "tftp": {"port": tftp},
        "http": {"port": http, "tls_port": tls},
        "dns": {"enabled": False},
        "state": {"directory": str(directory / "state")},
        "assets": {"directory": str(directory / "assets"), "fetch": False},
        "fleet": {"source": str(directory / "fleet")},
        "control": {"socket": str(directory / "control.sock")},
    }
    file = directory / "config.toml"
    file.write_text(
        "".join(
            f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
            for section, keys in settings.items()
        )
    )
    fleet = directory / "fleet"
    fleet.mkdir()
    (fleet / "fleet.yaml").write_text("")
    return [sys.executable, "-m", "iluvatar_pxe", "serve", "--config", str(file)]


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        clients = [held.enter_context(socket.socket()) for _ in range(count)]
        for client in clients:
            client.bind((HERE, 0))
        return [client.getsockname()[1] for client in clients]
