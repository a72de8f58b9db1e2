"""A daemon with a cluster's secrets, machines that boot, and a rogue: each with a card on one network of our own."""

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.fleets import ARDA
from support.proxy import discover
from support.rogue.knowledge import Knowledge, Target
from support.switched_on import STATION, plug_in
from support.talos.cluster import new_bundle
from support.two_pis import HOME, Pi

from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.lab.room.network import INTERFACE, Network
from iluvatar_pxe.layers.arda.bundle import Bundle, dump_bundle
from iluvatar_pxe.layers.key_pair import encode
from iluvatar_pxe.wire.dhcp import encode as encode_dhcp

PLANE, WORKER, ABSENT, HAND = "plane", "worker", "absent", "hand"
NAMES = (PLANE, WORKER, ABSENT, HAND)
"""``hand`` has a configuration that its owner wrote, and waits with its ticket; ``absent`` was never plugged in."""
MACS = {name: f"52:54:00:77:02:{number:02x}" for number, name in enumerate(NAMES)}
WRITTEN = "hand-written-secret-of-the-owner"
ROGUE, OWN = "rogue", "10.77.0.66"
_ROLES = {PLANE: "controlplane"}
_LINES = {HAND: f"chain: talos\nconfig: configs/{HAND}.yaml\n"}
FILES = {
    "fleet.yaml": "domain: lab.home.arpa\n",
    "layers/arda.yaml": f"{ARDA}controlPlanes: 1\n",
    f"configs/{HAND}.yaml": f"version: v1alpha1\nmachine:\n  type: worker\n  token: {WRITTEN}\n",
} | {
    f"machines/{name}.yaml": f'match: {{macs: ["{MACS[name]}"]}}\nlayer: arda\nrole: {_ROLES.get(name, "worker")}\n'
    f"address: 10.77.0.{100 + number}\n" + _LINES.get(name, "")
    for number, name in enumerate(NAMES)
}  # fmt: skip
_ROOT = Path(__file__).parents[3]
_ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{_ROOT}:{_ROOT / 'tests'}", "PYTHONUNBUFFERED": "1"}
TICKET = re.compile(r"/talos/([\w-]{48})/config\.yaml")
_SECONDS = 120.0


@dataclass
class Loot:
    """What a rogue has brought back."""

    got: list[dict[str, Any]]
    gone: dict[str, int]
    statuses: dict[str, int]


@dataclass
class RogueSite:
    namespace: Namespace
    pi: Pi
    bundle: Bundle
    stand_ins: Process | None = None
    _runs: int = field(default=0)

    def boots(self, *names: str) -> None:
        """Switch on stand-ins, whose firmware has asked by DHCP; they boot as the daemon says."""
        words = [sys.executable, "-m", "support.talos.alone", "--server", f"http://{HOME}:8080", "--dns", f"{HOME}:53",
                 "--directory", str(DIRECTORY / "stand-ins"), "--version", "v1.13.9"]  # fmt: skip
        pairs = [f"{MACS[name]}={address_of(name)}" for name in names]
        self.stand_ins = self.namespace.start(
            "stand-ins", [*words, *pairs], network=STATION, environment=_ENVIRONMENT
        )

    def ask_by_dhcp(self, *names: str) -> None:
        """Have firmware of machines ask for a boot."""
        requests = (encode_dhcp(discover(7, mac=MACS[name])).hex() for name in names)
        cards = (f"m{NAMES.index(name)}" for name in names)
        asking = " & ".join(
            f"{sys.executable} -m support.firmware_dhcp {one} {card} 5"
            for one, card in zip(requests, cards, strict=True)
        )
        told = self.namespace.run(["sh", "-c", f"{asking} & wait"], network=STATION, environment=_ENVIRONMENT)
        assert len(told.splitlines()) == len(names), "each is offered a boot"

    def fetch(self, name: str, path: str, *options: str) -> str:
        """Return what a machine is answered, and the status in the last line."""
        url = f"http://{HOME}:8080{path}"
        words = [
            "curl",
            "--silent",
            "--max-time",
            "20",
            "--interface",
            address_of(name),
            "--write-out",
            "\n%{http_code}",
        ]
        return self.namespace.run([*words, *options, url], network=STATION)

    def told(self, name: str) -> dict[str, Any]:
        """Return what the stand-in of a machine has said last of itself."""
        assert self.stand_ins
        lines = [json.loads(line) for line in self.stand_ins.output.splitlines() if line.startswith("{")]
        return next((line for line in reversed(lines) if line["mac"] == MACS[name]), {})

    def tickets(self, name: str) -> tuple[str, ...]:
        """Return the tickets that a stand-in was given, the oldest first."""
        assert self.stand_ins
        lines = (line for line in self.stand_ins.output.splitlines() if MACS[name] in line)
        return tuple(dict.fromkeys(found for line in lines for found in TICKET.findall(line)))

    def knowledge(self, source: str, mac: str, live: tuple[str, ...], dead: tuple[str, ...]) -> Knowledge:
        files = self._files()
        sums = [
            hashlib.sha256(self.pi.outside(Path(one)).read_bytes()).hexdigest()
            for one in files
            if "/proc" not in one
        ]
        return Knowledge(
            HOME, source, mac, tuple(self.targets()), live, dead, tuple(files), tuple(sums), self._secrets()
        )

    def starts(self, known: Knowledge, network: str, seed: int, count: int, *kinds: str) -> Process:
        """Start a rogue in a network."""
        self._runs += 1
        file = DIRECTORY / f"knowledge-{self._runs}.json"
        known.write(self.pi.outside(file))
        words = [
            sys.executable,
            "-m",
            "support.rogue.alone",
            str(file),
            str(self.pi.directory / "control.sock"),
        ]
        return self.namespace.start(
            f"rogue-{self._runs}",
            [*words, str(seed), str(count), *kinds],
            network=network,
            environment=_ENVIRONMENT,
        )

    def logged(self, event: str) -> int:
        """Return how many times this was logged, or not written since it came too often."""
        return sum(1 + line.get("suppressed", 0) for line in self.pi.logged(event))

    def last_client(self, event: str) -> str:
        return str(self.pi.logged(event)[-1]["client"])

    def targets(self) -> Iterator[Target]:
        rows = self.pi.rows("SELECT mac, machine_id FROM interfaces")
        ids = {str(mac): str(one) for mac, one in rows}
        for number, name in enumerate(NAMES, start=1):
            mac = MACS[name]
            uuid = f"4c4c4544-0000-1000-8000-{mac.replace(':', '')}"
            yield Target(
                name,
                mac,
                address_of(name),
                uuid,
                f"BOX{number}",
                "Stand-in",
                "Machine",
                ids.get(mac, "0" * 32),
            )

    def _files(self) -> list[str]:
        state = self.pi.outside(self.pi.state)
        assert self.pi.daemon
        own = [f"/proc/{self.pi.daemon.pid}/{name}" for name in ("environ", "cmdline", "maps", "mem")]
        found = sorted(path for path in state.rglob("*") if path.is_file() and "/objects/" not in str(path))
        return [*own, *(f"{self.pi.state}/{path.relative_to(state)}" for path in found)]

    def _secrets(self) -> dict[str, str]:
        key = self.pi.outside(self.pi.state / "age.key").read_text()
        return secrets_of(self.bundle) | {"written": WRITTEN, "age key": key.split()[-1]}


