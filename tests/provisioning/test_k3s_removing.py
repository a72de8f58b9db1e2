"""Nodes leave a k3s cluster of stand-ins with a real etcd, for good or to join again under the same name."""

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.k3s.admin import as_admin, etcd_of, pods_on, run_pod
from support.k3s.founding import K3sSite, Pi, file_of, installing, joined, k3s_site
from support.k3s.kubernetes import MEMBER_NAME
from support.waiting import until

from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.admin.edits import with_directive, with_phase
from iluvatar_pxe.admin.machines import Forget
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.layers.ainur.removal import Act
from iluvatar_pxe.layers.arda.reinstall import Refused
from iluvatar_pxe.layers.founding import Founded
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Directive, Intent, Phase
from iluvatar_pxe.provisioning.assigner import DatabaseAssigner
from iluvatar_pxe.provisioning.enrolment import OwnWindow
from iluvatar_pxe.provisioning.outage import Outage
from iluvatar_pxe.provisioning.reinstalling import Reinstaller


@asynccontextmanager
async def running(tmp_path: Path, servers: int, agents: int = 0, daemons: int = 1) -> AsyncIterator[K3sSite]:
    """Give a site whose machines have joined, as its first daemon knows."""
    async with k3s_site(tmp_path, servers, agents, [f"daemon{number}" for number in range(daemons)]) as site:
        for founder in site.daemons:
            founder.start()
        async with installing(site, site.servers[:1]):
            await joined(site, site.servers[:1])
        await until(lambda: isinstance(site.daemons[0].watch and site.daemons[0].watch.step, Founded))
        rest = [pi for pi in site.pis.values() if pi is not site.servers[0]]
        async with installing(site, rest, asked=range(daemons)):
            await joined(site, rest)
        yield site


async def reinstall(site: K3sSite, pi: Pi) -> None:
    """Have a machine installed anew, as ``machines reinstall`` does."""
    for founder in site.daemons:
        inventory = founder.follows.inventory
        sighting = Sighting(mac=pi.mac, firmware=Firmware.RASPBERRY_PI)
        known = inventory.snapshot.machine(pi.mac) or inventory.observe(sighting, Stage.DISCOVER)
        for edit in (with_phase(Phase.JOINED), with_directive(Directive(Intent.REINSTALL, "test"))):
            await inventory.change(known.id, edit, Happening.CHANGED, "reinstall", "test")


def boots(site: K3sSite, pi: Pi) -> None:
    """Have the daemon see that a machine gets what installs it."""
    sighting = Sighting(mac=pi.mac, firmware=Firmware.RASPBERRY_PI)
    for stage, chain in ((Stage.DISCOVER, ""), (Stage.SCRIPT, "raspberry-pi")):
        site.daemons[0].follows.inventory.observe(sighting, stage, chain=chain)


async def refusal(site: K3sSite, pi: Pi, *, is_forced: bool = False) -> str:
    """Return why ``machines reinstall`` would refuse; empty where it would not."""
    founder = site.daemons[0]
    inventory = founder.follows.inventory
    known = inventory.snapshot.machine(pi.mac)
    assert known
    reinstaller = Reinstaller(founder.context, inventory, founder.clusters.k3s.harm)
    step = await reinstaller.step(known, wipes=False, is_forced=is_forced)
    return step.why if isinstance(step, Refused) else ""


async def lost_without(site: K3sSite, pi: Pi) -> str:
    """Return what the cluster would lose while a machine has no power."""
    founder = site.daemons[0]
    known = founder.follows.inventory.snapshot.machine(pi.mac)
    assert known
    return await Outage(founder.context, founder.clusters.k3s.servers).harm(known)


async def nodes(site: K3sSite) -> set[str]:
    found = json.loads(await as_admin(site.servers[0].machine).ask("/api/v1/nodes"))
    return {node["metadata"]["name"] for node in found["items"]}


async def members(site: K3sSite) -> set[str]:
    """Return the names of the nodes that vote in etcd."""
    found = await etcd_of(site.servers[0].machine).members()
    return {one.name.rpartition("-")[0] for one in found if not one.is_learner}


def shown(site: K3sSite, name: str) -> Callable[[], str]:
    return lambda: site.daemons[0].clusters.awaited.get(name, "")


