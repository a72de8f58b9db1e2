"""What the rogue knows: more than anybody on the network could, so that only the daemon's own checks stand in its way."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Target:
    """A machine of the fleet, whose configuration the rogue wants."""

    name: str
    mac: str
    address: str
    uuid: str
    serial: str
    manufacturer: str
    product: str
    id: str
    """What the daemon calls it; it is in the machine's tickets."""


@dataclass(frozen=True)
class Knowledge:
    """``secrets`` are what must not come out, by name; ``dead`` are tickets of machines that are installed."""

    server: str
    source: str
    """The address that it asks from."""
    mac: str
    targets: tuple[Target, ...]
    """The last one has booted as far as its script: a NIC that passes for its own would get its configuration."""
    live: tuple[str, ...]
    dead: tuple[str, ...]
    files: tuple[str, ...]
    """Paths of the daemon's own files on its host."""
    checksums: tuple[str, ...]
    """SHA-256 of files with secrets."""
    secrets: dict[str, str]
    domain: str = "lab.home.arpa"

    @property
    def tickets(self) -> tuple[str, ...]:
        return (*self.live, *self.dead)

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, file: Path) -> Self:
        told = json.loads(file.read_text())
        told["targets"] = tuple(Target(**one) for one in told["targets"])
        lists = ("live", "dead", "files", "checksums")
        return cls(**told | {name: tuple(told[name]) for name in lists})
