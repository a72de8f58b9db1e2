"""The daemon's own host as a node: over real HTTP, from an address that no neighbour table has."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.fleets import fleet_of
from support.interfaces import read_interface
from support.pi_cluster import Cluster
from support.web import Response, Web, web

from iluvatar_pxe.errors import ConfigurationError, OperationError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.ainur.cloud_config import NODE
from iluvatar_pxe.layers.ainur.k3s_files import TOKEN
from iluvatar_pxe.machines.states import Phase, Role
from iluvatar_pxe.provisioning.own_host import Hardware, OwnHost, OwnNode

MAC, WIRELESS, ANOTHER = "2c:cf:67:00:00:05", "2c:cf:67:00:00:06", "2c:cf:67:00:00:07"
PI = Hardware(macs=(WIRELESS, MAC), architecture="aarch64", on_card=True)
LAYER = "k3s: {disable: [servicelb], etcdOnCard: true}\n"
SERVER = ("ainur-01", MAC, "layer: ainur\nrole: server\nintent: local\n")


@dataclass
class Site:
    """A daemon on a Pi."""

    web: Web
    cluster: Cluster

    def asks(self, hardware: Hardware = PI) -> OwnNode | None:
        own = OwnHost(self.web.booter, lambda: [read_interface("lo")], self.web.port)
        return self.web.call(own.node(hardware))

    def config(self) -> dict[str, Any]:
        """Return the cloud-config that it is given."""
        node = self.asks()
        assert node
        assert (node.name, node.layer) == ("ainur-01", "ainur")
        found: dict[str, Any] = yaml.safe_load(node.user_data)
        return found

    def swaps(self, url: str) -> Response:
        """Swap the ticket of a URL."""
        return self.web.post(
            url.removeprefix(f"http://127.0.0.1:{self.web.port}") + "/swap", b'{"etcd": false}'
        )


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    yield from serving(tmp_path, fleet_of(SERVER, ainur=LAYER))


def serving(directory: Path, fleet: Fleet) -> Iterator[Site]:
    cluster = Cluster()
    with web(directory, fleet, cloud_init=cluster.cloud_init) as running:
        running.macs_here = PI.macs
        yield Site(running, cluster)


def told(config: dict[str, Any]) -> dict[str, Any]:
    """Return what its program reads that prepares k3s."""
    (file,) = (one for one in config["write_files"] if one["path"] == NODE)
    found: dict[str, Any] = json.loads(file["content"])
    return found


def test_a_listed_host_gets_what_any_node_gets_and_swaps_its_ticket_at_its_own_address(site: Site) -> None:
    config = site.config()
    assert ["systemctl", "enable", "--now", "--no-block", "k3s.service"] in config["runcmd"]
    node = told(config)
    assert node["daemons"] == [f"http://127.0.0.1:{site.web.port}", f"http://10.0.0.3:{site.web.port}"]
    assert node["clocks"] == node["daemons"][1:]
    machine = site.web.inventory.snapshot.machine(MAC)
    assert machine
    assert (machine.phase, str(machine.address)) == (Phase.INSTALLING, "127.0.0.1")

    answer = site.swaps(node["url"])
    assert answer.status == 200, answer.text
    assert TOKEN in {one["path"] for one in json.loads(answer.text)["files"]}
    assert site.cluster.asked == [("ainur", "ainur-01", Role.SERVER, False)]


def test_another_host_swaps_no_ticket_of_it(site: Site) -> None:
    url = told(site.config())["url"]
    site.web.macs_here = (ANOTHER,)
    assert site.swaps(url).status == 403
    assert not site.cluster.asked


def test_a_host_that_is_installed_anew_gets_a_ticket_that_is_good(site: Site) -> None:
    for _ in range(2):
        url = told(site.config())["url"]
        receipt = json.loads(site.swaps(url).text)["receipt"]
        path = url.removeprefix(f"http://127.0.0.1:{site.web.port}")
        body = json.dumps({"receipt": receipt}).encode()
        assert site.web.post(f"{path}/stored", body).status == 200
        assert site.swaps(url).status == 410


def test_what_is_not_there_yet_is_told(site: Site) -> None:
    site.cluster.trouble = "its secrets are sealed to another"
    with pytest.raises(ConfigurationError, match="ainur-01: ainur: its secrets are sealed to another"):
        site.asks()


@pytest.mark.parametrize(
    "machines",
    [
        [],
        [("ainur-01", ANOTHER, "layer: ainur\nrole: server\n")],
        [("arda-01", MAC, "layer: arda\nrole: worker\n")],
    ],
)
def test_a_host_that_no_k3s_layer_lists_gets_nothing(
    tmp_path: Path, machines: list[tuple[str, str, str]]
) -> None:
    for site in serving(tmp_path, fleet_of(*machines, ainur=LAYER)):
        assert site.asks() is None
        assert site.web.inventory.snapshot.machine(MAC) is None


@pytest.mark.parametrize(
    ("layer", "lines", "hardware", "why"),
    [
        ("k3s: {etcdOnCard: true}\n", "role: server\n", PI, r"layers/ainur.yaml: add it to 'k3s.disable'"),
        ("k3s: {disable: [servicelb]}\n", "role: server\n", PI, "wears out this host's SD card or eMMC"),
        (LAYER, "", PI, "its file names no role; add: role: server"),
        (
            LAYER,
            "role: server\n",
            Hardware(macs=(MAC,), architecture="x86_64", on_card=False),
            "this host is x86_64, and nodes of ainur are aarch64",
        ),
    ],
)
def test_a_host_that_cannot_be_a_node_is_told_why(
    tmp_path: Path, layer: str, lines: str, hardware: Hardware, why: str
) -> None:
    for site in serving(tmp_path, fleet_of(("ainur-01", MAC, f"layer: ainur\n{lines}"), ainur=layer)):
        with pytest.raises(OperationError, match=f"^ainur-01: .*{why}"):
            site.asks(hardware)


def test_a_disk_for_what_lasts_makes_a_server_of_a_host_with_a_card(tmp_path: Path) -> None:
    lines = "layer: ainur\nrole: server\nroot: {data: {label: data}}\n"
    fleet = fleet_of(("ainur-01", MAC, lines), ainur="k3s: {disable: [servicelb]}\n")
    for site in serving(tmp_path, fleet):
        assert told(site.config())["data"]["source"] == "LABEL=data"
