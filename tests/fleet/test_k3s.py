"""What a layer of kind k3s says of k3s, of its machines' disks, and of who may log in."""

import pytest
from support.fleets import fleet_of

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.k3s import K3s
from iluvatar_pxe.fleet.lookup import root_of
from iluvatar_pxe.fleet.models import K3sLayer
from iluvatar_pxe.fleet.root import RootKind
from iluvatar_pxe.machines.states import Role

MAC = "dc:a6:32:00:00:04"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBo1Xw8eNh7oN5vjQ2Yb8Fq6p0c9u3s7d1k2m4r6t8wZ anna@laptop"
AGE = "age1" + "q" * 58
MEMORY = "root: {kind: memory}\n"
CARD = "root: {disk: {type: mmc}}\n"


def pi(number: int, lines: str = "role: server\n") -> tuple[str, str, str]:
    return f"ainur-{number:02}", f"dc:a6:32:00:00:{number:02x}", f"layer: ainur\n{lines}"


def faults(ainur: str, *machines: tuple[str, str, str], fleet: str = "", **texts: str) -> list[str]:
    try:
        fleet_of(*machines, ainur=ainur, fleet=fleet, **texts)
    except FleetError as error:
        return error.findings
    return []


def layer_of(ainur: str) -> K3sLayer:
    layer = fleet_of(ainur=ainur).k3s("ainur")
    assert layer
    return layer


def test_a_layer_that_says_nothing_has_the_defaults() -> None:
    layer = layer_of("")
    assert layer.k3s == K3s()
    assert layer.k3s.is_chosen
    assert (layer.root.kind, layer.root.disk, layer.root.data) == (RootKind.DISK, None, None)
    assert not layer.users


def test_options_of_a_role_come_before_those_of_all() -> None:
    k3s = layer_of("k3s: {config: {all: {v: 1, debug: true}, server: {v: 2, tls-san: [a]}}}\n").k3s
    assert k3s.options(Role.SERVER) == {"v": 2, "debug": True, "tls-san": ("a",)}
    assert k3s.options(Role.AGENT) == {"v": 1, "debug": True}


@pytest.mark.parametrize(
    ("k3s", "fault"),
    [
        ("version: v1.36.3", "k3s.version: write a version such as v1.36.3+k3s1, or stable"),
        ("disable: [dns]", "k3s.disable.1: "),
        ("oidc: {clientId: a}", "k3s.oidc.issuer: is missing"),
        ("oidc: {issuer: 'http://dex', clientId: a}", "k3s.oidc.issuer: write the issuer's URL"),
        ("labels: {worker: {a: b}}", "a layer of kind k3s has no role worker; it has server and agent"),
        ("labels: {agent: {node-role.kubernetes.io/worker: ''}}", "give the node this label by kubectl or Argo CD"),
        ("labels: {agent: {k8s.io/a: b}}", "a kubelet with k8s.io/a does not start"),
        ("labels: {agent: {a: 1}}", "k3s.labels.agent.a: input should be a valid string; put it in quotes"),
        ("labels: {agent: {a: b c}}", "write up to 63 letters"),
        ("taints: {agent: ['a=b']}", "write a taint such as"),
        ("config: {agents: {a: b}}", "write one of all, server, agent"),
        ("config: {all: {--debug: true}}", "write an option of k3s without '--'"),
        ("config: {all: {v: 1.5}}", "k3s.config.all.v: write a text, a whole number, true or false, or a list of these"),
        ("config: {server: {token: x}}", "the daemon says which cluster a machine joins, and how; remove it"),
        ("config: {server: {cluster-init: true}}", "the daemon says which cluster"),
        ("config: {server: {t: secret}}", "the daemon says which cluster"),
        ("config: {server: {disable+: [traefik]}}", "write it as 'k3s.disable'; remove it"),
        ("config: {all: {node-label: [a=b]}}", "write it as 'k3s.labels'"),
        ("config: {server: {etcd-s3-secret-key: x}}", "its keys are secrets"),
        ("config: {agent: {tls-san: [a]}}", "agent: agents with tls-san do not start; write it below server"),
        ("config: {all: {cluster-cidr+: 10.9.0.0/16}}", "all: agents with cluster-cidr+ do not start"),
        ("etcdOnCard: 'yes'", "k3s.etcdOnCard: "),
    ],
)  # fmt: skip
def test_what_k3s_would_not_start_with_is_refused(k3s: str, fault: str) -> None:
    (line,) = faults(f"k3s:\n  {k3s}\n")
    assert line.startswith("layers/ainur.yaml:3: k3s.")
    assert fault in line


