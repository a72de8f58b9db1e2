"""What the fleet and the network come to in a machine's configuration."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clusters import DISK, control_plane_secrets, golden_bundle, shows
from support.fleets import fleet_of

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.arda.configuration.make import documents_of, partial_documents
from iluvatar_pxe.layers.arda.documents import dump_documents
from iluvatar_pxe.layers.arda.machine_facts import (
    Node,
    Surroundings,
    cluster_facts,
    declared_workers,
    machine_facts,
)
from iluvatar_pxe.machines.states import ROLES, LayerKind, Role

BUNDLE = golden_bundle()
HERE, OTHER, ROUTER = (IPv4Address(f"192.168.1.{number}") for number in (2, 3, 1))
AROUND = Surroundings(here=HERE, network=IPv4Network("192.168.1.0/24"), daemons=(OTHER, HERE), router=ROUTER)
NODE = Node(name="arda-01", layer="arda", role=Role.CONTROLPLANE, macs=("52:54:00:00:00:01",), disk=DISK)
LISTED = st.lists(st.sampled_from(["", "role: worker\n", "role: controlplane\n"]), max_size=6)


def arda(version: str = "v1.13.9", part: str = "", rest: str = "") -> str:
    """Return a layer of kind talos."""
    return f"kind: talos\ntalos: {{version: {version}{part}}}\n{rest}"


def listed(*files: str) -> list[tuple[str, str, str]]:
    """Return machines with what their files say of their roles."""
    return [
        (f"arda-{number:02}", f"52:54:00:00:00:{number:02}", file) for number, file in enumerate(files, 1)
    ]


def test_a_cluster_is_found_by_its_name_in_the_domain_or_by_its_vip() -> None:
    by_name = cluster_facts("arda", fleet_of(arda=arda(), fleet="domain: home.example\n"), BUNDLE)
    by_address = cluster_facts("arda", fleet_of(arda=arda(rest="vip: 192.168.1.60\n")), BUNDLE)

    assert (by_name.endpoint, by_name.vip) == ("https://api.arda.home.example:6443", None)
    assert (by_address.endpoint, str(by_address.vip)) == ("https://192.168.1.60:6443", "192.168.1.60")


def test_kubernetes_is_as_the_layer_says_or_the_default() -> None:
    assert cluster_facts("arda", fleet_of(arda=arda()), BUNDLE).kubernetes == "v1.36.3"
    assert cluster_facts("arda", fleet_of(arda=arda("v1.14.1")), BUNDLE).kubernetes == "v1.37.0"
    asked = fleet_of(arda=arda(part=", kubernetes: v1.35.1"))
    assert cluster_facts("arda", asked, BUNDLE).kubernetes == "v1.35.1"


def test_a_machine_asks_every_daemon_then_the_router_and_tells_this_daemon() -> None:
    facts = machine_facts(NODE, fleet_of(arda=arda()), AROUND)

    assert facts.resolvers == (HERE, OTHER, ROUTER)
    assert facts.time_servers == ("192.168.1.2", "192.168.1.3", "192.168.1.1", "time.cloudflare.com")
    assert (facts.event_sink, facts.kernel_log) == ("192.168.1.2:3333", "tcp://192.168.1.2:3334")
    assert facts.no_proxy == ("192.168.1.2", "192.168.1.3", ".lab.home.arpa")


def test_no_machine_asks_itself() -> None:
    alone = Surroundings(
        here=IPv4Address("127.0.0.1"),
        network=IPv4Network("127.0.0.0/8"),
        daemons=(IPv4Address("0.0.0.0"), OTHER),
    )
    assert machine_facts(NODE, fleet_of(arda=arda()), alone).resolvers == (OTHER,)


def test_a_machine_has_its_name_and_a_control_plane_the_names_of_the_api_too() -> None:
    fleet = fleet_of(arda=arda(rest="vip: 192.168.1.60\n"))
    leading = machine_facts(NODE, fleet, AROUND)
    worker = machine_facts(Node(name="arda-02", layer="arda", role=Role.WORKER, macs=()), fleet, AROUND)

    assert leading.names == ("arda-01", "arda-01.lab.home.arpa", "api.arda.lab.home.arpa", "192.168.1.60")
    assert worker.names == ("arda-02", "arda-02.lab.home.arpa")


def test_what_is_installed_is_what_was_booted() -> None:
    facts = machine_facts(
        NODE, fleet_of(arda=arda("v1.14.0", ", extensions: [iscsi-tools, util-linux-tools]")), AROUND
    )
    schematic = "613e1592b2da41ae5e265e8789429f22e121aab91cb4deb6bc3c0b6262961245"

    assert facts.installer_image == f"factory.talos.dev/metal-installer/{schematic}:v1.14.0"
    assert facts.disk == DISK


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("", False),
        (", extensions: [zfs]", False),
        (", extensions: [iscsi-tools]", True),
        (", schematic: abc", True),
    ],
)
def test_longhorn_has_a_place_where_it_can_run(part: str, expected: bool) -> None:  # noqa: FBT001 - a table's column
    assert machine_facts(NODE, fleet_of(arda=arda(part=part)), AROUND).longhorn is expected


@pytest.mark.parametrize(
    ("vip", "why"),
    [
        ("10.0.0.9", r"vip 10\.0\.0\.9 is no address of 192\.168\.1\.0/24"),
        ("192.168.1.0", "is no address of"),
        ("192.168.1.255", "is no address of"),
        ("192.168.1.1", "is the router's address"),
        ("192.168.1.2", "is a boot server's address"),
        ("192.168.1.3", "is a boot server's address"),
    ],
)
def test_a_vip_is_a_free_address_of_the_machines_network(vip: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^layers/arda\.yaml: .*{why}.*; choose"):
        machine_facts(NODE, fleet_of(arda=arda(rest=f"vip: {vip}\n")), AROUND)


@pytest.mark.parametrize(
    ("files", "control_planes", "workers"),
    [
        ((), 1, 0),
        (("role: controlplane\n",), 1, 0),
        (("",), 1, 0),
        (("", ""), 1, 1),
        (("", "", ""), 3, 0),
        (("role: controlplane\n", ""), 1, 1),
        (("role: worker\n",), 3, 1),
        (("", "role: worker\n"), 3, 1),
        (("config: configs/one.yaml\n",), 3, 1),
        (("layer: valinor\n", ""), 1, 0),
        (("chain: local\n",), 1, 0),
    ],
)
def test_workers_are_counted_by_the_files(files: tuple[str, ...], control_planes: int, workers: int) -> None:
    both = [
        (name, mac, file if "layer" in file else f"layer: arda\n{file}") for name, mac, file in listed(*files)
    ]
    valinor = {"layers/valinor_yaml": arda(rest="names: v-#\n")}
    fleet = fleet_of(*both, arda=arda(rest=f"controlPlanes: {control_planes}\n"), **valinor)

    assert declared_workers("arda", fleet) == workers
    assert cluster_facts("arda", fleet, BUNDLE).schedules_on_control_planes is (workers == 0)


@given(
    LISTED,
    st.sampled_from(["v1.13.9", "v1.14.0"]),
    st.sampled_from(["", "vip: 192.168.1.60\n"]),
    st.booleans(),
)
def test_no_worker_of_any_fleet_gets_a_secret_of_the_control_plane(
    files: list[str],
    version: str,
    vip: str,
    has_disk: bool,  # noqa: FBT001 - hypothesis gives it by its place
) -> None:
    fleet = fleet_of(*listed(*files), arda=arda(version, rest=f"controlPlanes: 3\n{vip}"))
    texts = {
        role: text(
            fleet,
            Node(
                name="n",
                layer="arda",
                role=role,
                macs=("52:54:00:00:00:01",),
                disk=DISK if has_disk else None,
            ),
        )
        for role in ROLES[LayerKind.TALOS]
    }

    for secret in control_plane_secrets(BUNDLE):
        assert [role for role, made in texts.items() if shows(made, secret)] == [Role.CONTROLPLANE]


@given(LISTED)
def test_a_partial_configuration_tells_nothing_of_the_cluster(files: list[str]) -> None:
    made = dump_documents(
        partial_documents(machine_facts(NODE, fleet_of(*listed(*files), arda=arda()), AROUND))
    )
    for secret in (
        *control_plane_secrets(BUNDLE),
        BUNDLE.os.crt,
        BUNDLE.trustd_token,
        BUNDLE.bootstrap_token,
        BUNDLE.cluster_secret,
    ):
        assert not shows(made, secret)


def text(fleet: Fleet, node: Node) -> str:
    """Return a machine's whole configuration."""
    return dump_documents(
        documents_of(cluster_facts(node.layer, fleet, BUNDLE), machine_facts(node, fleet, AROUND))
    )