@pytest.mark.long
async def test_a_server_is_drained_leaves_etcd_and_joins_again_under_its_name(tmp_path: Path) -> None:
    async with running(tmp_path, servers=3) as site:
        first, _, pi = site.servers
        await run_pod(first.machine, "web", pi.name)
        await reinstall(site, pi)
        await until(lambda: "its node has left the cluster; restart it" in shown(site, pi.name)())
        assert await pods_on(first.machine, pi.name) == set()
        assert (await nodes(site), await members(site)) == ({"ainur-01", "ainur-02"},) * 2
        await pi.machine.power_cut()
        pi.machine.lose_disk()
        boots(site, pi)
        async with installing(site, [pi]):
            await joined(site, [pi])
        assert await members(site) == {one.name for one in site.servers}
        assert pi.told == [K3sPart.JOIN_SERVER] * 2
        await until(lambda: site.daemons[0].clusters.lines == [])


@pytest.mark.long
async def test_an_agent_leaves_whose_file_is_removed_and_waits_for_a_pod_that_may_not_go(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, servers=1, agents=2) as site:
        (founder,), (first, agent, other) = site.daemons, site.pis.values()
        await run_pod(first.machine, "db", agent.name, protected=True)
        site.change(dict.fromkeys(file_of(agent)))
        await site.refresh()
        words = f"ainur: {agent.name} leaves: {Act.DRAIN}; 1 are left: default/db"
        await until(lambda: words in founder.clusters.lines)
        site.change(file_of(agent))  # it is wanted again
        await site.refresh()
        await until(lambda: founder.clusters.lines == [])
        assert await nodes(site) == {first.name, agent.name, other.name}
        site.change(dict.fromkeys(file_of(other)))
        await site.refresh()
        await until(lambda: any(line.startswith(f"ainur: {other.name}") for line in founder.clusters.lines))
        await until(lambda: founder.clusters.lines == [])
        assert await nodes(site) == {first.name, agent.name}


@pytest.mark.long
async def test_a_node_stays_that_only_has_the_address_of_a_machine_without_a_file(tmp_path: Path) -> None:
    async with running(tmp_path, servers=1, agents=1) as site:
        (founder,), (first, agent) = site.daemons, site.pis.values()
        inventory = founder.follows.inventory
        known = inventory.snapshot.machine(agent.mac)
        assert known
        await inventory.forget(known.id, "test")
        stranger = Sighting(
            mac="2c:cf:67:00:00:99",
            firmware=Firmware.RASPBERRY_PI,
            address=IPv4Address(agent.machine.address),
        )
        other = inventory.observe(stranger, Stage.DISCOVER)
        await inventory.change(other.id, with_phase(Phase.JOINED), Happening.CHANGED, "joined", "test")
        site.change(dict.fromkeys(file_of(agent)))
        await site.refresh()
        words = "ainur: ainur-02: has the address of 2c:cf:67:00:00:99, whose file has left the fleet"
        await until(lambda: any(line.startswith(words) for line in founder.clusters.lines))
        assert founder.clusters.k3s.watches["ainur"].removal.leaving == {}
        assert await nodes(site) == {first.name, agent.name}


@pytest.mark.long
async def test_servers_leave_one_at_a_time_and_none_while_another_is_away(tmp_path: Path) -> None:
    async with running(tmp_path, servers=3) as site:
        first, second, third = site.servers
        assert await refusal(site, second) == ""
        assert await lost_without(site, second) == ""
        await third.machine.power_cut()
        await until(lambda: "does not answer" in shown(site, third.name)())
        assert "would have 1 of 3 members and needs 2" in await lost_without(site, second)
        assert await lost_without(site, third) == ""
        assert "ainur-03 is not ready" in await refusal(site, second)
        await reinstall(site, second)
        await until(
            lambda: "ainur-03 is not ready, and servers leave one at a time" in shown(site, second.name)()
        )
        assert await nodes(site) == {"ainur-01", "ainur-02", "ainur-03"}
        await third.machine.power_on()
        await reinstall(site, third)
        await until(lambda: "restart it" in shown(site, second.name)())
        await until(lambda: "servers leave one at a time" in shown(site, third.name)())
        assert await members(site) == {"ainur-01", "ainur-03"}
        assert first.machine.is_ready


