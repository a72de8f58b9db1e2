"""A segment with real daemons, and stand-ins for machines, each with a card of its own, in one process."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from support.switched_on import STATION, plug_in
from support.two_pis import ASSETS, HOME, OTHER, Pi

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.lab.room.network import Network

DOMAIN = "lab.home.arpa"
CENTRAL = DIRECTORY / "fleet.git"
"""The repository that two daemons follow."""
MACHINES = DIRECTORY / "machines"
_ORDERS, _HOSTS = DIRECTORY / "orders", DIRECTORY / "hosts"
_TESTS = Path(__file__).parents[1]


class WholeSegment:
    """Machines are off at first, and daemons are not started."""

    def __init__(
        self,
        namespace: Namespace,
        macs: Sequence[str],
        daemons: int,
        files: Mapping[str, str],
        assets: Mapping[str, bytes],
        stand_ins: Sequence[str],
    ) -> None:
        """``files`` are the fleet's, and ``stand_ins`` the module of the stand-ins and its arguments but for the machines."""
        self.namespace, self.macs, self.files = namespace, list(macs), files
        self.network = Network(namespace)
        addresses = {"pi-1": HOME, "pi-2": OTHER}
        self._name_hosts(addresses)
        self.daemons = [
            self._daemon(self.network, name, addresses[name], daemons) for name in list(addresses)[:daemons]
        ]
        self._begin(namespace.outside(DIRECTORY / "fleet"))
        for name, content in assets.items():
            file = namespace.outside(ASSETS / name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        self._plug_in()
        os.mkfifo(namespace.outside(_ORDERS))
        self.stand_ins = self._stand_ins(stand_ins)
        self._told: dict[str, dict[str, Any]] = {}
        self._read = 0
        """Characters of what the stand-ins have printed."""

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

    def _stand_ins(self, words: Sequence[str]) -> Process:
        places = [f"{mac}={self.address(mac)}@m{number}" for number, mac in enumerate(self.macs)]
        module, *options = words
        return self.namespace.start(
            "stand-ins",
            [
                *(sys.executable, "-m", module, f"--directory={MACHINES}", f"--orders={_ORDERS}"),
                *(*options, *places),
            ],
            network=STATION,
            environment={**os.environ, "PYTHONPATH": f"{_TESTS.parent}:{_TESTS}"},
        )

    def address(self, mac: str) -> str:
        return f"10.77.0.{100 + self.macs.index(mac)}"

    def order(self, order: str, *macs: str) -> None:
        """Give the stand-ins an order: see the stand-ins' module."""
        with self.namespace.outside(_ORDERS).open("w") as orders:
            orders.writelines(f"{order} {mac}\n" for mac in macs or self.macs)

    def told(self) -> dict[str, dict[str, Any]]:
        """Return what each stand-in has told last."""
        text = self.stand_ins.output
        complete = text.rfind("\n") + 1
        lines = text[self._read : complete].splitlines()
        self._read = complete
        self._told |= {
            one["mac"]: one for line in lines if line.startswith("{") and (one := json.loads(line))
        }
        return dict(self._told)

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
