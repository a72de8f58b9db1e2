"""A real daemon, simulated Pis that go on after their kernels, and stand-ins for k3s with what was made for them."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.ainur import node_of
from support.daemon import NO_INTERNET
from support.hosted import Hosted
from support.k3s.machine import Machine
from support.k3s.rendered import lay
from support.k3s.site import Site
from support.pi import IMAGE
from support.publisher import Publisher, publisher
from support.repositories import git
from support.talos.site import loopback_addresses
from support.waiting import wait_until
from support.warm import run_warm

from iluvatar_pxe.fleet.k3s import K3s
from iluvatar_pxe.layers.ainur.bundle import load_k3s_bundle
from iluvatar_pxe.layers.ainur.k3s_files import public_files, secret_files
from iluvatar_pxe.layers.ainur.node import K3sCluster
from iluvatar_pxe.layers.ainur.node_file import NodeFile
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.machines.states import Role

MACS = {"ainur-01": "2c:cf:67:00:00:01", "ainur-02": "2c:cf:67:00:00:02", "ainur-03": "2c:cf:67:00:00:03"}
K3S_FILES = ("k3s-arm64", "k3s-airgap-images-arm64.tar.zst")
ELSEWHERE = ("ipxe", "raspberry-pi-firmware-2710", "raspberry-pi-firmware-2711", "provisioning-system")
"""What is wanted besides, and would be looked for on the internet."""
CONTENT = b"file" * 1000


@dataclass
class Home:
    """A daemon, its owner's commands, and the network of the stand-ins."""

    daemon: Hosted
    network: Site
    addresses: Mapping[str, str]

    def run(self, *words: str) -> Any:
        """Run a command that answers in JSON."""
        ended = run_warm(*words, "--json", "--config", str(self.daemon.state.parent / "config.toml"))
        return json.loads(ended.output)

    def boot(self, name: str) -> dict[str, Any]:
        """Boot a simulated Pi."""
        found: dict[str, Any] = self.run("simulate", "pi5", "--mac", MACS[name])
        return found

    def shown(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.run("machines", "show", name)
        return found

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.run("cluster", "status", "ainur")[0]
        return found

    def log(self) -> list[str]:
        return git(self.daemon.repository.path, "log", "--format=%s", "--reverse", "main").splitlines()

    async def commits(self, subject: str) -> None:
        """Wait until that is the last commit."""
        await self._waits(lambda: self.log()[-1] == subject)

    async def tells(self, key: str, words: str, name: str) -> None:
        """Wait until ``machines show`` has words below a key."""
        await self._waits(lambda: words in str(self.shown(name)[key]))

    async def joins(self, name: str) -> None:
        """Wait until a machine has joined, as ``machines show`` tells."""
        await self._waits(lambda: self.shown(name)["phase"] == "joined")

    async def _waits(self, is_there: Callable[[], bool]) -> None:
        await asyncio.to_thread(wait_until, is_there, "the daemon to tell")

    def k3s(self, name: str, part: K3sPart) -> Machine:
        """Return a stand-in that has what the daemon made for it; its secrets are the exported ones."""
        command = ("cluster", "secrets", "export", "ainur", "-")
        ended = run_warm(*command, "--config", str(self.daemon.state.parent / "config.toml"))
        cluster = K3sCluster(
            name="ainur", domain="home.arpa", k3s=K3s(), bundle=load_k3s_bundle(ended.output)
        )
        node = node_of(name, Role.AGENT if part is K3sPart.AGENT else Role.SERVER)
        machine = Machine(self.network, self.daemon.state.parent / name, self.addresses[name])
        files = {**public_files(cluster, node), **secret_files(cluster, node, part)}
        lay(machine.root, {"/etc/hostname": NodeFile(f"{name}\n"), **files})
        return machine


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with publisher(tmp_path) as site:
        settings = {"assets": {"fetch": True}, "simulate": {"as_real": True}}
        (tmp_path / "daemon").mkdir()
        daemon = Hosted(tmp_path / "daemon", settings)
        daemon.environment = NO_INTERNET
        for name in IMAGE:
            path = daemon.assets / "raspberry-pi/ubuntu" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"MZ" + bytes(1499))
        with daemon:
            addresses = dict(zip(MACS, loopback_addresses(), strict=False))
            found = Home(daemon, Site({"api.ainur.home.arpa": [addresses["ainur-01"]]}), addresses)
            owner = daemon.owner(tmp_path / "clone")
            owner.commit(fleet_of(site, found.addresses))
            owner.push()
            wait_until(lambda: has_all(daemon), "the files of k3s, and Argo CD's chart")
            yield found


