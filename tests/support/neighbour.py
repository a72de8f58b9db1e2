"""Another host beside this one, on a network that a server on loopback serves as well: a network namespace."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.interfaces import read_interface
from support.web import Web

NAMESPACE = LINK = f"next{os.getpid()}"
"""The namespace, and the interface that leads to it."""
HERE, THERE = (f"10.213.{os.getpid() % 256}.{end}" for end in (1, 2))


@dataclass(frozen=True)
class Neighbour:
    """The other host, which has this one's files and programs."""

    web: Web
    plain: str = ""
    secure: str = ""

    def run(self, *command: str, at: Path | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run a command there, and return what it shows."""
        done = subprocess.run(
            ["ip", "netns", "exec", NAMESPACE, *command],
            cwd=at,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout


@contextmanager
def neighbour_of(web: Web) -> Iterator[Neighbour]:
    """Have another host on a network that ``web`` serves at ``HERE``; skips the test where that needs root."""
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces")
    ip(f"netns add {NAMESPACE}")
    try:
        ip(f"link add {LINK} type veth peer name eth0 netns {NAMESPACE}")
        ip(f"address add {HERE}/30 dev {LINK}")
        ip(f"link set {LINK} up")
        ip(f"-n {NAMESPACE} address add {THERE}/30 dev eth0")
        ip(f"-n {NAMESPACE} link set eth0 up")
        assert not web.call(web.server.serve([read_interface("lo"), read_interface(LINK)]))
        yield Neighbour(web, f"http://{HERE}:{web.port}", f"https://{HERE}:{web.tls_port}")
    finally:
        ip(f"netns delete {NAMESPACE}")


def ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True)
