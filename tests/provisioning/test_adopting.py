"""A k3s cluster of stand-ins that somebody made by hand becomes the fleet's, and is only read meanwhile."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import yaml
from support.k3s.admin import etcd_of
from support.k3s.authorities import FILES
from support.k3s.by_hand import API, Cluster, ca_files
from support.k3s.founding import K3sSite, installing, joined, k3s_site
from support.repositories import git
from support.secrets_of import k3s_bundle_of
from support.waiting import until

from iluvatar_pxe.admin.clusters import AdoptCluster
from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.errors import IluvatarError, KubernetesError, OperationError
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.layers.ainur.adoption.server_files import secrets_text
from iluvatar_pxe.layers.ainur.bundle import K3sBundle, load_k3s_bundle
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.layers.founding import Founded
from iluvatar_pxe.provisioning.adopting import Adopter
from iluvatar_pxe.provisioning.assigner import DatabaseAssigner
from iluvatar_pxe.provisioning.enrolment import OwnWindow
from iluvatar_pxe.values import replace

OURS = "api.ainur.home.arpa"
NAMES = ["mother", "aunt", "worker"]
MACS = {name: f"dc:a6:32:00:00:0{number}" for number, name in enumerate(NAMES, 1)}


@dataclass
class Existing:
    """A cluster that runs, and a fleet with a new machine that is to be its server."""

    site: K3sSite
    cluster: Cluster

    @property
    def bundle(self) -> K3sBundle:
        """Its secrets, as a server's directory has them."""
        server = self.cluster.machines["mother"].root / "var/lib/rancher/k3s/server"
        return load_k3s_bundle(
            secrets_text(lambda name: (server / name).read_text() if (server / name).is_file() else None)
        )

    @property
    def place(self) -> tuple[str, int]:
        return self.cluster.machines["mother"].address, 6443

    def adopter(self, heard: dict[str, str] | None = None) -> Adopter:
        """Return that of the first daemon, on whose network nodes with these MACs are heard, by their names."""
        addresses = {
            IPv4Address(self.cluster.machines[name].address): mac for name, mac in (heard or {}).items()
        }

        async def mac_of(address: IPv4Address) -> str | None:
            return addresses.get(address)

        return Adopter(self.site.daemons[0].context, mac_of)

    @property
    def commands(self) -> CommandContext:
        """What commands to the first daemon work on."""
        founder = self.site.daemons[0]
        inventory = founder.follows.inventory
        return CommandContext(
            inventory=inventory,
            fleet_in_force=founder.context.fleet,
            assigner=DatabaseAssigner(inventory),
            window=OwnWindow(inventory),
            secrets=founder.context.secrets,
            adopter=self.adopter(MACS),
        )

    def committed(self, path: str) -> str:
        return git(self.site.central, "show", f"main:{path}")


@pytest.fixture
async def existing(tmp_path: Path) -> AsyncIterator[Existing]:
    async with k3s_site(tmp_path, servers=1, has_secrets=False) as site:
        network = site.servers[0].machine.site
        cluster = Cluster(tmp_path, site=network)
        sans = {"tls-san": [API, OURS], "disable": ["traefik"], "write-kubeconfig-mode": "0644"}
        machines = [
            cluster.first("mother", **sans, **{"node-label": ["lab/disk=ssd"]}),
            cluster.server("aunt", **sans),
            cluster.agent("worker", **{"node-label": ["lab/pi=4"]}),
        ]
        network.names[OURS] = [machine.address for machine in machines[:2]]
        try:
            for machine in machines:
                await machine.power_on()
                await until(lambda machine=machine: machine.is_ready)  # type: ignore[misc]
                ready = int(time.time())  # Nodes tell their age in whole seconds
                await until(lambda ready=ready: int(time.time()) > ready)  # type: ignore[misc]
            yield Existing(site, cluster)
        finally:
            await cluster.end()


