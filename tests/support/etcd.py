"""A process of the real etcd, as a member on an address of its own, asked by its JSON gateway."""

import asyncio
import os
import signal
import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

CLIENT_PORT, PEER_PORT = 2379, 2380
_SECONDS = 5.0


class EtcdError(Exception):
    """What etcd says instead of doing it."""


@dataclass(frozen=True)
class ClientFiles:
    """What a client of etcd shows and trusts."""

    ca: Path
    certificate: Path
    key: Path


class EtcdProcess(ABC):
    """One member's. A handshake costs more than an answer, so it keeps its connections while the process runs."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None

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
        await self._hang_up()
        self._session = self._new_session()

    async def wait(self) -> None:
        """Wait until it has ended by itself."""
        assert self._process is not None
        await self._process.wait()

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it; SIGKILL is what a power cut does to it."""
        await self._hang_up()
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(how)
        await process.wait()

    async def ask(self, what: str, asked: dict[str, Any] | None = None, *, url: str = "") -> dict[str, Any]:
        """Return what the member at ``url`` answers, else this one; raises EtcdError."""
        try:
            async with (
                nullcontext(self._session) if self._session else self._new_session() as session,
                session.post(f"{url or self.client_url}/v3/{what}", json=asked or {}) as response,
            ):
                found: dict[str, Any] = await response.json()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise EtcdError(f"etcd {what}: {error}") from error
        if "error" in found:
            raise EtcdError(str(found["error"]))
        return found

    @abstractmethod
    def client_files(self) -> ClientFiles:
        """Return the files with which members are asked."""

    def _new_session(self) -> aiohttp.ClientSession:
        files = self.client_files()
        context = ssl.create_default_context(cafile=str(files.ca))
        context.load_cert_chain(files.certificate, files.key)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context), timeout=aiohttp.ClientTimeout(total=_SECONDS)
        )

    async def _hang_up(self) -> None:
        session, self._session = self._session, None
        if session:
            await session.close()


def environment() -> dict[str, str]:
    """Return what etcd and etcdctl see of the environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ETCD")}
    return kept | {"ETCDCTL_API": "3"}
