"""Daemons that found a k3s cluster of stand-ins: each machine swaps its ticket for its files, stores them, and starts."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from support.ainur import bundle_of
from support.following import Daemon, central_in, daemon
from support.founding import QUICK, secrets_of
from support.k3s.machine import Machine
from support.k3s.rendered import lay
from support.k3s.site import Site
from support.repositories import Person, git
from support.talos.site import loopback_addresses
from support.waiting import until

from iluvatar_pxe.boot.plan import ToBeMade
from iluvatar_pxe.errors import NotYetError
from iluvatar_pxe.fleet.daemon_files import RecipientsFile
from iluvatar_pxe.gitops.secrets.recipients import recipients_text
from iluvatar_pxe.gitops.secrets.sealing import daemon_key, new_key
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.founding import Asks
from iluvatar_pxe.layers.ainur.k3s_files import public_files
from iluvatar_pxe.layers.ainur.node_file import NodeFile
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.layers.arda.machine_facts import Surroundings
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.seed import Seed
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.provisioning.cloud_configs import CloudConfigs
from iluvatar_pxe.provisioning.cloud_init import Asker
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.cluster_secrets import ClusterRepository
from iluvatar_pxe.provisioning.clusters import Clusters
from iluvatar_pxe.provisioning.journal import Journal
from iluvatar_pxe.provisioning.k3s_watch import K3sWatch
from iluvatar_pxe.provisioning.pi_reports import PiReports
from iluvatar_pxe.replies.links import Links

LAYER = "kind: k3s\nimage: ubuntu\nservers: {servers}\nroot: {{kind: memory, data: {{label: data}}}}\n"
_PAUSE = 0.05
_HERE = IPv4Address("127.0.0.1")


@dataclass
class Founder:
    """A daemon that looks after the cluster while it runs."""

    follows: Daemon
    context: ClusterContext
    task: "asyncio.Task[None] | None" = None

    def start(self) -> None:
        reports = PiReports(
            self.follows.inventory,
            self.follows.applied,
            Journal(self.follows.inventory, self.follows.applied),
        )
        self.clusters = Clusters(self.context, reports.see_nodes)
        self.configs = CloudConfigs(
            bundle=self.context.secrets.k3s,
            argo_cd=_no_argo_cd,
            part_of=self.clusters.k3s.part_of,
            around=_around,
            sums=dict,
            programs={},
        )
        self.task = asyncio.create_task(self.clusters.run())

    async def kill(self) -> None:
        """End it at whatever it waits for."""
        task, self.task = self.task, None
        if task:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @property
    def watch(self) -> K3sWatch | None:
        return self.clusters.k3s.watches.get("ainur")

    @property
    def line(self) -> str:
        return (self.watch and self.watch.line) or ""


@dataclass
class Pi:
    """A machine, what it was told each time, and its way from a new disk to k3s."""

    name: str
    role: Role
    mac: str
    machine: Machine
    told: list[K3sPart] = field(default_factory=list)
    has_power: bool = True
    """It stays on once it has its secrets."""
    waits: str = ""
    """Why it was told nothing when it asked last."""

    async def install(self, site: "K3sSite", asked: Iterable[int] = (0,)) -> None:
        """Ask daemons in turn, those that run, until one gives secret files; store them, and start k3s."""
        while True:
            for which in asked:
                if await self._swap(site.daemons[which]):
                    if self.has_power:
                        await self.machine.power_on()
                    return
                await asyncio.sleep(_PAUSE)

    async def _swap(self, founder: Founder) -> bool:
        if founder.task is None:
            return False
        fleet, inventory = founder.context.fleet(), founder.follows.inventory
        sighting = Sighting(
            mac=self.mac, firmware=Firmware.RASPBERRY_PI, address=IPv4Address(self.machine.address)
        )
        machine = inventory.observe(sighting, Stage.CONFIG)
        asker = Asker(
            machine=machine,
            ticket="",
            place=ToBeMade("ainur", self.role),
            client=_HERE,
            links=Links(_HERE, 8080),
        )
        data = self.machine.root / "var/lib/rancher/k3s/server/db/etcd/member/wal"
        try:
            files = await founder.configs.secret_files(asker, fleet, Asks(data.is_dir()))
        except NotYetError as error:
            self.waits = str(error)
            return False
        cluster, node = await founder.configs._found(asker, fleet)
        lay(
            self.machine.root,
            {"/etc/hostname": NodeFile(f"{self.name}\n"), **public_files(cluster, node), **files},
        )
        inventory.note_seed(machine.id, Seed(machine.generation, is_spent=True))
        founder.clusters.k3s.has_secrets("ainur", self.name)
        join = files["/etc/rancher/k3s/config.yaml.d/50-join.yaml"].text
        is_init = join.startswith("cluster-init")
        part = K3sPart.INIT if is_init else K3sPart.JOIN_SERVER
        self.told.append(part if self.role.leads else K3sPart.AGENT)
        return True


@dataclass
class K3sSite:
    """A cluster of Pis that are off, a repository that declares them, and daemons."""

    directory: Path
    central: Path
    pis: dict[str, Pi]
    daemons: list[Founder] = field(default_factory=list)

    @property
    def servers(self) -> list[Pi]:
        return [pi for pi in self.pis.values() if pi.role.leads]

    def log(self) -> list[str]:
        """Return the subjects of the daemons' commits."""
        return git(self.central, "log", "--format=%s", "--reverse", "main").splitlines()[1:]

    def record(self) -> str:
        return git(self.central, "show", "main:clusters/ainur.yaml")

    def change(self, files: dict[str, str | None]) -> None:
        """Have a person push files, or their removal."""
        person = Person(self.directory / f"person{len(self.log())}", str(self.central))
        person.commit(files)
        person.push()

    async def refresh(self) -> None:
        """Have all daemons apply the newest commit."""
        for founder in self.daemons:
            await founder.follows.follower.refresh()

    @property
    def inits(self) -> int:
        """How often a cluster was initialised."""
        return sum(pi.machine.inits for pi in self.pis.values())

    @property
    def told_to_initialise(self) -> set[str]:
        return {pi.name for pi in self.pis.values() if K3sPart.INIT in pi.told}


