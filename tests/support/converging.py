"""Clusters of stand-ins that run with what the fleet makes of them, and daemons that keep them so."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from itertools import cycle
from pathlib import Path

from support.founding import Founder, FoundingSite, founding_site, hostname
from support.talos.kubernetes import Kubernetes
from support.talos.machine import Machine
from support.waiting import until

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.configuration.facts import Manifest
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import Contract
from iluvatar_pxe.layers.arda.machine_facts import Node, Surroundings
from iluvatar_pxe.layers.arda.restarts import Step
from iluvatar_pxe.layers.founding import Founded
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.provisioning.configurations import Configurations
from iluvatar_pxe.provisioning.convergence import Convergence, LayerConvergence

ENDPOINT = "api.arda.lab.home.arpa"


@dataclass
class Converger:
    """What of a daemon changes machines; it has the address 127.0.0.NUMBER."""

    founder: Founder
    here: IPv4Address
    others: list[IPv4Address] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None
    convergence: Convergence | None = None
    manifests: tuple[Manifest, ...] = ()
    """What it brings into the cluster."""

    @property
    def fleet(self) -> Fleet:
        return self.founder.follows.applied.fleet

    async def around(self, client: IPv4Address) -> Surroundings:  # noqa: ARG002  # there is one network
        return Surroundings(here=self.here, network=IPv4Network("127.0.0.0/8"), daemons=tuple(self.others))

    @property
    def configurations(self) -> Configurations:
        secrets = self.founder.context.secrets.bundle
        return Configurations(around=self.around, secrets=secrets, manifests=self._manifests)

    async def _manifests(self, layer: str, bundle: Bundle) -> tuple[Manifest, ...]:  # noqa: ARG002  # of one layer
        return self.manifests

    @property
    def layer(self) -> LayerConvergence | None:
        return self.convergence.layers.get("arda") if self.convergence else None

    @property
    def step(self) -> Step | None:
        return self.layer.step if self.layer else None

    def told(self, name: str) -> str:
        """Return what is told of a machine's changes."""
        assert self.convergence
        return "; ".join(self.convergence.told("arda")["machines"].get(name, []))

    @property
    def problem(self) -> str:
        return (self.convergence and self.convergence.problem) or ""

    def start(self) -> None:
        self.convergence = Convergence(self.founder.context, self.configurations)
        self.task = asyncio.create_task(self.convergence.run())

    async def kill(self) -> None:
        """End it at whatever it waits for."""
        task, self.task = self.task, None
        if task:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def configuration(self, machine: Machine, role: Role) -> str:
        """Return what a machine is installed with."""
        disk = machine.hardware.disks[0]
        node = Node(
            name=hostname(machine, role),
            layer="arda",
            role=role,
            macs=(machine.hardware.mac,),
            disk=DiskChoice(serial=disk.serial, size=1, path=disk.dev_path),
        )
        around = await self.around(IPv4Address(machine.address))
        return (await self.configurations.wanted(node, self.fleet, around)).text


@dataclass
class ConvergingSite:
    founding: FoundingSite
    daemons: list[Converger]

    @property
    def planes(self) -> list[Machine]:
        return self.founding.planes

    @property
    def kubernetes(self) -> Kubernetes:
        return self.founding.talos.site.kubernetes(self.founding.talos.bundle.os.crt.encode())

    @property
    def workers(self) -> list[Machine]:
        return self.founding.workers

    async def commit(self, patch: str, role: Role | None = None) -> None:
        """Have a person push a patch of all machines, or of those with a role, and every daemon apply it."""
        line = f"rolePatches: {{{role}: [patches/a.yaml]}}" if role else "patches: [patches/a.yaml]"
        self.founding.change({"layers/arda.yaml": f"{self.layer}{line}\n", "patches/a.yaml": patch})
        for daemon in self.daemons:
            await daemon.founder.follows.follower.refresh()

    @property
    def layer(self) -> str:
        text = self.founding.show("layers/arda.yaml")
        return "".join(line for line in text.splitlines(keepends=True) if "atches:" not in line)


@asynccontextmanager
async def converging_site(
    directory: Path,
    contract: Contract = Contract.V1_13,
    planes: int = 1,
    workers: int = 0,
    daemons: Iterable[str] = ("one",),
    *,
    are_shared: bool = False,
) -> AsyncIterator[ConvergingSite]:
    """Make a cluster that is founded and ready; no daemon runs yet.

    It runs with what the first daemon makes; with ``are_shared``, its machines report to all daemons in turn.
    """
    async with founding_site(directory, planes, daemons, workers=workers, contract=contract) as founding:
        talos = founding.talos
        talos.site.names[ENDPOINT] = [one.address for one in founding.planes]
        addresses = [IPv4Address(f"127.0.0.{number}") for number in range(1, len(founding.daemons) + 1)]
        made = [
            Converger(founder, here, [one for one in addresses if one != here])
            for founder, here in zip(founding.daemons, addresses, strict=True)
        ]
        roles = [(one, Role.CONTROLPLANE) for one in founding.planes] + [
            (one, Role.WORKER) for one in founding.workers
        ]
        for (machine, role), maker in zip(roles, cycle(made if are_shared else made[:1])):
            talos.served[machine.hardware.mac] = await maker.configuration(machine, role)
            await machine.power_on()
        first = founding.daemons[0]
        first.start()
        await until(lambda: isinstance(first.step, Founded) and all(one.is_ready for one, _ in roles))
        await first.kill()
        for founder in founding.daemons[1:]:
            await founder.follows.follower.refresh()
        site = ConvergingSite(founding, made)
        try:
            yield site
        finally:
            for daemon in made:
                await daemon.kill()
