"""A segment with stand-ins for Talos machines, each with a card of its own, and real daemons that boot them."""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from support.fleets import ARDA, INITRAMFS, KERNEL
from support.switched_on import STATION, plug_in
from support.two_pis import ASSETS, HOME, OTHER, Pi

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.lab.room.network import Network

DOMAIN = "lab.home.arpa"
PLANES = 3
SPEED = 20.0
FILES = {
    "fleet.yaml": f"domain: {DOMAIN}\nenrolment: {{mode: join, countdown: 1}}\nmaxAttempts: 1000\n"
    "rules: [{match: {product: Machine}, layer: arda}]\n",
}
CENTRAL = DIRECTORY / "fleet.git"
"""The repository that two daemons follow."""
_ORDERS, _MACHINES, _HOSTS = (DIRECTORY / name for name in ("orders", "machines", "hosts"))
_TESTS = Path(__file__).parents[2]


class Segment:
    """Machines are off at first, and daemons are not started."""

    def __init__(self, namespace: Namespace, machines: int, daemons: int, planes: int = PLANES) -> None:
        self.namespace = namespace
        self.files = FILES | {"layers/arda.yaml": f"{ARDA}controlPlanes: {planes}\n"}
        self.macs = [f"52:54:00:77:03:{number:02x}" for number in range(machines)]
        network = Network(namespace)
        addresses = {"pi-1": HOME, "pi-2": OTHER}
        self._name_hosts(addresses)
        self.daemons = [
            self._daemon(network, name, addresses[name], daemons) for name in list(addresses)[:daemons]
        ]
        self._begin(namespace.outside(DIRECTORY / "fleet"))
        for name in (KERNEL, INITRAMFS, "ipxe/snponly.efi"):
            file = namespace.outside(ASSETS / name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"boot file")
        self._plug_in()
        os.mkfifo(namespace.outside(_ORDERS))
        self.stand_ins = self._stand_ins()

    def _name_hosts(self, addresses: Mapping[str, str]) -> None:
        """Let the daemons' names be known, as in a network whose router's DNS knows them."""
        lines = [f"{address} {name}.{DOMAIN} {name}\n" for name, address in addresses.items()]
        self.namespace.outside(_HOSTS).write_text("".join(["127.0.0.1 localhost\n", *lines]))
        self.namespace.run(["mount", "--bind", str(_HOSTS), "/etc/hosts"])

    def _daemon(self, network: Network, name: str, address: str, daemons: int) -> Pi:
        fleet = {"source": "hosted"} if daemons == 1 else {"source": f"file://{CENTRAL}", "poll": "1s"}
        made = Pi(network, name, address, fleet)
        made.prefix = ("unshare", "--uts", "sh", "-c", f'hostname {name}; exec "$@"', name)
        return made

    def _begin(self, fleet: Path) -> None:
        """Make the repository: that of the only daemon, or the one that all follow."""
        for name, text in self.files.items():
            (fleet / name).parent.mkdir(parents=True, exist_ok=True)
            (fleet / name).write_text(text)
        inside = DIRECTORY / "fleet"
        git = ("git", "-C", str(inside), "-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        for words in (("init", "--initial-branch=main"), ("add", "--all"), ("commit", "--message=A fleet")):
            self.namespace.run([*git, *words])
        if len(self.daemons) == 1:
            self.daemons[0].command("fleet", "init", "--from", str(inside))
        else:
            self.namespace.run(["git", "clone", "--bare", str(inside), str(CENTRAL)])

    def _plug_in(self) -> None:
        """Have each machine speak by its own card; they find each other within their host."""
        plug_in(self.namespace, self.macs)
        lines = "".join(
            f"rule add from {self.address(mac)} table {100 + number}\n"
            f"route add 10.77.0.0/24 dev m{number} table {100 + number}\n"
            for number, mac in enumerate(self.macs)
        )
        self.namespace.run(["sh", "-c", 'printf %s "$1" | ip -batch -', "sh", lines], network=STATION)
        self.namespace.run(["ip", "link", "set", "lo", "up"], network=STATION)

    def _stand_ins(self) -> Process:
        words = [f"--directory={_MACHINES}", f"--orders={_ORDERS}", f"--speed={SPEED}", "--version=v1.13.9"]
        places = [f"{mac}={self.address(mac)}@m{number}" for number, mac in enumerate(self.macs)]
        return self.namespace.start(
            "stand-ins",
            [sys.executable, "-m", "support.talos.alone", *words, *places],
            network=STATION,
            environment={**os.environ, "PYTHONPATH": f"{_TESTS.parent}:{_TESTS}"},
        )

    def address(self, mac: str) -> str:
        return f"10.77.0.{100 + self.macs.index(mac)}"

    def order(self, order: str, *macs: str) -> None:
        """Give the stand-ins an order: see ``support.talos.alone``."""
        with self.namespace.outside(_ORDERS).open("w") as orders:
            orders.writelines(f"{order} {mac}\n" for mac in macs or self.macs)

    def told(self) -> dict[str, dict[str, Any]]:
        """Return what each stand-in has told last."""
        lines = [json.loads(line) for line in self.stand_ins.output.splitlines() if line.startswith("{")]
        return {line["mac"]: line for line in lines}

    def whole_cluster(self, asked: Pi) -> dict[str, Any] | None:
        """Return what ``cluster status --json`` says, once everything in it is well."""
        with suppress(LabError):  # its status is 1 until the cluster is founded and well
            (cluster,) = json.loads(asked.command("cluster", "status", "--json"))
            if all(one["ready"] for one in (*cluster["machines"], *cluster["nodes"])):
                return cast(dict[str, Any], cluster)
        return None

    def git(self, *arguments: str) -> str:
        """Run git on the fleet's repository."""
        home = self.daemons[0]
        directory = CENTRAL if len(self.daemons) > 1 else home.state / "git" / "fleet.git"
        return self.namespace.run(["git", "-c", "safe.directory=*", "-C", str(directory), *arguments])

    def etcd_members(self) -> set[frozenset[str]]:
        """Return the names of the members as each control plane's own etcd lists them, with its certificate."""
        told = self.told()
        return {frozenset(self._members(mac)) for mac in self.macs if told[mac]["etcd"]}

    def _members(self, mac: str) -> list[str]:
        pki = _MACHINES / mac.replace(":", "") / "sda-var" / "etcd-pki"
        files = [f"--cacert={pki}/ca", f"--cert={pki}/crt", f"--key={pki}/key"]
        words = [
            f"--endpoints=https://{self.address(mac)}:2379",
            *files,
            "member",
            "list",
            "--write-out=json",
        ]
        listed = self.namespace.run(["env", "ETCDCTL_API=3", "etcdctl", *words], network=STATION)
        return [member["name"] for member in json.loads(listed)["members"]]
