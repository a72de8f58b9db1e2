"""What nodes have in common becomes the layer's; each other option is told."""

from iluvatar_pxe.fleet.k3s import K3s
from iluvatar_pxe.layers.ainur.adoption.observed import ObservedNode, Options
from iluvatar_pxe.layers.ainur.adoption.options import translated

NO_OPTIONS: Options = {}


def node(
    name: str,
    options: Options | None = NO_OPTIONS,
    *,
    leads: bool = True,
    labels: frozenset[str] = frozenset(),
    taints: frozenset[str] = frozenset(),
    environment: frozenset[str] = frozenset(),
) -> ObservedNode:
    return ObservedNode(
        name=name,
        leads=leads,
        has_etcd=leads,
        address=None,
        version="v1.36.3+k3s1",
        created="",
        options=options,
        labels=labels,
        taints=taints,
        environment=environment,
    )


def test_what_all_of_a_role_have_is_the_layers() -> None:
    server: Options = {
        "cluster-init": ("true",),
        "token-file": ("/etc/token",),
        "disable": ("traefik,servicelb",),
        "cluster-cidr": ("10.52.0.0/16",),
        "secrets-encryption": ("true",),
        "kubelet-arg": ("max-pods=50", "v=2"),
        "node-label": ("lab/disk=ssd",),
        "node-taint": ("lab/only:NoSchedule",),
    }
    agent: Options = {
        "server": ("https://10.0.0.1:6443",),
        "node-label": ("lab/pi=4",),
        "resolv-conf": ("/etc/r",),
    }
    nodes = [
        node("a", server, labels=frozenset({"lab/disk=ssd"}), taints=frozenset({"lab/only=:NoSchedule"})),
        node("b", server),
        node("c", agent, leads=False, environment=frozenset({"K3S_URL", "K3S_TOKEN"})),
    ]
    found = translated(nodes)
    assert found.left_out == ()
    assert found.k3s == {
        "disable": ["traefik", "servicelb"],
        "labels": {"server": {"lab/disk": "ssd"}, "agent": {"lab/pi": "4"}},
        "taints": {"server": ["lab/only:NoSchedule"]},
        "config": {
            "server": {
                "cluster-cidr": "10.52.0.0/16",
                "kubelet-arg": ["max-pods=50", "v=2"],
                "secrets-encryption": True,
            },
            "agent": {"resolv-conf": "/etc/r"},
        },
    }
    K3s.model_validate(found.k3s)


def test_what_one_has_is_told() -> None:
    nodes = [
        node(
            "a", {"disable": ("traefik",), "node-ip": ("10.0.0.1",), "debug": ("true",), "etcd-s3": ("true",)}
        ),
        node(
            "b",
            {"disable": ("traefik", "unheard"), "node-label": ("lab/x=1",)},
            labels=frozenset({"by=hand"}),
        ),
        node("c", None, leads=False, environment=frozenset({"K3S_DEBUG"})),
    ]
    found = translated(nodes)
    assert found.k3s == {"disable": ["traefik"]}
    assert found.left_out == (
        "a: --node-ip=10.0.0.1 is not taken: it is of this node only",
        "a: --debug=true is not taken: not every server has it",
        "a: --etcd-s3 is not taken: set 'backup' of the fleet, or keep it on the node",
        "b: --disable=unheard is not taken: not every server has it",
        "b: --node-label=lab/x=1 is not taken: not every server has it",
        "b: label by=hand was set by hand, and is lost when the node is installed again",
        "c: K3S_DEBUG of its environment is not taken",
    )


def test_a_component_that_no_layer_can_name_is_told() -> None:
    found = translated([node("a", {"disable": ("unheard",)})])
    assert (found.k3s, found.left_out) == (
        {},
        ("disable: unheard is no component that a layer's file can name",),
    )
