"""From the fleet's files to a cluster and its machines."""

import pytest
from support.ainur import MAC, bundle_of
from support.fleets import fleet_of

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.root import RootKind
from iluvatar_pxe.fleet.sealed import ARMOR
from iluvatar_pxe.layers.ainur.from_fleet import cluster_of, node_of
from iluvatar_pxe.layers.ainur.node import K3sCluster, K3sNode
from iluvatar_pxe.machines.states import Role

USERS = "users: [{name: anna, passwordHash: secrets/anna}, {name: bert, passwordHash: secrets/bert}]\n"
HASH = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"
SEALED = f"{ARMOR}\nx\n"


def cluster(fleet: Fleet) -> K3sCluster:
    return cluster_of("ainur", fleet, bundle_of())


def node(fleet: Fleet, name: str = "ainur-01") -> K3sNode:
    return node_of(name, "ainur", Role.SERVER, (MAC,), fleet, instance_id="1")


def test_a_cluster_has_what_its_layer_says() -> None:
    texts = {"secrets/anna": f"{HASH}\n", "secrets/bert": HASH}
    found = cluster(
        fleet_of(ainur=f"{USERS}k3s: {{version: v1.37.1+k3s1}}\n", fleet="domain: a.lan\n", **texts)
    )
    assert (found.api, found.k3s.version) == ("api.ainur.a.lan", "v1.37.1+k3s1")
    assert found.passwords == {"anna": HASH, "bert": HASH}
    assert HASH not in repr(found)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (SEALED, "secrets/anna: is sealed, but not to this host's key; run: "),
        ("secret\n", "secrets/anna: holds no hash of a password; write what mkpasswd -m yescrypt prints"),
        ("$6$a$b:0\n", "secrets/anna: holds no hash"),
    ],
)
def test_a_password_that_cannot_be_set_is_named(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        cluster(fleet_of(ainur=USERS, **{"secrets/anna": text, "secrets/bert": HASH}))
    assert str(caught.value).startswith(why)
    assert "secret\n" not in str(caught.value)


def test_there_is_none_before_it_is_known_what_it_runs() -> None:
    with pytest.raises(
        ConfigurationError, match=r"which version of k3s is 'stable' for layers/ainur\.yaml is not known"
    ):
        cluster(fleet_of(ainur="k3s: {version: stable}\n"))
    with pytest.raises(
        ConfigurationError, match=r"layers/ainur\.yaml: there is no layer of kind k3s; create it"
    ):
        cluster(fleet_of())
    with pytest.raises(ConfigurationError, match="there is no layer of kind k3s"):
        node(fleet_of())


def test_a_listed_machine_has_its_own_root_and_patches() -> None:
    own = "layer: ainur\nroot: {kind: memory, data: {label: data}}\npatches: [patches/one.yaml]\n"
    fleet = fleet_of(
        ("ainur-01", MAC, own),
        ainur="patches: [patches/a.yaml]\n",
        **{"patches/one.yaml": "", "patches/a.yaml": ""},
    )
    listed, other = node(fleet), node(fleet, "ainur-02")
    assert listed.root.data
    assert (listed.root.kind, listed.root.data.source) == (RootKind.MEMORY, "LABEL=data")
    assert [one.path for one in listed.fragments] == ["patches/a.yaml", "patches/one.yaml"]
    assert (other.root.kind, other.root.data) == (RootKind.DISK, None)
    assert [one.path for one in other.fragments] == ["patches/a.yaml"]