def address_of(name: str) -> str:
    return f"10.77.0.{100 + NAMES.index(name)}"


def secrets_of(bundle: Bundle) -> dict[str, str]:
    """Return a piece of each secret, as it is and as it is in a configuration."""
    keys = {
        "os": bundle.os.key, "kubernetes": bundle.kubernetes.key, "etcd": bundle.etcd.key,
        "aggregator": bundle.aggregator.key, "service accounts": bundle.service_account_key,
    }  # fmt: skip
    plain = {
        "cluster secret": bundle.cluster_secret, "bootstrap token": bundle.bootstrap_token,
        "trustd token": bundle.trustd_token, "secretbox": bundle.secretbox_key,
    }  # fmt: skip
    encoded = {f"{name}, encoded": encode(key)[60:100] for name, key in keys.items()}
    return plain | encoded | {name: key.splitlines()[1][:40] for name, key in keys.items()}


@contextmanager
def rogue_site() -> Iterator[RogueSite]:
    """Build the network and start the daemon; everything in it ends with the block."""
    with Namespace() as namespace:
        network = Network(namespace)
        pi = Pi(network, "pi-1", HOME, {"source": "hosted"})
        pi.begin_with(FILES)
        plug_in(namespace, list(MACS.values()))
        _route_by_card(namespace)
        network.add_station(ROGUE, OWN)
        pi.start()
        pi.wait()
        bundle, file = new_bundle(), pi.directory / "bundle.yaml"
        pi.outside(file).write_text(dump_bundle(bundle))
        pi.command("cluster", "secrets", "import", "arda", str(file))
        pi.outside(file).unlink()
        yield RogueSite(namespace, pi, bundle)


def _route_by_card(namespace: Namespace) -> None:
    """Let what comes from the address of a card leave by that card."""
    lines = "".join(
        f"route add 10.77.0.0/24 dev m{number} table {100 + number}\n"
        f"rule add from 10.77.0.{100 + number} table {100 + number}\n"
        for number in range(len(NAMES))
    )
    namespace.run(["sh", "-c", 'printf %s "$1" | ip -batch -', "sh", lines], network=STATION)


def card_of(namespace: Namespace) -> str:
    """Return the rogue's MAC."""
    return namespace.run(["cat", f"/sys/class/net/{INTERFACE}/address"], network=ROGUE).strip()


def loot_of(rogue: Process) -> Loot:
    """Wait for the end of a rogue, and return what it has."""
    assert rogue.wait(_SECONDS * 10) == 0, rogue.tail()
    *got, end = [json.loads(line) for line in rogue.output.splitlines() if line.startswith("{")]
    return Loot(got, end["gone"], end["statuses"])