@pytest.mark.parametrize(
    "label", ["example.org/a", "node.kubernetes.io/instance-type", "topology.kubernetes.io/zone", "plain"]
)
def test_labels_that_a_kubelet_may_give_are_taken(label: str) -> None:
    assert faults(f"k3s: {{labels: {{agent: {{{label}: b}}}}}}\n") == []


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ("cluster-cidr: 10.43.0.0/17", "k3s.config.server.service-cidr: overlaps cluster-cidr; change one of them"),
        ("service-cidr: 192.168.0.0/16", "192.168.0.0/16 has 192.168.1.50, the address of ainur-01; "),
        ("service-cidr: 172.16.0.0/12", "172.16.0.0/12 has 172.16.0.9, an ingress address of layers/ainur.yaml; "),
        ("cluster-cidr: 10.0.0.0/10", "10.0.0.0/10 has 10.1.0.1, of 'routerPool' in fleet.yaml; "),
        ("cluster-cidr: 10.42.0.1/16", "k3s.config.server.cluster-cidr: write a network such as 10.42.0.0/16"),
        ("cluster-cidr: true", "write a network"),
    ],
)  # fmt: skip
def test_networks_of_a_cluster_are_its_own(config: str, fault: str) -> None:
    found = faults(
        f"k3s:\n  config:\n    server:\n      {config}\ningress: 172.16.0.9\n",
        pi(1, "address: 192.168.1.50\n"),
        fleet="routerPool: 10.1.0.1-10.1.0.9\n",
    )
    assert any(fault in line for line in found), found
    assert found[0].startswith("layers/ainur.yaml:")


def test_networks_of_both_kinds_are_taken() -> None:
    config = "{cluster-cidr: '10.52.0.0/16,fd00:52::/56', service-cidr: [10.53.0.0/16, fd00:53::/112]}"
    assert faults(f"k3s: {{config: {{server: {config}}}}}\n") == []


@pytest.mark.parametrize(
    ("root", "fault"),
    [
        ("", "root: selects nothing; write keys below it, or remove it"),
        ("{disk: }", "root.disk: selects nothing"),
        ("{data: }", "root.data: selects nothing"),
        ("{data: {longhorn: a}}", "root.data: write one of label and uuid"),
        ("{data: {label: a, uuid: AB12-CD34}}", "root.data: write one of label and uuid"),
        ("{data: {label: a, longhorn: node}}", "root.data: folder node has k3s' data; choose another one for longhorn"),
        ("{data: {label: a, longhorn: ../b}}", "root.data.longhorn: write a folder"),
        ("{kind: memory, disk: {type: nvme}, data: {label: a}}", "a system in memory is installed on no disk; remove"),
        ("{disk: {serial: S1}}", "root.disk.serial: no such key"),
        ("{data: {label: a, disk: {serial: S1}}}", "root.data.disk.serial: no such key"),
        ("{data: {uuid: AB12-CD34, disk: {type: nvme}}}", "root.data: a file system that is made gets a label; write label in place of uuid, or remove disk"),
        ("{data: {label: writable}}", "root.data: images' own partitions have the label writable; choose another one"),
        ("{data: {disk: {type: nvme}}}", "root.data: write one of label and uuid"),
    ],
)  # fmt: skip
def test_a_root_that_means_nothing_is_refused(root: str, fault: str) -> None:
    (line,) = faults(f"root: {root}\n")
    assert line.startswith("layers/ainur.yaml:2: root")
    assert fault in line


def test_a_machine_s_root_stands_for_its_layer_s() -> None:
    own = "root: {kind: disk, disk: {serial: S1}}\n"
    fleet = fleet_of(pi(1, own), pi(2, ""), ainur="root: {kind: memory, data: {label: data}}\n")
    layer = fleet.k3s("ainur")
    assert layer
    one, two = fleet.listed
    assert (root_of(layer, one).kind, root_of(layer, one).data) == (RootKind.DISK, None)
    assert root_of(layer, two) == root_of(layer, None) == layer.root


LOSES = "a server in memory loses the cluster's state at each restart; add 'data', or choose kind disk"
WEARS = "a server's etcd wears out an SD card or eMMC, and is slow on it; choose another disk, or set "
CARD_DATA = "root: {kind: memory, data: {label: data, disk: {type: mmc}}}\n"
OWN = "role: server\nroot: {kind: memory, data: {label: data}}\n"