def file_of(pi: Pi) -> dict[str, str | None]:
    lines = f"match: {{macs: ['{pi.mac}']}}\nrole: {pi.role}\naddress: {pi.machine.address}\nlayer: ainur\n"
    return {f"machines/{pi.name}.yaml": lines}


@asynccontextmanager
async def k3s_site(
    directory: Path,
    servers: int = 3,
    agents: int = 0,
    daemons: Iterable[str] = ("one",),
    *,
    has_secrets: bool = True,
) -> AsyncIterator[K3sSite]:
    """Make everything; nothing runs yet, and the cluster has its secrets unless they are to come from elsewhere."""
    network, addresses = Site(is_probed=True), loopback_addresses()
    pis = {}
    for number in range(1, servers + agents + 1):
        name, role = f"ainur-{number:02}", Role.SERVER if number <= servers else Role.AGENT
        machine = Machine(network, directory / name, next(addresses))
        pis[name] = Pi(name, role, f"2c:cf:67:00:00:{number:02x}", machine)
    network.names["api.ainur.home.arpa"] = [pi.machine.address for pi in pis.values() if pi.role.leads]
    keys = {name: directory / f"{name}.key" for name in daemons}
    listed = {name: str(daemon_key(file).to_public()) for name, file in keys.items()}
    recipients = recipients_text(RecipientsFile(recovery=str(new_key().to_public()), daemons=listed))
    files: dict[str, str | None] = {
        "fleet.yaml": "domain: home.arpa\n",
        "layers/ainur.yaml": LAYER.format(servers=servers),
        "recipients.yaml": recipients.decode(),
    }
    for pi in pis.values():
        files |= file_of(pi)
    site = K3sSite(directory, central_in(directory, files), pis)
    try:
        async with _followed(site, keys, list(keys), has_secrets=has_secrets):
            yield site
    finally:
        for pi in pis.values():
            await pi.machine.power_cut()


@asynccontextmanager
async def _followed(
    site: K3sSite, keys: dict[str, Path], names: list[str], *, has_secrets: bool
) -> AsyncIterator[None]:
    if not names:
        yield
        return
    async with daemon(site.directory / names[0], site.central) as follows:
        follower = follows.follower
        repository = ClusterRepository(
            lambda: follower.in_force, follower.commit, follower.text, follower.refresh
        )
        context = ClusterContext(
            fleet=lambda: follows.applied.fleet,
            snapshot=lambda: follows.inventory.snapshot,
            secrets=secrets_of(follows, repository, keys[names[0]]),
            repository=repository,
            changed=follows.changed,
            fleet_problem=lambda: follower.problem,
            pace=QUICK,
        )
        if has_secrets and not site.daemons:
            await context.secrets.take("ainur", bundle_of())
        await follower.refresh()
        made = Founder(follows, context)
        site.daemons.append(made)
        async with _followed(site, keys, names[1:], has_secrets=has_secrets):
            try:
                yield
            finally:
                await made.kill()


async def _no_argo_cd(_layer: str, _bundle: K3sBundle) -> None:
    """It is tested with the files that install it."""


async def _around(_: IPv4Address) -> Surroundings:
    return Surroundings(here=_HERE, network=IPv4Network("127.0.0.0/8"))


@asynccontextmanager
async def installing(site: K3sSite, pis: Iterable[Pi], asked: Iterable[int] = (0,)) -> AsyncIterator[None]:
    """Have machines ask for their secrets, and start, while the block runs."""
    tasks = [asyncio.create_task(pi.install(site, tuple(asked))) for pi in pis]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [one for one in ended if isinstance(one, Exception)]


async def joined(site: K3sSite, pis: Iterable[Pi], which: int = 0) -> None:
    """Wait until a daemon has seen that machines have joined."""
    inventory = site.daemons[which].follows.inventory

    def all_have() -> bool:
        found = (inventory.snapshot.machine(pi.mac) for pi in pis)
        return all(one is not None and one.reached is Stage.JOINED for one in found)

    await until(all_have)
