"""What cannot be is refused or held, and ``machines show`` and ``cluster status`` give the reason: each kind once."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.booters import on_loopback
from support.factory import SyntheticFactory, talos_from
from support.founding import Founder, FoundingSite, file_of, founding_site, hostname
from support.repositories import Person
from support.talos.clock import Clock
from support.talos.cluster import SPEED, Cluster, new_bundle
from support.talos.etcd import Etcd
from support.talos.machine import Machine
from support.waiting import PATIENCE, until

from iluvatar_pxe.admin.cluster_status import ClustersStatus, ShowAwaited
from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.admin.machine_details import machine_details
from iluvatar_pxe.admin.troubles import troubles_of
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.preview.asker import asking
from iluvatar_pxe.boot.preview.next_boot import next_boot
from iluvatar_pxe.cli.cluster.status import status_lines
from iluvatar_pxe.cli.machines.page import page_lines
from iluvatar_pxe.errors import ConfigurationError, OperationError
from iluvatar_pxe.gitops.hook import refused_push
from iluvatar_pxe.gitops.repository.hosting import host
from iluvatar_pxe.layers.arda.events import Addresses, Event
from iluvatar_pxe.layers.founding import Founded
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import sighting_of
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.provisioning.assigner import DatabaseAssigner
from iluvatar_pxe.provisioning.cluster_troubles import ClusterTroubles
from iluvatar_pxe.provisioning.configurations import Configurations
from iluvatar_pxe.provisioning.convergence import Convergence
from iluvatar_pxe.provisioning.enrolment import OwnWindow
from iluvatar_pxe.provisioning.journal import Journal
from iluvatar_pxe.provisioning.snapshots import EtcdSnapshots, SnapshotContext
from iluvatar_pxe.provisioning.talos_events import TalosEvents

LAYER = "kind: talos\ntalos: {version: v1.13.9}\n"
PUSHES = {
    "an invalid patch": (
        {"layers/arda.yaml": f"{LAYER}patches: [patches/a.yaml]\n", "patches/a.yaml": "machine: {kubelets: {}}\n"},
        "patches/a.yaml:1: machine.kubelets: no such key; did you mean kubelet?",
    ),
    "an unknown contract": (
        {"layers/arda.yaml": LAYER.replace("v1.13.9", "v1.15.0")},
        "layers/arda.yaml:2: talos.version: machines with Talos v1.15.0 cannot be configured",
    ),
    "an extension that the version lacks": (
        {"layers/arda.yaml": LAYER.replace("v1.13.9", "v1.13.9, extensions: [iscsi-tool]")},
        "talos.extensions: siderolabs/iscsi-tool is no extension for Talos v1.13.9; did you mean siderolabs/iscsi-tools?",
    ),
    "a VIP in the router's pool": (
        {"layers/arda.yaml": f"{LAYER}vip: 192.168.1.120\n"},
        "layers/arda.yaml:3: vip: 192.168.1.120 is in 'routerPool' of fleet.yaml",
    ),
}  # fmt: skip


@dataclass
class Shown:
    """A daemon of a cluster of one control plane, by what two commands print of it."""

    site: FoundingSite
    commands: CommandContext
    events: TalosEvents
    snapshots: EtcdSnapshots
    trouble: list[str]
    """What its network has against the cluster."""

    @property
    def daemon(self) -> Founder:
        return self.site.daemons[0]

    @property
    def plane(self) -> Machine:
        return self.site.planes[0]

    async def shows(self, reason: str) -> None:
        """Wait until both commands have a reason, in each form."""
        ends = time.monotonic() + PATIENCE
        texts = await self.texts()
        while not all(reason in text for text in texts):
            assert time.monotonic() < ends, f"{reason!r} is not in all of {texts}"
            await asyncio.sleep(0.05)
            texts = await self.texts()

    async def texts(self) -> tuple[str, str, str]:
        fleet, snapshot = self.commands.fleet, self.commands.inventory.snapshot
        machine = snapshot.machine(self.plane.hardware.mac)
        assert machine
        told = await ShowAwaited().carry_out(self.commands, "test")
        decision = next_boot(asking(sighting_of(machine)), snapshot, fleet, Context())[-1].decision
        troubles = troubles_of(machine, fleet, told)
        page = machine_details(machine, fleet, decision, [], told["awaited"], told["changes"], troubles)
        clusters = (await ClustersStatus().carry_out(self.commands, "test"))["clusters"]
        return (
            " ".join(page_lines(page, datetime.now(UTC), None)),
            " ".join(status_lines(clusters, None)),
            json.dumps(clusters, ensure_ascii=False).replace('\\"', '"'),
        )


@asynccontextmanager
async def shown_of(directory: Path, repository: Path | None = None) -> AsyncIterator[Shown]:
    """Give a daemon that looks after its cluster; the control plane is off, and known by a boot."""
    trouble: list[str] = []

    async def check(_layer: str) -> None:
        if trouble:
            raise ConfigurationError(trouble[0])

    async def refused() -> str | None:
        return await asyncio.to_thread(refused_push, repository) if repository else None

    async with founding_site(directory, planes=1, check=check) as site:
        (daemon,), (plane,) = site.daemons, site.planes
        context, inventory, applied = daemon.context, daemon.follows.inventory, daemon.follows.applied
        for machine in (plane, Cluster(directory / "other").machine(7, Role.CONTROLPLANE)):
            seen = Sighting(
                mac=machine.hardware.mac, firmware=Firmware.TALOS, address=IPv4Address(machine.address)
            )
            inventory.observe(seen, Stage.CONFIG)
        neighbours = {one.address: one.macs[0] for one in inventory.snapshot.by_id.values() if one.address}
        events = TalosEvents(inventory, applied, Journal(inventory, applied), neighbours.get)
        snapshots = EtcdSnapshots(
            SnapshotContext(context.fleet, context.snapshot, context.secrets, directory / "kept", "pi")
        )
        made = Configurations(around=on_loopback, secrets=context.secrets.bundle)
        daemon.start()
        commands = CommandContext(
            inventory=inventory,
            fleet_in_force=context.fleet,
            assigner=DatabaseAssigner(inventory),
            window=OwnWindow(inventory),
            secrets=context.secrets,
            clusters=daemon.clusters,
            snapshots=snapshots,
            convergence=Convergence(context, made),
            troubles=ClusterTroubles(made.refusals, refused, events.doubts),
        )
        yield Shown(site, commands, events, snapshots, trouble)


async def test_what_a_push_is_refused_for_is_told_until_one_is_accepted(tmp_path: Path) -> None:
    repository = (await host(tmp_path / "fleet.git", "main", checked=True, max_push=1, ask_factory=True)).path
    ada = Person(tmp_path / "ada", str(repository))
    with SyntheticFactory() as factory:
        good = f"{talos_from(factory.address)}routerPool: 192.168.1.100-192.168.1.199\n"
        first = ada.commit({"fleet.yaml": good, "layers/arda.yaml": LAYER})
        await asyncio.to_thread(ada.push)
        async with shown_of(tmp_path, repository) as shown:
            for files, reason in PUSHES.values():
                ada.git("reset", "--quiet", "--hard", first)
                ada.commit(dict(files))
                await asyncio.to_thread(ada.push, check=False)
                await shown.shows("the fleet stays as it is: a push was refused: ")
                await shown.shows(reason)
            ada.git("reset", "--quiet", "--hard", first)
            ada.commit({"README.md": "all is well"})
            await asyncio.to_thread(ada.push)
            assert "a push was refused" not in " ".join((await shown.texts())[:2])


@pytest.mark.parametrize(
    "reason",
    ["layers/arda.yaml: vip 192.168.1.60 is in use: 52:54:00:00:00:09, which is no machine of arda, answers",
     "api.arda.lab.home.arpa leads to 192.0.2.7, which is no control plane of arda"],
)  # fmt: skip
async def test_what_the_network_has_against_a_cluster(tmp_path: Path, reason: str) -> None:
    """What it has, ``ClusterNetwork`` finds out (``tests/provisioning/test_cluster_network.py``)."""
    async with shown_of(tmp_path) as shown:
        shown.trouble.append(reason)
        await shown.shows(reason)
        assert "founder:" not in shown.site.record()


async def test_a_control_plane_whose_clock_is_off_by_a_day(tmp_path: Path) -> None:
    async with shown_of(tmp_path) as shown:
        shown.plane.clock = Clock(SPEED, off=timedelta(days=-1))
        await shown.plane.power_on()
        await shown.shows("clock")
        assert "founder:" not in shown.site.record()


async def test_an_api_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("asking", "reporting"):
        monkeypatch.setattr(f"iluvatar_pxe.layers.arda.{module}.ASK_SECONDS", 0.5)
    async with shown_of(tmp_path) as shown:
        shown.plane.answers.clear()
        await shown.plane.power_on()
        await shown.shows("has not answered all questions within")
        shown.plane.answers.set()
        assert "founder:" not in shown.site.record()


async def test_a_control_plane_that_dies_between_the_commit_and_the_call(tmp_path: Path) -> None:
    async with shown_of(tmp_path) as shown:
        shown.site.change({"clusters/arda.yaml": shown.site.record() + 'founder: "controlplane-1"\n'})
        await shown.daemon.follows.follower.refresh()
        await shown.shows("controlplane-1: ")
        await shown.shows("Talos cannot be reached")


async def test_a_talos_with_the_wrong_ca(tmp_path: Path) -> None:
    async with shown_of(tmp_path) as shown:
        site = shown.site
        bundle = new_bundle(2)
        other = Cluster(tmp_path / "another", bundle=bundle, url=site.talos.url, served=site.talos.served)
        stranger = other.machine(8, Role.CONTROLPLANE)
        site.talos.site.machines.append(stranger)
        site.change(file_of(stranger))
        await shown.daemon.follows.follower.refresh()
        for machine in (shown.plane, stranger):
            await machine.power_on()
        await shown.shows(f"{hostname(stranger)}: ")
        await shown.shows("its certificate is not of this cluster's CA")
        assert "founder:" not in site.record()


async def test_a_machine_that_reports_another_s_events(tmp_path: Path) -> None:
    async with shown_of(tmp_path) as shown:
        mine, others = sorted(
            (one.address for one in shown.commands.inventory.snapshot.by_id.values() if one.address),
            key=lambda one: str(one) != shown.plane.address,
        )
        shown.events.take_event(mine, Event("1", "", Addresses("other", (str(others),))))
        await shown.shows("what controlplane-1 reports is not believed: it reports what ")


async def test_a_damaged_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def damaged(self: Etcd, target: Path) -> None:
        del self
        await asyncio.to_thread(target.write_bytes, b"\0" * (4 * 512 + 32))

    monkeypatch.setattr(Etcd, "snapshot", damaged)
    async with shown_of(tmp_path) as shown:
        await shown.plane.power_on()
        await until(lambda: isinstance(shown.daemon.step, Founded) and shown.plane.is_ready)
        running = asyncio.create_task(shown.snapshots.run())
        await asyncio.sleep(0)
        with pytest.raises(OperationError, match="does not match its checksum"):
            await shown.snapshots.take("arda")
        await shown.shows("does not match its checksum")
        running.cancel()