def has_all(daemon: Hosted) -> bool:
    """Say whether what the owner's commit wants of k3s and Argo CD is there; the starter fleet wants other files."""
    there = {str(line["name"]) for line in daemon.logged("asset.ready") if "127.0.0.1" in str(line["source"])}
    return all(any(name.endswith(file) for name in there) for file in (*K3S_FILES, "argo-cd-1.tgz"))


def entry(site: Publisher, name: str, version: str, *files: str) -> str:
    """Return an entry of the catalogue whose files all have the same content; without a version, the layer's counts."""
    site.offer("/file", CONTENT)
    pinned = f'urls: ["{site.url("/file")}"], sha256: {hashlib.sha256(CONTENT).hexdigest()}'
    listed = ", ".join(f'{{name: "{file}", {pinned}}}' for file in files)
    chosen = f"version: '{version}', " if version else ""
    return f"    {name}: {{{chosen}files: [{listed}]}}\n"


def fleet_of(site: Publisher, addresses: Mapping[str, str]) -> dict[str, str | None]:
    """Return a fleet of a server and an agent in memory, and of an agent on a disk, whose files come from a publisher."""
    entries = "".join(
        (
            *(entry(site, name, "1", f"{name}.tar") for name in ELSEWHERE),
            entry(site, "chart-argo-cd", "1", "charts/argo-cd-{version}.tgz"),
            entry(site, "k3s", "", *(f"k3s/{{version}}/{file}" for file in K3S_FILES)),
        )
    )
    roots = {
        "ainur-01": "{kind: memory, data: {label: data}}",
        "ainur-02": "{kind: memory}",
        "ainur-03": "{kind: disk}",
    }
    return {
        "fleet.yaml": f"domain: home.arpa\nassets:\n  entries:\n{entries}",
        "layers/ainur.yaml": "kind: k3s\nimage: ubuntu\nservers: 1\n",
        **{
            f"machines/{name}.yaml": (
                f"match: {{macs: ['{mac}']}}\nlayer: ainur\naddress: {addresses[name]}\n"
                f"role: {'server' if name == 'ainur-01' else 'agent'}\nroot: {roots[name]}\n"
            )
            for name, mac in MACS.items()
        },
    }


async def test_simulated_pis_become_a_cluster_and_boot_as_their_roots_want(home: Home) -> None:
    """The stand-ins live in this event loop, so whatever waits for the daemon does so in threads."""
    report = await asyncio.to_thread(home.boot, "ainur-01")
    assert report["result"] == "the system of ainur-01 has its documents and its secrets", report["reason"]
    assert home.log()[-2:] == ["ainur has its secrets", "ainur is founded by ainur-01"]
    await home.tells("cluster_waits", "ainur-01: ", "ainur-01")
    status = await asyncio.to_thread(lambda: home.status)
    assert (status["state"], status["founder"], status["founded_at"]) == ("waiting", "ainur-01", None)
    assert "ainur: ainur-01: " in str(json.loads(home.daemon.get("/readyz")[1])["clusters"])

    async with home.k3s("ainur-01", K3sPart.INIT):
        await home.joins("ainur-01")
        await home.commits("ainur is founded")
        reports = [await asyncio.to_thread(home.boot, name) for name in ("ainur-02", "ainur-03")]
        assert [one["reason"] for one in reports] == ["", ""]
        async with home.k3s("ainur-02", K3sPart.AGENT), home.k3s("ainur-03", K3sPart.AGENT):
            await home.joins("ainur-02")
            await home.joins("ainur-03")
            status = await asyncio.to_thread(lambda: home.status)
            assert status["state"] == "founded", status
            assert all(machine["node"]["ready"] for machine in status["machines"])
        again = await asyncio.to_thread(home.boot, "ainur-02")
        declined = await asyncio.to_thread(home.boot, "ainur-03")
    assert again["result"] == "the system of ainur-02 has its documents and its secrets", again["reason"]
    assert "has no file" in declined["reason"], [
        home.daemon.logged("boot")[-8:],
        home.daemon.logged("pi.declined"),
    ]
    shown = await asyncio.to_thread(home.shown, "ainur-03")
    assert (shown["phase"], shown["plan"]["what"]) == ("joined", "boots its own disk")
    assert "secret" not in "".join(json.dumps(line) for line in home.daemon.logged("pi.event"))
