"""Memory stays flat while many clients get a large file that is still being downloaded."""

import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.daemon import Daemon
from support.publisher import publisher
from support.waiting import wait_until

NAME = "large/1/image"
CLIENTS = 10
MOST = 100 << 20
"""Bytes of memory that the daemon may need in addition."""
PIECE = 1 << 20


@pytest.mark.parametrize("size", [64 << 20, pytest.param(2 << 30, marks=pytest.mark.long)])
def test_memory_is_flat_while_a_large_file_passes_through(tmp_path: Path, size: int) -> None:
    content = tmp_path / "content"
    with content.open("wb") as file:
        file.truncate(size - 1)
        file.seek(size - 1)
        file.write(b"x")
    (tmp_path / "tls").mkdir()
    with publisher(tmp_path / "tls") as site:
        site.offer(f"/{NAME}", content, rate=size / 10)
        daemon = Daemon(tmp_path, {"assets": {"fetch": True}})
        daemon.fleet.mkdir(parents=True)
        (daemon.fleet / "fleet.yaml").write_text(fleet_yaml(site.url("", tls=True), site.url("/")))
        with daemon:
            daemon.wait_for_log("asset.wanted", 2)
            before = memory(daemon)
            url = f"http://127.0.0.1:{daemon.http_port}/assets/{NAME}"
            with ThreadPoolExecutor(CLIENTS) as pool:
                received = list(pool.map(drain, [url] * CLIENTS))
            peak = memory(daemon)
            wait_until(lambda: daemon.logged("asset.ready"), "the end of the download")
        assert len(site.asked_for(f"/{NAME}")) == 1
    assert received == [size] * CLIENTS
    assert peak - before < MOST, f"{(peak - before) >> 20} MiB"


def fleet_yaml(publisher_url: str, mirror: str) -> str:
    ipxe = f'ipxe: {{version: "1", files: [{{name: small, urls: ["{publisher_url}/small"]}}]}}'
    large = f'large: {{version: "1", files: [{{name: "{NAME}", urls: ["{publisher_url}/{NAME}"]}}]}}'
    return f'assets:\n  mirrors: {{"{publisher_url}/": ["{mirror}"]}}\n  entries:\n    {ipxe}\n    {large}\n'


def memory(daemon: Daemon) -> int:
    """Return the most memory that the process ever had, in bytes."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def drain(url: str) -> int:
    """Read a file to its end, and return its size."""
    received = 0
    with urllib.request.urlopen(url, timeout=300) as answer:
        while piece := answer.read(PIECE):
            received += len(piece)
    return received
