"""Stand-ins for control planes are founded as one cluster, once, whatever happens to machines and daemons meanwhile."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.fleets import ARDA
from support.founding import FoundingSite, file_of, founding_site, hostname, secrets_of
from support.machines import machine_of, snapshot_of
from support.talos.clock import Clock
from support.talos.cluster import SPEED, Cluster, new_bundle
from support.talos.machine import Machine
from support.waiting import until

from iluvatar_pxe.layers.arda.configuration.facts import MachineFacts
from iluvatar_pxe.layers.founding import Founded, Refuse, Wait
from iluvatar_pxe.machines.inspection import Disk, Inspection
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.provisioning.cluster_secrets import ClusterRepository
from iluvatar_pxe.values import replace

SECRETS = "arda has its secrets"


async def founded(site: FoundingSite, daemon: int = 0) -> None:
    await until(lambda: isinstance(site.daemons[daemon].step, Founded))


async def joined(site: FoundingSite) -> None:
    """Wait until every control plane votes in one etcd, and prove it by the members of each."""
    await until(lambda: all(one.boot and one.boot.is_ready for one in site.planes))
    members = set()
    for one in site.planes:
        assert one.boot
        assert one.boot.membership
        members.add(frozenset(member.name for member in await one.boot.membership.etcd.members()))
    assert members == {frozenset(map(hostname, site.planes))}


async def preparing(*machines: Machine) -> None:
    await until(lambda: all(one.boot and one.boot.services.state("etcd") == "Preparing" for one in machines))


async def waiting(site: FoundingSite, words: str, shown_of: str = "") -> str:
    """Wait until ``cluster status`` has these words, and ``machines show`` of a machine, too, if one is given."""
    daemon = site.daemons[0]
    line = await until(lambda: daemon.line if words in daemon.line else "")
    assert not shown_of or daemon.clusters.awaited[shown_of] == line
    return line


@pytest.mark.parametrize("seed", [1, *[pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 10)]])
async def test_three_control_planes_in_any_order_are_founded_once(tmp_path: Path, seed: int) -> None:
    async with founding_site(tmp_path) as site:
        site.daemons[0].start()
        for machine in random.Random(seed).sample(site.planes, 3):
            await machine.power_on()
        await founded(site)
        await joined(site)
        assert site.log() == [SECRETS, "arda is founded by controlplane-1", "arda is founded"]
        assert 'founder: "controlplane-1"' in site.record()


async def test_one_that_is_off_is_waited_for_until_the_fleet_says_it_is_gone(tmp_path: Path) -> None:
    async with founding_site(tmp_path) as site:
        site.daemons[0].start()
        one, two, gone = site.planes
        await one.power_on()
        await two.power_on()
        line = await waiting(site, "controlplane-3: ")
        assert line.endswith("if it is gone for good, remove its file in machines/")
        await preparing(one, two)
        assert site.log() == [SECRETS]
        await until(lambda: site.daemons[0].clusters.awaited.keys() == {"controlplane-3"})
        assert site.log() == [SECRETS]
        site.change(dict.fromkeys(file_of(gone)))
        await site.daemons[0].follows.follower.refresh()
        await founded(site)


async def test_one_whose_disk_has_to_be_named_is_waited_for_with_that_reason(tmp_path: Path) -> None:
    async with founding_site(tmp_path, planes=1) as site:
        (machine,), (daemon,) = site.planes, site.daemons
        two = Disk(path="/dev/sda", size=10**12, serial="A"), Disk(path="/dev/sdb", size=10**12, serial="B")
        seen = Inspection(at=datetime(2026, 12, 1, tzinfo=UTC), boot=1, disks=two)
        known = machine_of(machine.hardware.mac, inspection=seen, address=IPv4Address(machine.address))
        daemon.context = replace(daemon.context, snapshot=lambda: snapshot_of(known))
        site.talos.reporting = MachineFacts(role=Role.WORKER, event_sink=f"{machine.address}:9")
        site.talos.served[machine.hardware.mac] = site.talos.partial()
        await machine.power_on()
        daemon.start()
        why = "waits in maintenance mode: /dev/sda and /dev/sdb cannot be told apart: both fit: name one by 'disk'"
        assert why in await waiting(site, "in maintenance", hostname(machine))
        assert "remove its file" not in daemon.line
        (report,) = await daemon.clusters.reports()
        assert why in report.machines[hostname(machine)].trouble


async def test_of_two_daemons_one_names_the_founder_and_both_follow(tmp_path: Path) -> None:
    async with founding_site(tmp_path, daemons=("one", "two")) as site:
        for machine in site.planes:
            await machine.power_on()
        await preparing(*site.planes)
        for daemon in site.daemons:
            daemon.start()
        await founded(site)
        await site.daemons[1].follows.follower.refresh()
        await founded(site, 1)
        assert site.log() == [SECRETS, "arda is founded by controlplane-1", "arda is founded"]


@pytest.mark.long
async def test_founding_that_is_cancelled_wherever_it_waits_founds_once(tmp_path: Path) -> None:
    async with founding_site(tmp_path) as site:
        (daemon,), moments = site.daemons, random.Random(100)
        for machine in site.planes:
            await machine.power_on()
        await preparing(*site.planes)
        for _ in range(100):
            daemon.start()
            await asyncio.sleep(moments.uniform(0, 0.8))
            await daemon.kill()
        daemon.start()
        await founded(site)
        await joined(site)
        assert site.log() == [SECRETS, "arda is founded by controlplane-1", "arda is founded"]


async def test_a_founder_without_power_before_etcd_s_first_write_is_asked_again(tmp_path: Path) -> None:
    async with founding_site(tmp_path) as site:
        first = site.planes[0]
        first.may_write_etcd.clear()
        site.daemons[0].start()
        for machine in site.planes:
            await machine.power_on()
        await until(lambda: first.boot and first.boot.membership and first.boot.membership._founding.is_set())
        await first.power_cut()
        first.may_write_etcd.set()
        assert "founded:" not in site.record()
        await waiting(site, "controlplane-1: ")
        await first.power_on()
        await founded(site)
        assert site.log() == [SECRETS, "arda is founded by controlplane-1", "arda is founded"]


@pytest.mark.long
async def test_a_founder_that_dies_between_the_commit_and_the_call_is_replaced_by_removing_its_file(
    tmp_path: Path,
) -> None:
    async with founding_site(tmp_path) as site:
        first = site.planes[0]
        for machine in site.planes:
            await machine.power_on()
        await preparing(*site.planes)
        first.answers.clear()
        site.daemons[0].start()
        site.change({"clusters/arda.yaml": site.record() + 'founder: "controlplane-1"\n'})
        await first.power_cut()
        await site.daemons[0].follows.follower.refresh()
        await waiting(site, "controlplane-1: ", hostname(first))
        site.change(dict.fromkeys(file_of(first)))
        await site.daemons[0].follows.follower.refresh()
        await founded(site)
        assert site.log()[-3:] == [
            "arda is founded again",
            "arda is founded by controlplane-2",
            "arda is founded",
        ]
        assert "generation: 2" in site.record()


async def test_a_control_plane_of_another_cluster_is_reported_and_nothing_is_founded(tmp_path: Path) -> None:
    async with founding_site(tmp_path, planes=1) as site:
        other = Cluster(
            tmp_path / "other", bundle=new_bundle(2), url=site.talos.url, served=site.talos.served
        )
        stranger = other.machine(7, Role.CONTROLPLANE)
        site.talos.site.machines.append(stranger)
        site.change(file_of(stranger))
        await site.daemons[0].follows.follower.refresh()
        site.daemons[0].start()
        for machine in (*site.planes, stranger):
            await machine.power_on()
        await preparing(*site.planes, stranger)
        await waiting(site, "its certificate is not of this cluster's CA", hostname(stranger))
        assert isinstance(site.daemons[0].step, Refuse)
        assert "machines reinstall NAME --wipe" in (site.daemons[0].clusters.problem or "")
        assert site.log() == [SECRETS, "A change"]


async def test_an_api_that_hangs_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iluvatar_pxe.layers.arda.asking.ASK_SECONDS", 0.5)
    async with founding_site(tmp_path, planes=1) as site:
        (one,) = site.planes
        one.answers.clear()
        await one.power_on()
        site.daemons[0].start()
        await waiting(site, "has not answered all questions within", hostname(one))
        one.answers.set()
        await founded(site)


@pytest.mark.parametrize("off", [timedelta(minutes=30), timedelta(days=-1)])
async def test_a_clock_that_is_off_is_waited_for(tmp_path: Path, off: timedelta) -> None:
    async with founding_site(tmp_path, planes=1) as site:
        (one,) = site.planes
        one.clock = clock = Clock(SPEED, off=off)
        await one.power_on()
        site.daemons[0].start()
        await waiting(site, "clock", hostname(one))
        assert isinstance(site.daemons[0].step, Wait)
        clock.off = timedelta()
        await founded(site)


@pytest.mark.long
async def test_a_cluster_that_lost_all_its_data_is_not_founded_again_by_itself(tmp_path: Path) -> None:
    async with founding_site(tmp_path, planes=1) as site:
        (one,) = site.planes
        await one.power_on()
        site.daemons[0].start()
        await founded(site)
        await one.power_cut()
        for disk in one.hardware.disks:
            one.wipe(disk)
        await one.power_on()
        await waiting(
            site, "its data is lost; restore a snapshot, or to found it again empty, raise generation"
        )
        kept = [line for line in site.record().splitlines() if not line.startswith(("generation", "found"))]
        site.change({"clusters/arda.yaml": "\n".join([*kept, "generation: 2", ""])})
        await site.daemons[0].follows.follower.refresh()
        await founded(site)


async def test_what_a_daemon_began_another_ends(tmp_path: Path) -> None:
    async with founding_site(tmp_path, planes=1, daemons=("one", "two")) as site:
        (machine,), (one, two) = site.planes, site.daemons
        machine.may_write_etcd.clear()
        await machine.power_on()
        one.start()
        await until(lambda: len(site.log()) == 2)
        await one.kill()
        machine.may_write_etcd.set()
        two.start()
        await two.follows.follower.refresh()
        await founded(site, 1)
        assert site.log() == [SECRETS, "arda is founded by controlplane-1", "arda is founded"]


async def test_a_daemon_that_cannot_open_the_secrets_says_so(tmp_path: Path) -> None:
    async with founding_site(tmp_path, planes=1) as site:
        (daemon,) = site.daemons
        (tmp_path / "one.key").unlink()
        daemon.context = replace(
            daemon.context,
            secrets=secrets_of(daemon.follows, daemon.context.repository, tmp_path / "one.key"),
        )
        daemon.start()
        line = await waiting(site, "this host has no key to open clusters/arda.secrets.age")
        assert "fleet recover" in line
        assert daemon.clusters.problem
        assert daemon.clusters.problem in line


async def test_who_may_not_commit_says_who_is_to_and_founds_what_another_began(tmp_path: Path) -> None:
    async with founding_site(tmp_path, planes=1) as site:
        (machine,), (daemon,) = site.planes, site.daemons
        may = daemon.context
        daemon.context = replace(may, repository=ClusterRepository(may.repository.revision))
        daemon.start()
        await machine.power_on()
        await waiting(
            site,
            "controlplane-1 is to found it: it is ready, and no other control plane has an etcd, but this",
        )
        site.change({"clusters/arda.yaml": site.record() + 'founder: "controlplane-1"\n'})
        await daemon.follows.follower.refresh()
        await founded(site)
        assert "founded:" not in site.record()


async def test_who_only_observes_does_nothing(tmp_path: Path) -> None:
    async with founding_site(tmp_path, planes=1) as site:
        (machine,), (daemon,) = site.planes, site.daemons
        daemon.context = replace(daemon.context, observes=True)
        daemon.start()
        await machine.power_on()
        await waiting(
            site, "controlplane-1 is to found it: it is ready, and no other control plane has an etcd"
        )
        assert site.log() == [SECRETS]


async def test_the_daemon_follows_the_fleet_s_layers(tmp_path: Path) -> None:
    async with founding_site(tmp_path, planes=1) as site:
        (daemon,) = site.daemons
        daemon.start()
        await waiting(site, "controlplane-1: ")
        config = "config: {controlplane: configs/one.yaml, worker: configs/one.yaml}\n"
        site.change({"layers/arda.yaml": f"{ARDA}{config}", "configs/one.yaml": "machine: {}\n"})
        await daemon.follows.follower.refresh()
        await until(lambda: not daemon.clusters.watches)
        assert daemon.clusters.lines == []
