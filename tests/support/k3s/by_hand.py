"""A cluster as a person lays it out by hand: CA files by OpenSSL as k3s' own script makes them, and files for each node."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from support.k3s.authorities import AUTHORITIES, FILES, SERVICE_KEY
from support.k3s.machine import Machine
from support.k3s.site import Site
from support.k3s.tokens import PREFIX, hash_of
from support.talos.site import loopback_addresses
from support.tls import openssl

API = "api.ainur.lab"
_AUTHORITY = (
    "basicConstraints=critical,CA:true\nkeyUsage=critical,digitalSignature,keyEncipherment,keyCertSign\n"
    "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
)


@cache
def ca_files(name: str) -> dict[str, bytes]:
    """Return the eleven files of a cluster of this name: five CAs with a chain to one root, and the service key."""
    with TemporaryDirectory() as text:
        directory = Path(text)
        (directory / "extensions").write_text(_AUTHORITY)
        _request(directory, "root", f"k3s-root-ca@{name}")
        _sign(directory, "root", "-signkey", str(directory / "root.key"))
        files = {}
        for authority in AUTHORITIES:
            one = authority.replace("/", "-")
            _request(directory, one, f"k3s-{one}@{name}")
            _sign(directory, one, "-CA", str(directory / "root.crt"), "-CAkey", str(directory / "root.key"))
            chain = [directory / f"{one}.crt", directory / "root.crt"]
            files[f"{authority}.crt"] = b"".join(file.read_bytes() for file in chain)
            files[f"{authority}.key"] = (directory / f"{one}.key").read_bytes()
        openssl("genrsa", "-traditional", "-out", str(directory / "service.key"), "2048")
        files[SERVICE_KEY] = (directory / "service.key").read_bytes()
    return files


def _request(directory: Path, name: str, subject: str) -> None:
    key = directory / f"{name}.key"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
    openssl(
        "req", "-new", "-key", str(key), "-subj", f"/CN={subject}", "-out", str(directory / f"{name}.csr")
    )


def _sign(directory: Path, name: str, *by: str) -> None:
    files = ("-in", str(directory / f"{name}.csr"), "-out", str(directory / f"{name}.crt"))
    openssl("x509", "-req", *files, *by, "-days", "30", "-extfile", str(directory / "extensions"))


@dataclass
class Cluster:
    """Nodes of one cluster in a directory; ``name`` makes its secrets its own."""

    directory: Path
    name: str = "ainur"
    site: Site = field(default_factory=Site)
    machines: dict[str, Machine] = field(default_factory=dict)
    _addresses: Iterator[str] = field(default_factory=loopback_addresses)

    @property
    def ca_hash(self) -> str:
        return hash_of(ca_files(self.name)["server-ca.crt"])

    @property
    def server_token(self) -> str:
        return f"{PREFIX}{self.ca_hash}::server:server-password-of-{self.name}"

    @property
    def agent_token(self) -> str:
        return f"{PREFIX}{self.ca_hash}::node:agent-password-of-{self.name}"

    def first(self, name: str, **more: Any) -> Machine:
        """Return a first server, off."""
        return self._server(name, {"cluster-init": True, **more})

    def server(self, name: str, **more: Any) -> Machine:
        """Return a server that joins, off."""
        return self._server(name, {"server": f"https://{API}:6443", **more})

    def agent(self, name: str, **more: Any) -> Machine:
        """Return an agent, off."""
        configuration = {"server": f"https://{API}:6443", "token": self.agent_token, **more}
        return self._machine(name, "agent", configuration)

    def write(self, machine: Machine, **more: Any) -> None:
        """Change what a node's configuration says; None takes a key away."""
        file = machine.root / "etc/rancher/k3s/config.yaml"
        merged = {**yaml.safe_load(file.read_text()), **more}
        file.write_text(yaml.safe_dump({key: value for key, value in merged.items() if value is not None}))

    def lay_ca_files(self, machine: Machine) -> None:
        """Write the cluster's CA files onto a server."""
        for name in FILES:
            file = machine.root / "var/lib/rancher/k3s/server/tls" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(ca_files(self.name)[name])

    def _server(self, name: str, configuration: dict[str, Any]) -> Machine:
        tokens = {"token": self.server_token, "agent-token": self.agent_token}
        machine = self._machine(name, "server", {**tokens, "tls-san": [API], **configuration})
        self.lay_ca_files(machine)
        self.site.names.setdefault(API, []).append(machine.address)
        return machine

    def _machine(self, name: str, command: str, configuration: dict[str, Any]) -> Machine:
        root = self.directory / self.name / name
        unit = "k3s.service" if command == "server" else "k3s-agent.service"
        for file, text in {
            "etc/hostname": f"{name}\n",
            f"etc/systemd/system/{unit}": f"[Service]\nExecStart=/usr/local/bin/k3s \\\n    {command}\n",
            "etc/rancher/k3s/config.yaml": yaml.safe_dump(configuration),
        }.items():
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(text)
        machine = Machine(self.site, root, next(self._addresses))
        self.machines[name] = machine
        return machine

    async def end(self) -> None:
        """Take the power of all."""
        async with AsyncExitStack() as stack:
            for machine in self.machines.values():
                stack.push_async_callback(machine.power_cut)