async def test_it_is_read_only_committed_once_and_a_machine_that_boots_under_it_joins(
    existing: Existing,
) -> None:
    site, network = existing.site, existing.site.servers[0].machine.site
    network.asked.clear()
    adopter = existing.adopter(MACS)
    found = await adopter.adopt("ainur", existing.bundle, existing.place, {}, is_played=True)
    assert site.log() == []
    assert (await adopter.adopt("ainur", existing.bundle, existing.place, {})).files == found.files
    assert {line.partition(" ")[0] for line in network.asked} == {"GET"}
    assert site.log() == ["ainur is adopted from a cluster that exists"]

    assert yaml.safe_load(existing.committed("layers/ainur.yaml")) == {
        "kind": "k3s",
        "image": "ubuntu",
        "servers": 3,  # it has two
        "root": {"kind": "memory", "data": {"label": "data"}},
        "k3s": {
            "version": "v1.36.3+k3s1",
            "disable": ["traefik"],
            "labels": {"agent": {"lab/pi": "4"}},
            "config": {"server": {"write-kubeconfig-mode": "0644"}},
        },
    }
    assert "intent: local" in existing.committed("machines/worker.yaml")
    assert f"address: {existing.place[0]}" in existing.committed("machines/mother.yaml")
    record = existing.committed("clusters/ainur.yaml")
    assert 'founder: "mother"' in record
    assert "founded: " in record
    assert 'version: "v1.36.3+k3s1"' in record
    left = "\n".join(found.cautions)
    assert "it has 2 servers, an even number" in left
    assert "mother: --node-label=lab/disk=ssd is not taken: not every server has it" in left
    assert OURS not in left

    pi = site.servers[0]
    site.daemons[0].start()
    await until(lambda: isinstance(site.daemons[0].watch and site.daemons[0].watch.step, Founded))
    async with installing(site, [pi]):
        await joined(site, [pi])
    assert pi.told == [K3sPart.JOIN_SERVER]
    assert len(await etcd_of(pi.machine).members()) == 3
    assert pi.machine.inits == 0


async def test_what_does_not_fit_is_refused_and_nothing_is_committed(existing: Existing) -> None:
    bundle, adopter = existing.bundle, existing.adopter(MACS)
    strange = replace(bundle, agent_token="another")
    other = k3s_bundle_of("other", wall_clock())
    attempts: list[tuple[Adopter, K3sBundle, dict[str, str], type[IluvatarError], str]] = [
        (adopter, strange, {}, OperationError, "agent-token: is not the agent-token of this cluster"),
        (
            adopter,
            replace(bundle, server_token="another"),
            {},
            OperationError,
            "token: is not the token of this",
        ),
        (adopter, other, {}, KubernetesError, "certificate verify failed"),
        (existing.adopter(), bundle, {}, OperationError, "aunt, mother: no MAC of a server is known here"),
        (adopter, bundle, {"nobody": MACS["aunt"]}, OperationError, "nobody: is no node of this cluster"),
        (
            adopter,
            bundle,
            {"aunt": existing.site.servers[0].mac},
            OperationError,
            "machines/ainur-01.yaml: has the MAC 2c:cf:67:00:00:01 of the node aunt",
        ),
    ]
    for by, secrets, macs, kind, words in attempts:
        with pytest.raises(kind, match=words):
            await by.adopt("ainur", secrets, existing.place, macs)
    assert existing.site.log() == []
    found = await existing.adopter().adopt(
        "ainur", bundle, existing.place, {name: MACS[name] for name in ("mother", "aunt")}
    )
    assert "machines/worker.yaml" not in found.files
    assert any(line.startswith("worker: gets no file") for line in found.cautions)
    with pytest.raises(OperationError, match="ainur: has the secrets of a cluster already"):
        await adopter.adopt("ainur", bundle, existing.place, {})


async def test_the_command_shows_no_secret(existing: Existing) -> None:
    server = {f"tls/{path}": ca_files("ainur")[path].decode() for path in FILES}
    tokens = {"token": existing.cluster.server_token, "agent-token": existing.cluster.agent_token}
    host, port = existing.place
    command = AdoptCluster(
        layer="ainur", secrets=secrets_text({**server, **tokens}.get), host=host, port=port, dry_run=True
    )
    answer = await command.carry_out(existing.commands, "root")
    assert answer["message"] == "ainur would be adopted: aunt, mother, worker"
    assert "password-of-ainur" not in f"{command!r}{answer}"
