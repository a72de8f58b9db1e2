"""The real etcd of a server, asked by its JSON gateway; with the certificates that k3s gives it."""

import asyncio
import base64
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from support.etcd import ClientFiles, EtcdError, EtcdProcess, environment
from support.k3s.fatal import RequestError

_REMOVED = b"has been permanently removed from the cluster"


@dataclass(frozen=True)
class Member:
    id: str
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    is_learner: bool

    @classmethod
    def of(cls, found: dict[str, Any]) -> "Member":
        peers, clients = (tuple(found.get(key, ())) for key in ("peerURLs", "clientURLs"))
        return cls(found["ID"], found.get("name", ""), peers, clients, bool(found.get("isLearner")))


class Etcd(EtcdProcess):
    """One member: its files below ``db``, and the questions that k3s has for it."""

    def __init__(self, db: Path, tls: Path, address: str, node: str) -> None:
        super().__init__(address)
        self.directory = db / "etcd"
        self._tls, self._node = tls / "etcd", node

    @property
    def is_initialized(self) -> bool:
        """Say whether there is a write-ahead log, so that neither cluster-init nor a server is looked at."""
        return (self.directory / "member" / "wal").is_dir()

    @property
    def name(self) -> str:
        """Return the member's name, which is made once and outlives a restart."""
        file = self.directory / "name"
        if not file.exists():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.write_text(f"{self._node}-{uuid4().hex[:8]}")
        return file.read_text()

    async def start(self, members: Iterable[tuple[str, str]], state: str, *, is_reset: bool = False) -> None:
        """Start the process; ``members`` are names and peer URLs of all, also of itself."""
        options: dict[str, object] = {
            "heartbeat-interval": 100,
            "election-timeout": 1000,
            "log-level": "warn",
            "cert-file": self._tls / "server-client.crt",
            "key-file": self._tls / "server-client.key",
            "trusted-ca-file": self._tls / "server-ca.crt",
            "peer-cert-file": self._tls / "peer-server-client.crt",
            "peer-key-file": self._tls / "peer-server-client.key",
            "peer-trusted-ca-file": self._tls / "peer-ca.crt",
        }
        flags = ["--force-new-cluster"] if is_reset else []
        await self.begin(self.directory, self.name, members, state, options, *flags, log=self._log)

    async def ended(self) -> bool:
        """Wait for the process to end by itself, and say whether that is because others removed this member."""
        await self.wait()
        return _REMOVED in self._log.read_bytes()

    def rename(self) -> None:
        """Give the member another name at its next start."""
        (self.directory / "name").unlink(missing_ok=True)

    async def restore(self, snapshot: Path) -> None:
        """Replace the data by a snapshot's, as that of the only member; raises RequestError."""
        shutil.rmtree(self.directory, ignore_errors=True)
        name = self.name
        restored = self.directory / "restored"
        process = await asyncio.create_subprocess_exec(
            *("etcdctl", "snapshot", "restore", str(snapshot), f"--data-dir={restored}", f"--name={name}"),
            *(f"--initial-cluster={name}={self.peer_url}", f"--initial-advertise-peer-urls={self.peer_url}"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
        )
        _, said = await process.communicate()
        if process.returncode:
            raise RequestError(said.decode())
        (restored / "member").rename(self.directory / "member")
        restored.rmdir()

    def forget(self) -> None:
        """Take the data away, as k3s does at the next start of a member that others have removed."""
        shutil.rmtree(self.directory)

    async def status(self) -> dict[str, Any]:
        """Return what this member says of itself; raises RequestError."""
        return await self.ask("maintenance/status")

    async def members(self, url: str = "") -> list[Member]:
        """Return the members as the one at ``url`` knows them, else this one; raises RequestError."""
        found = await self.ask("cluster/member/list", url=url)
        return [Member.of(one) for one in found["members"]]

    async def get(self, key: str, *, is_prefix: bool = False) -> dict[str, bytes]:
        """Return values by key; raises RequestError."""
        asked = {"key": _encoded(key)}
        if is_prefix:
            asked["range_end"] = _encoded(key[:-1] + chr(ord(key[-1]) + 1))
        found = await self.ask("kv/range", asked)
        return {
            base64.b64decode(one["key"]).decode(): base64.b64decode(one.get("value", ""))
            for one in found.get("kvs", ())
        }

    async def put(self, key: str, value: bytes) -> None:
        await self.ask("kv/put", {"key": _encoded(key), "value": base64.b64encode(value).decode()})

    async def create(self, key: str, value: bytes) -> bool:
        """Write a key that is not there, and say whether it was not; raises RequestError."""
        put = {"requestPut": {"key": _encoded(key), "value": base64.b64encode(value).decode()}}
        absent = {"key": _encoded(key), "target": "CREATE", "createRevision": "0"}
        found = await self.ask("kv/txn", {"compare": [absent], "success": [put]})
        return bool(found.get("succeeded"))

    async def replace(self, key: str, before: bytes, after: bytes) -> bool:
        """Write a key that still has the value of before, and say whether it had; raises RequestError."""
        put = {"requestPut": {"key": _encoded(key), "value": base64.b64encode(after).decode()}}
        same = {"key": _encoded(key), "target": "VALUE", "value": base64.b64encode(before).decode()}
        found = await self.ask("kv/txn", {"compare": [same], "success": [put]})
        return bool(found.get("succeeded"))

    async def delete(self, key: str) -> None:
        await self.ask("kv/deleterange", {"key": _encoded(key)})

    async def ask(self, what: str, asked: dict[str, Any] | None = None, *, url: str = "") -> dict[str, Any]:
        """Return what etcd answers; raises RequestError."""
        try:
            return await super().ask(what, asked, url=url)
        except EtcdError as error:
            raise RequestError(str(error)) from error

    def client_files(self) -> ClientFiles:
        return ClientFiles(self._tls / "server-ca.crt", self._tls / "client.crt", self._tls / "client.key")

    @property
    def _log(self) -> Path:
        return self.directory.parent / "etcd.log"


def _encoded(key: str) -> str:
    return base64.b64encode(key.encode()).decode()
