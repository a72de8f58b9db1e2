"""Daemons that found a cluster of stand-ins: each has a copy of the repository, and keys to what is sealed in it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from support.fleets import ARDA
from support.following import Daemon, central_in, daemon
from support.repositories import Person, git
from support.secrets_of import first_key
from support.talos.cluster import VERSIONS, Cluster
from support.talos.machine import Machine

from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.admin.edits import with_phase
from iluvatar_pxe.fleet.daemon_files import RecipientsFile
from iluvatar_pxe.gitops.secrets.recipients import recipients_text
from iluvatar_pxe.gitops.secrets.sealing import daemon_key, new_key
from iluvatar_pxe.layers.arda.documents import Contract
from iluvatar_pxe.layers.founding import Step
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Phase, Role
from iluvatar_pxe.provisioning.assigner import DatabaseAssigner
from iluvatar_pxe.provisioning.cluster_context import ClusterContext, Pace
from iluvatar_pxe.provisioning.cluster_network import no_network
from iluvatar_pxe.provisioning.cluster_secrets import ClusterRepository, ClusterSecrets
from iluvatar_pxe.provisioning.clusters import Clusters
from iluvatar_pxe.provisioning.enrolment import OwnWindow
from iluvatar_pxe.provisioning.signing_clock import SigningClock

QUICK = Pace(
    first=0.05, most=0.2, founded=0.2, down=0.05, gone=0.4, turn=5.0, converged=0.2, steady=0.8, settled=0.3
)
"""As stand-ins live 50 times faster."""


@dataclass
class Founder:
    """A daemon that looks after clusters while it runs."""

    follows: Daemon
    context: ClusterContext
    task: "asyncio.Task[None] | None" = None

    def commands(self, **parts: Any) -> CommandContext:
        """Return what commands to this daemon work on; ``parts`` are those that it has besides."""
        inventory = self.follows.inventory
        return CommandContext(
            inventory=inventory,
            fleet_in_force=self.context.fleet,
            assigner=DatabaseAssigner(inventory),
            window=OwnWindow(inventory),
            secrets=self.context.secrets,
            **parts,
        )

    def start(self) -> None:
        self.clusters = Clusters(self.context)
        self.task = asyncio.create_task(self.clusters.run())

    async def kill(self) -> None:
        """End it at whatever it waits for."""
        task, self.task = self.task, None
        if task:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @property
    def step(self) -> Step | None:
        watch = self.clusters.watches.get("arda")
        return watch.step if watch else None

    @property
    def line(self) -> str:
        watch = self.clusters.watches.get("arda")
        return (watch and watch.line) or ""


@dataclass
class FoundingSite:
    """A cluster of control planes that are off, a repository that declares them, and daemons."""

    directory: Path
    talos: Cluster
    planes: list[Machine]
    central: Path
    daemons: list[Founder] = field(default_factory=list)
    workers: list[Machine] = field(default_factory=list)

    def log(self) -> list[str]:
        """Return the subjects of the daemons' commits."""
        return git(self.central, "log", "--format=%s", "--reverse", "main").splitlines()[1:]

    def record(self) -> str:
        return self.show("clusters/arda.yaml")

    def show(self, path: str) -> str:
        """Return a file of the newest commit."""
        return git(self.central, "show", f"main:{path}")

    def change(self, files: dict[str, str | None]) -> None:
        """Have a person push files, or their removal."""
        person = Person(self.directory / f"person{len(self.log())}", str(self.central))
        person.commit(files)
        person.push()


def arda_of(contract: Contract) -> str:
    """Return the layer arda with the Talos of a contract."""
    return ARDA.replace("v1.13.9", VERSIONS[contract])


def hostname(machine: Machine, role: Role = Role.CONTROLPLANE) -> str:
    return f"{role}-{machine.hardware.serial.removeprefix('BOX')}"


def file_of(machine: Machine, role: Role = Role.CONTROLPLANE) -> dict[str, str | None]:
    lines = f"match: {{macs: ['{machine.hardware.mac}']}}\nrole: {role}\naddress: {machine.address}\nlayer: arda\n"
    return {f"machines/{hostname(machine, role)}.yaml": lines}


async def see_joined(daemon: Founder, machine: Machine, address: str = "") -> None:
    """Have a daemon know that a machine has joined, at its own address or at another one."""
    inventory, at = daemon.follows.inventory, IPv4Address(address or machine.address)
    known = inventory.observe(
        Sighting(mac=machine.hardware.mac, firmware=Firmware.TALOS, address=at), Stage.CONFIG
    )
    await inventory.change(known.id, with_phase(Phase.JOINED), Happening.CHANGED, "joined", "test")


@asynccontextmanager
async def founding_site(
    directory: Path,
    planes: int = 3,
    daemons: Iterable[str] = ("one",),
    *,
    workers: int = 0,
    check: Callable[[str], Awaitable[None]] = no_network,
    contract: Contract = Contract.V1_14,
) -> AsyncIterator[FoundingSite]:
    """Make everything; nothing runs yet, and the cluster has its secrets."""
    talos = Cluster(directory, contract)
    async with talos.serving():
        machines = [talos.machine(number, Role.CONTROLPLANE) for number in range(1, planes + 1)]
        names = list(daemons)
        keys = {name: directory / f"{name}.key" for name in names}
        listed = {name: str(daemon_key(file).to_public()) for name, file in keys.items()}
        recipients = recipients_text(RecipientsFile(recovery=str(new_key().to_public()), daemons=listed))
        files: dict[str, str | None] = {
            "fleet.yaml": "",
            "layers/arda.yaml": f"{arda_of(contract)}controlPlanes: {planes}\n",
            "recipients.yaml": recipients.decode(),
        }
        others = [talos.machine(planes + number, Role.WORKER) for number in range(1, workers + 1)]
        for machine in machines:
            files |= file_of(machine)
        for machine in others:
            files |= file_of(machine, Role.WORKER)
        site = FoundingSite(directory, talos, machines, central_in(directory, files), workers=others)
        async with _followed(site, keys, names, check):
            yield site


@asynccontextmanager
async def _followed(
    site: FoundingSite, keys: dict[str, Path], names: list[str], check: Callable[[str], Awaitable[None]]
) -> AsyncIterator[None]:
    if not names:
        yield
        return
    async with daemon(site.directory / names[0], site.central) as follows:
        made, secrets = _founder(follows, keys[names[0]], check)
        if not site.daemons:
            await secrets.take("arda", site.talos.bundle)
        await follows.follower.refresh()
        site.daemons.append(made)
        async with _followed(site, keys, names[1:], check):
            try:
                yield
            finally:
                await made.kill()


def secrets_of(follows: Daemon, repository: ClusterRepository, key: Path) -> ClusterSecrets:
    """Return what opens a cluster's secrets with a host's key."""
    clock = SigningClock(repository.revision, lambda: follows.inventory.snapshot)
    return ClusterSecrets(repository, key, clock, first_key)


def _founder(
    follows: Daemon, key: Path, check: Callable[[str], Awaitable[None]]
) -> tuple[Founder, ClusterSecrets]:
    repository = ClusterRepository(
        lambda: follows.follower.in_force, follows.follower.commit, follows.follower.text
    )
    secrets = secrets_of(follows, repository, key)
    context = ClusterContext(
        fleet=lambda: follows.applied.fleet,
        snapshot=lambda: follows.inventory.snapshot,
        secrets=secrets,
        repository=repository,
        changed=follows.changed,
        check=check,
        fleet_problem=lambda: follows.follower.problem,
        pace=QUICK,
    )
    return Founder(follows, context), secrets
