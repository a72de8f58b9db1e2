"""The real daemon with the fleet's repository in it, and its owner with a clone."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.daemon import Daemon
from support.fleets import CONFIGURED, INITRAMFS, KERNEL
from support.repositories import Person, git
from support.waiting import wait_until

from iluvatar_pxe.gitops.repository.bare import Repository
from iluvatar_pxe.gitops.repository.git import Git

FILES: Mapping[str, str | None] = {
    "fleet.yaml": "enrolment: {mode: join, countdown: 1}\nrules: [{match: {arch: x86_64}, layer: arda}]\n",
    "layers/arda.yaml": f"{CONFIGURED}controlPlanes: 1\n",
    "configs/controlplane.yaml": "machine: {type: controlplane}\n",
    "configs/worker.yaml": "machine: {type: worker}\n",
}
"""A fleet that every PC joins."""


class Hosted(Daemon):
    """On loopback, where nobody can boot in earnest: what is to be served is asked for by HTTP."""

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        prefix: Sequence[str] = (),
    ) -> None:
        own = {section: dict(keys) for section, keys in (settings or {}).items()}
        own["fleet"] = {"source": "hosted", **own.get("fleet", {})}
        super().__init__(directory, own, prefix=prefix)
        for name in (KERNEL, INITRAMFS, "ipxe/snponly.efi"):
            (self.assets / name).parent.mkdir(parents=True, exist_ok=True)
            (self.assets / name).write_bytes(b"boot file")

    @property
    def repository(self) -> Repository:
        return Repository(Git(self.state / "git" / "fleet.git"), "main")

    @property
    def token(self) -> str:
        """The owner's write token, as it was printed once."""
        return self._printed(r"ilu_\S+")

    @property
    def recovery_key(self) -> str:
        return self._printed(r"AGE-SECRET-KEY-1\S+")

    def _printed(self, pattern: str) -> str:
        found = wait_until(lambda: re.search(pattern, self.output), "the keys to be shown")
        assert found
        return found[0]

    @property
    def port(self) -> int:
        port: int = self.settings["http"]["tls_port"]
        return port

    def url(self, token: str = "", name: str = "fleet") -> str:
        return f"https://{'me:' * bool(token)}{token}{'@' * bool(token)}127.0.0.1:{self.port}/git/{name}.git"

    def authority(self) -> Path:
        """Fetch the CA, as a client would."""
        file = self.state.parent / "ca.crt"
        file.write_bytes(self.get("/ca.crt")[1])
        return file

    def owner(self, directory: Path, token: str = "") -> Person:
        """Clone the fleet, over TLS."""
        return Person(directory, self.url(token or self.token), {"GIT_SSL_CAINFO": str(self.authority())})

    def fsck(self) -> None:
        assert git(self.repository.path, "fsck", "--strict", "--no-dangling", "--full") == ""