async def forget(site: K3sSite, pi: Pi) -> str:
    """Have a person have the first daemon forget a machine; return the answer, or why not."""
    founder = site.daemons[0]
    context = CommandContext(
        inventory=founder.follows.inventory,
        fleet_in_force=founder.context.fleet,
        assigner=DatabaseAssigner(founder.follows.inventory),
        window=OwnWindow(founder.follows.inventory),
        secrets=founder.context.secrets,
        clusters=founder.clusters,
    )
    try:
        return str((await Forget(machine=pi.mac).carry_out(context, "ada"))["message"])
    except OperationError as refused:
        return str(refused)


async def test_a_member_is_forgotten_once_nothing_of_it_is_left(tmp_path: Path) -> None:
    async with running(tmp_path, servers=1, agents=1) as site:
        agent = site.pis["ainur-02"]
        assert "in the cluster of layer ainur; remove machines/ainur-02.yaml, push" in await forget(
            site, agent
        )
        await run_pod(site.servers[0].machine, "web", agent.name)
        site.change(dict.fromkeys(file_of(agent)))
        await site.refresh()
        assert "has not left its cluster yet: ainur: " in await forget(site, agent)
        await until(lambda: site.daemons[0].clusters.lines)
        assert "ainur-02 leaves: " in await forget(site, agent)
        await agent.machine.power_cut()
        await until(lambda: not site.daemons[0].clusters.lines)
        assert await nodes(site) == {"ainur-01"}
        assert "is forgotten" in await forget(site, agent)


async def test_the_last_server_stays(tmp_path: Path) -> None:
    async with running(tmp_path, servers=1) as site:
        assert re.search(
            "^ainur-01: no other server .*, or add --force$", await refusal(site, site.servers[0])
        )
        assert await refusal(site, site.servers[0], is_forced=True) == ""
        await reinstall(site, site.servers[0])
        await until(lambda: "no other server that the fleet lists is ready" in shown(site, "ainur-01")())
        assert await nodes(site) == {"ainur-01"}


@pytest.mark.long
async def test_a_member_that_outlives_its_node_is_named_and_waited_for(tmp_path: Path) -> None:
    async with running(tmp_path, servers=3) as site:
        first, _, pi = site.servers
        await pi.machine.power_cut()
        pi.machine.lose_disk()
        patch = {
            "metadata": {"annotations": {MEMBER_NAME: "another"}}
        }  # k3s finds no member to remove (k3s#10408)
        await as_admin(first.machine).ask(
            f"/api/v1/nodes/{pi.name}",
            method="PATCH",
            headers={"Content-Type": "application/merge-patch+json"},
            data=json.dumps(patch).encode(),
        )
        async with installing(site, [pi]):
            await until(lambda: "its Node is deleted, and etcd still has its member ainur-03-" in pi.waits)
            await until(lambda: "as docs/k3s.md says" in shown(site, pi.name)())
            etcd = etcd_of(first.machine)
            (stray,) = [one for one in await etcd.members() if one.name.startswith("ainur-03-")]
            assert f"({int(stray.id):x})" in pi.waits
            await etcd.ask("cluster/member/remove", {"ID": stray.id})
            await until(lambda: pi.machine.is_ready)


@pytest.mark.long
async def test_of_two_daemons_one_takes_nodes_out_and_the_other_goes_on_if_it_dies(tmp_path: Path) -> None:
    async with running(tmp_path, servers=1, agents=1, daemons=2) as site:
        first, agent = site.pis.values()
        await run_pod(first.machine, "db", agent.name, protected=True)
        await reinstall(site, agent)

        def steps() -> list[str]:
            return [one.clusters.awaited.get(agent.name, "") for one in site.daemons]

        def acting() -> list[int]:
            return [number for number, step in enumerate(steps()) if "1 are left" in step]

        await until(lambda: len(acting()) == 1 and any("by another daemon" in step for step in steps()))
        (one,) = acting()
        await site.daemons[one].kill()
        await until(lambda: "1 are left" in steps()[1 - one])
        assert agent.name in await nodes(site)
