"""What a node's files say to k3s: the unit, the configuration files in their order, and the token files."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from support.k3s.fatal import FatalError
from support.k3s.flags import AGENT, SERVER

_UNITS = {"k3s.service": "server", "k3s-agent.service": "agent"}
_EXEC = re.compile(r"^ExecStart=((?:.*\\\n)*.*)$", re.MULTILINE)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@dataclass(frozen=True)
class Configuration:
    """One node's configuration; ``root`` stands for its ``/``."""

    root: Path
    is_server: bool
    values: Mapping[str, Any]
    skipped: tuple[str, ...]
    """Keys that k3s does not know, and says so."""

    @classmethod
    def read(cls, root: Path, config: Path | None = None) -> "Configuration":
        """Return what a directory says, of ``--config`` where that is given; raises FatalError."""
        command = _command(root)
        known = SERVER if command == "server" else AGENT
        merged: dict[str, Any] = {}
        for file in _files((config or root / "etc/rancher/k3s/config.yaml").parent):
            for key, value in _mapping(file).items():
                if key.endswith("+"):
                    name = key[:-1]
                    merged[name] = [*_listed(merged.get(name)), *_listed(value)]
                else:
                    merged[key] = value
        values = {key: value for key, value in merged.items() if key in known}
        return cls(root, command == "server", values, tuple(sorted(merged.keys() - values.keys())))

    def text(self, key: str, default: str = "") -> str:
        value = self.values.get(key)
        return default if value is None else str(value)

    def flag(self, key: str) -> bool:
        """Return a boolean as Go reads it; raises FatalError."""
        value = str(self.values.get(key, False)).lower()
        if value not in {"true", "false", "1", "0", "t", "f"}:
            raise FatalError(f'invalid value "{value}" for flag -{key}: parse error')
        return value in {"true", "1", "t"}

    def items(self, key: str) -> list[str]:
        """Return a list, whose values may hold commas."""
        return [part for value in _listed(self.values.get(key)) for part in str(value).split(",") if part]

    @property
    def data(self) -> Path:
        return self.path(self.text("data-dir", "/var/lib/rancher/k3s"))

    def path(self, absolute: str) -> Path:
        """Return where a path of the node is."""
        return self.root / absolute.lstrip("/")

    @property
    def node_name(self) -> str:
        """Return the node's name; raises FatalError where Kubernetes would take none such."""
        name = self.text("node-name") or (self.root / "etc/hostname").read_text().strip()
        if not _NAME.fullmatch(name):
            raise FatalError(f'invalid node name "{name}": a lowercase RFC 1123 subdomain is needed')
        return name

    @property
    def token(self) -> str:
        return self._secret("token")

    @property
    def agent_token(self) -> str:
        return self._secret("agent-token")

    @property
    def critical(self) -> dict[str, object]:
        """Return what all servers have to agree on (k3s' CriticalControlArgs)."""
        services = self.text("service-cidr", "10.43.0.0/16")
        return {
            "cluster-cidr": self.text("cluster-cidr", "10.42.0.0/16"),
            "service-cidr": services,
            "cluster-dns": self.text("cluster-dns", re.sub(r"\.\d+/\d+$", ".10", services)),
            "cluster-domain": self.text("cluster-domain", "cluster.local"),
            "disable-servicelb": "servicelb" in self.items("disable"),
            "egress-selector-mode": self.text("egress-selector-mode", "agent"),
            "flannel-backend": self.text("flannel-backend", "vxlan"),
            "secrets-encryption-provider": self.text("secrets-encryption-provider", "aescbc"),
            **{
                key: self.flag(key)
                for key in (
                    "disable-cloud-controller",
                    "disable-helm-controller",
                    "disable-network-policy",
                    "embedded-registry",
                    "flannel-external-ip",
                    "flannel-ipv6-masq",
                    "secrets-encryption",
                )
            },
        }

    @property
    def arguments(self) -> list[str]:
        """Return what k3s notes in its Node of its options, also of those from files (pkg/nodeconfig)."""
        told = ["server" if self.is_server else "agent"]
        for key, value in self.values.items():
            masked = "********" if key in {"token", "agent-token"} else None
            for one in _listed(value):
                told += [f"--{key}", masked or (str(one).lower() if isinstance(one, bool) else str(one))]
        return told

    def _secret(self, key: str) -> str:
        if file := self.text(f"{key}-file"):
            try:
                return self.path(file).read_text().strip()
            except OSError as error:
                raise FatalError(f"open {file}: {error.strerror}") from error
        return self.text(key)


def _command(root: Path) -> str:
    """Return ``server`` or ``agent``, as the only unit says."""
    units = [unit for unit in _UNITS if (root / "etc/systemd/system" / unit).is_file()]
    if len(units) != 1:
        raise FatalError(f"a node has one unit of k3s, and this one has {units}")
    text = (root / "etc/systemd/system" / units[0]).read_text()
    found = _EXEC.search(text)
    words = found[1].replace("\\\n", " ").split() if found else []
    if words != ["/usr/local/bin/k3s", _UNITS[units[0]]]:
        raise FatalError(f"this stand-in takes no flags but from configuration files: {words}")
    return words[1]


def _files(directory: Path) -> Iterator[Path]:
    if (directory / "config.yaml").is_file():
        yield directory / "config.yaml"
    if (directory / "config.yaml.d").is_dir():
        yield from sorted(
            file for file in (directory / "config.yaml.d").iterdir() if file.suffix in {".yaml", ".yml"}
        )


def _mapping(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        raise FatalError(f"{file.name}: {error}") from error
    if found is not None and not isinstance(found, dict):
        raise FatalError(f"{file.name}: yaml: cannot unmarshal into yaml.MapSlice")
    return {str(key): value for key, value in (found or {}).items()}


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
