"""A process of the real etcd, as a member on an address of its own."""

import asyncio
import os
import signal
from collections.abc import Iterable
from pathlib import Path

CLIENT_PORT, PEER_PORT = 2379, 2380


class EtcdProcess:
    """One member's."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._process: asyncio.subprocess.Process | None = None

    @property
    def client_url(self) -> str:
        return f"https://{self.address}:{CLIENT_PORT}"

    @property
    def peer_url(self) -> str:
        return f"https://{self.address}:{PEER_PORT}"

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def begin(
        self,
        data: Path,
        name: str,
        members: Iterable[tuple[str, str]],
        state: str,
        options: dict[str, object],
        *flags: str,
        log: Path | None = None,
    ) -> None:
        """Start it; ``members`` are names and peer URLs of all, also of itself, and ``options`` what is not said here."""
        arguments = {
            "name": name,
            "data-dir": data,
            "listen-client-urls": self.client_url,
            "advertise-client-urls": self.client_url,
            "listen-peer-urls": self.peer_url,
            "initial-advertise-peer-urls": self.peer_url,
            "initial-cluster": ",".join(f"{name}={url}" for name, url in members),
            "initial-cluster-state": state,
            **options,
        }
        with (log or Path(os.devnull)).open("wb") as told:
            self._process = await asyncio.create_subprocess_exec(
                "etcd", *(f"--{option}={value}" for option, value in arguments.items()), "--client-cert-auth",
                "--peer-client-cert-auth", "--logger=zap", *flags,
                "--experimental-peer-skip-client-san-verification",  # they come from other addresses, as all are on one host
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=told,
                env=environment(),
            )  # fmt: skip

    async def wait(self) -> None:
        """Wait until it has ended by itself."""
        assert self._process is not None
        await self._process.wait()

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it; SIGKILL is what a power cut does to it."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(how)
        await process.wait()


def environment() -> dict[str, str]:
    """Return what etcd and etcdctl see of the environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ETCD")}
    return kept | {"ETCDCTL_API": "3"}
