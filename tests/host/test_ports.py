"""Which program has a port: real sockets of this process, and the kernel's tables as they were seen."""

import os
import socket
from pathlib import Path

import pytest

from iluvatar_pxe.host.ports import Holder, holders, parse_table

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0
   1: 0201A8C0:1F90 0301A8C0:D431 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0
"""
TCP6 = """  sl  local_address                         remote_address                        st tx_queue rx_queue tr
   0: 00000000000000000000000000000000:20FB 00000000000000000000000000000000:0000 0A 0:0 00:00000000 00000000 0 0 4713 1
"""


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::")])
def test_a_port_of_this_process(kind: socket.SocketKind, family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family, kind) as sock:
        sock.bind((host, 0))
        if kind is socket.SOCK_STREAM:
            sock.listen()
        port = sock.getsockname()[1]
        (found,) = holders([port])
    assert (found.protocol, found.address.strip("[]"), found.port) == (
        "tcp" if kind is socket.SOCK_STREAM else "udp",
        host,
        port,
    )
    name = Path("/proc/self/comm").read_text().strip()
    assert found.process == f"{name} (process {os.getpid()})"
    assert found.words.startswith(f"{name} (process {os.getpid()})")
    assert holders([port]) == []


def test_only_sockets_that_listen_have_a_port() -> None:
    assert dict(parse_table("tcp", TCP)) == {"4711": Holder("tcp", "0.0.0.0", 53)}
    assert dict(parse_table("tcp", TCP6)) == {"4713": Holder("tcp", "[::]", 8443)}


def test_the_unit_is_named(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(TCP)
    process = tmp_path / "612"
    (process / "fd").mkdir(parents=True)
    (process / "fd" / "5").symlink_to("socket:[4711]")
    (process / "comm").write_text("pihole-FTL\n")
    (process / "cgroup").write_text("0::/system.slice/pihole-FTL.service\n")
    (found,) = holders([53, 8443], tmp_path)
    assert found.words == "pihole-FTL (process 612) of pihole-FTL.service has TCP 0.0.0.0:53"
    (process / "fd" / "5").unlink()
    (found,) = holders([53, 8443], tmp_path)
    assert found.words == "another user's program has TCP 0.0.0.0:53"
