"""The real etcd of a stand-in, on its own address and with Talos' certificates."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.etcd import ClientFiles, EtcdError, EtcdProcess, environment
from support.talos.certificates import Authority
from support.talos.clock import Clock

_CALL_SECONDS = 10.0
_DIAL_SECONDS = 2.0


@dataclass(frozen=True)
class Member:
    id: int
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    is_learner: bool


class Etcd(EtcdProcess):
    """One member, and the calls that Talos makes of it."""

    def __init__(self, name: str, address: str, directory: Path, authority: Authority, clock: Clock) -> None:
        super().__init__(address)
        self.name, self.data = name, directory
        self._pki = directory.parent / "etcd-pki"
        self._authority, self._clock = authority, clock

    @property
    def is_empty(self) -> bool:
        return not self.data.is_dir() or not any(self.data.iterdir())

    async def start(self, members: Iterable[tuple[str, str]], state: str) -> None:
        """Start the process; ``members`` are names and peer URLs of all, also of itself."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write_certificates()
        crt, key, ca = (str(self._pki / name) for name in ("crt", "key", "ca"))
        options: dict[str, object] = {
            "heartbeat-interval": "50",
            "election-timeout": "500",
            "log-level": "error",
            "cert-file": crt,
            "key-file": key,
            "trusted-ca-file": ca,
            "peer-cert-file": crt,
            "peer-key-file": key,
            "peer-trusted-ca-file": ca,
        }
        await self.begin(self.data, self.name, members, state, options)

    async def members(self, url: str | None = None) -> tuple[Member, ...]:
        """Return the members as the etcd at ``url`` knows them, else its own; raises EtcdError."""
        listed = await self.ask("cluster/member/list", url=url or "")
        return tuple(
            Member(
                int(found["ID"]),
                found.get("name", ""),
                tuple(found.get("peerURLs", ())),
                tuple(found.get("clientURLs", ())),
                bool(found.get("isLearner")),
            )
            for found in listed["members"]
        )

    async def status(self) -> dict[str, Any]:
        """Return what this member says of itself; raises EtcdError."""
        return await self.ask("maintenance/status")

    async def is_healthy(self) -> bool:
        """Say whether it answers with its cluster's consent, as ``etcdctl endpoint health`` asks."""
        try:
            await self.ask("kv/range", {"key": b64encode(b"health").decode()})
        except EtcdError:
            return False
        return True

    async def snapshot(self, target: Path) -> None:
        await self.order("snapshot", "save", str(target))

    async def call(self, *arguments: str, url: str | None = None) -> Any:
        """Return what etcdctl prints as JSON; raises EtcdError."""
        text = await self._run(*arguments, "--write-out=json", url=url)
        return json.loads(text) if text.strip() else None

    async def order(self, *arguments: str, url: str | None = None) -> None:
        """Have something done of which etcdctl 3.4 prints no JSON; raises EtcdError."""
        await self._run(*arguments, url=url)

    async def _run(self, *arguments: str, url: str | None = None) -> str:
        self._write_certificates()
        process = await asyncio.create_subprocess_exec(
            "etcdctl", f"--endpoints={url or self.client_url}", "--dial-timeout=2s", "--command-timeout=5s",
            f"--cacert={self._pki / 'ca'}", f"--cert={self._pki / 'crt'}", f"--key={self._pki / 'key'}", *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=environment(),
        )  # fmt: skip
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                out, err = await process.communicate()
        except BaseException:
            with suppress(ProcessLookupError):  # it has just ended
                process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise EtcdError(_reason(err.decode() or out.decode()))
        return out.decode()

    def client_files(self) -> ClientFiles:
        self._write_certificates()
        return ClientFiles(self._pki / "ca", self._pki / "crt", self._pki / "key")

    def _write_certificates(self) -> None:
        if (self._pki / "key").exists():
            return
        self._pki.mkdir(mode=0o700, parents=True, exist_ok=True)
        sans = {self.name, self.address, "localhost", "127.0.0.1"}
        leaf = self._authority.leaf(self.name, sans, self._clock.now(), client=True)
        (self._pki / "ca").write_bytes(self._authority.pem)
        (self._pki / "crt").write_bytes(leaf.crt)
        (self._pki / "key").write_bytes(leaf.key)


async def listens(address: str, port: int) -> bool:
    """Say whether something listens there."""
    try:
        async with asyncio.timeout(_DIAL_SECONDS):
            _, writer = await asyncio.open_connection(address, port)
    except OSError:  # which a TimeoutError is, too
        return False
    writer.close()
    return True


def _reason(said: str) -> str:
    """Return the last line of etcdctl's error, which is JSON where it logs."""
    last = said.strip().splitlines()[-1] if said.strip() else "etcdctl said nothing"
    try:
        return str(json.loads(last)["error"])
    except (ValueError, KeyError, TypeError):
        return last.removeprefix("Error: ")