@pytest.mark.parametrize(
    ("ainur", "machines", "expected"),
    [
        (MEMORY, [], [f"layers/ainur.yaml:2: root: {LOSES}"]),
        (MEMORY, [pi(1)], [f"machines/ainur-01.yaml:3: role: layers/ainur.yaml: root: {LOSES}"]),
        (MEMORY, [pi(1, OWN)], []),
        (f"{MEMORY}servers: 3\n", [pi(1, OWN), pi(2, OWN)], [f"layers/ainur.yaml:2: root: {LOSES}"]),
        (f"{MEMORY}servers: 3\n", [pi(1, OWN), pi(2, OWN), pi(3, OWN)], []),
        ("root: {kind: memory, data: {uuid: AB12-CD34}}\n", [], []),
        ("", [pi(1, f"role: server\n{MEMORY}")], [f"machines/ainur-01.yaml:4: root: {LOSES}"]),
        ("", [pi(1, f"role: agent\n{MEMORY}")], []),
        (CARD, [], [f"layers/ainur.yaml:2: root: {WEARS}'k3s.etcdOnCard: true'"]),
        (f"{CARD}k3s: {{etcdOnCard: true}}\n", [], []),
        ("root: {disk: {type: mmc}, data: {label: data}}\n", [], []),
        (CARD_DATA, [], [f"layers/ainur.yaml:2: root: {WEARS}'k3s.etcdOnCard: true'"]),
        (f"{CARD_DATA}k3s: {{etcdOnCard: true}}\n", [], []),
    ],
)
def test_the_state_of_a_cluster_lasts(
    ainur: str, machines: list[tuple[str, str, str]], expected: list[str]
) -> None:
    assert faults(ainur, *machines) == expected


def test_root_is_for_raspberry_pis_and_disk_is_not() -> None:
    text = "root is only for layers of kind k3s, and arda is of kind talos"
    assert text in faults("", ("arda-01", MAC, "layer: arda\nroot: {kind: memory}\n"))[0]
    text = "disk: is for machines of a layer of kind talos; write it below 'root'"
    assert text in faults("", pi(1, "disk: {serial: S1}\n"))[0]


@pytest.mark.parametrize(
    ("user", "fault"),
    [
        ("{name: anna}", "users.1: can never log in; add 'sshKeys' or 'passwordHash'"),
        (f"{{name: root, sshKeys: [{KEY}]}}", "users.1.name: root does not log in; add another user"),
        (f"{{name: Anna, sshKeys: [{KEY}]}}", "users.1.name: write a user's name"),
        ("{name: anna, sshKeys: [anna@laptop]}", "users.1.sshKeys.1: write a public key in one line"),
        (f"{{name: anna, sshKeys: ['{KEY.replace('-ed25519', '-rsa', 1)}']}}", "users.1.sshKeys.1: is damaged; "),
        (f"{{name: anna, sshKeys: ['{KEY[:20]}']}}", "users.1.sshKeys.1: "),
        ("{name: anna, passwordHash: secrets/none}", "users.1.passwordHash: secrets/none is not a text file in the"),
        ("{name: anna, passwordHash: $6$x$y}", "users.1.passwordHash: write a path inside the fleet"),
    ],
)  # fmt: skip
def test_a_user_who_cannot_log_in_is_refused(user: str, fault: str) -> None:
    (line,) = faults(f"users: [{user}]\n")
    assert line.startswith("layers/ainur.yaml:2: ")
    assert fault in line


def test_a_user_is_there_once() -> None:
    user = f"{{name: anna, sshKeys: ['{KEY}']}}"
    assert "users: anna is there twice; remove one" in faults(f"users: [{user}, {user}]\n")[0]
    assert (
        faults(f"users: [{user}, {{name: bert, passwordHash: secrets/bert}}]\n", **{"secrets/bert": "x"})
        == []
    )


def test_patches_of_a_role_are_files_of_the_fleet() -> None:
    assert (
        "rolePatches: patches/a.yaml is not a file in patches/"
        in faults("rolePatches: {agent: [patches/a.yaml]}\n")[0]
    )
    assert "has no role worker" in faults("rolePatches: {worker: [patches/a.yaml]}\n")[0]


def test_the_version_is_in_one_place() -> None:
    text = "assets.versions.k3s: the version is 'k3s.version' in a layer's file; remove this line"
    assert text in faults("", fleet="assets: {versions: {k3s: v1.37.1+k3s1}}\n")[0]


def test_servicelb_and_a_daemon_are_not_on_one_machine() -> None:
    daemons = {"recipients.yaml": f"daemons: {{ainur-01: {AGE}}}\n"}
    fault = "servicelb would take ports of the daemon on ainur-01; add it to 'k3s.disable'"
    (found,) = faults("k3s: {disable: [traefik]}\n", pi(1), **daemons)
    assert found.endswith(f"k3s: {fault}")
    assert not faults("k3s: {disable: [servicelb]}\n", pi(1), **daemons)
    assert not faults("", pi(2), **daemons)
