"""What is to be done next so that one server founds a k3s cluster, and no other. Pure: what servers say is given.

k3s has no call that founds a cluster: a server does so by itself when its configuration says ``cluster-init``. So a
commit names the one server that is ever told this, and once the cluster is proved to run, that server is told to join
like the others: its disk may be lost, and it would found a second cluster.
"""

from collections.abc import Mapping
from itertools import combinations

from msgspec import Struct

from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.layers.founding import (
    MISSING,
    Foreign,
    FoundAgain,
    Founded,
    NameFounder,
    NoteFounded,
    Refuse,
    Step,
    TellFounder,
    Unproved,
    Wait,
    data_is_lost,
)

_ASKS = "it asks for its secrets, and no server runs"
_LOST = "each of its servers asks for its secrets again"


class Serves(Struct, frozen=True):
    """A server that runs, whose certificate is of the cluster, and whose Kubernetes answers.

    ``cluster`` is the UID of its namespace ``kube-system``: two clusters have two. ``servers`` are the names of the
    servers that are its members, and ``ready`` those of all nodes that are ready.
    """

    cluster: str
    servers: frozenset[str]
    ready: frozenset[str] = frozenset()


class Asks(Struct, frozen=True):
    """A server that asks for its secrets here, so no k3s runs on it. ``has_data``: its disk has the data of an etcd."""

    has_data: bool = False


class Starts(Struct, frozen=True):
    """A server whose certificate is of the cluster, and whose Kubernetes is not ready yet; ``why`` is one line."""

    why: str


Found = Serves | Asks | Starts | Unproved | Foreign


def next_step(cluster: ClusterFile | None, found: Mapping[str, Found]) -> Step:
    """Return what is to be done next for a layer's cluster.

    ``cluster`` is its record, None before it has secrets; ``found`` has each server that the fleet declares.
    """
    if cluster is None:
        return Wait("it has no secrets yet; they are made when its first machine asks for them")
    if not found:
        return Wait("the fleet declares no server yet; switch on a Raspberry Pi that may join")
    if serving := {name: one for name, one in found.items() if isinstance(one, Serves)}:
        return _with_cluster(cluster, serving)
    if foreign := [f"{name}: {one.why}" for name, one in sorted(found.items()) if isinstance(one, Foreign)]:
        return Refuse("; ".join(foreign))
    if starting := {name: one.why for name, one in sorted(found.items()) if isinstance(one, Starts)}:
        return Wait("; ".join(f"{name}: {why}" for name, why in starting.items()), tuple(starting))
    return _without_cluster(cluster, found)


def _with_cluster(cluster: ClusterFile, serving: Mapping[str, Serves]) -> Step:
    """There is a cluster, so none is founded: that would be a second one."""
    for (one, first), (other, second) in combinations(sorted(serving.items()), 2):
        if first.cluster != second.cluster:
            return Refuse(
                f"{one} and {other} run a cluster each, so there are two; keep one, and reinstall the other: "
                "iluvatar-pxe machines reinstall NAME"
            )
    servers = frozenset[str]().union(*(one.servers for one in serving.values()))
    ready = frozenset[str]().union(*(one.ready for one in serving.values()))
    told = f"it has {len(servers)} server{'s' if len(servers) > 1 else ''}: {', '.join(sorted(servers))}"
    if cluster.founder is None:
        return NameFounder(min(serving), f"its cluster runs already: {told}")
    return Founded(told, servers, ready) if cluster.founded else NoteFounded(told)


def _without_cluster(cluster: ClusterFile, found: Mapping[str, Found]) -> Step:
    """No server runs, as far as is known here: each asks for its secrets, or nothing is known of it."""
    asking = sorted(name for name, one in found.items() if isinstance(one, Asks))
    with_data = {name: one for name, one in found.items() if isinstance(one, Asks) and one.has_data}
    founder = cluster.founder
    if cluster.founded:
        return _wait_for(found) if len(asking) < len(found) or with_data else data_is_lost(cluster, _LOST)
    if founder is None:
        return NameFounder(min(with_data or asking), _ASKS) if asking else _wait_for(found)
    if founder not in found:
        return FoundAgain(f"{founder} was to found it, and left the fleet before it had")
    if others := {name: one for name, one in with_data.items() if name != founder}:
        return _wait_for(others)
    return TellFounder(founder, _ASKS) if founder in asking else _wait_for({founder: found[founder]})


def _wait_for(found: Mapping[str, Found]) -> Wait:
    """Wait for those of which nothing is known, and for those that start with their data."""
    silent = {name: one.why for name, one in sorted(found.items()) if isinstance(one, Unproved)}
    starting = [name for name, one in sorted(found.items()) if isinstance(one, Asks) and one.has_data]
    whys = [f"{name}: {why}" for name, why in silent.items()]
    whys += [f"{name} has the data of an etcd, and starts with it" for name in starting]
    return Wait("; ".join([*whys, *([MISSING] if silent else [])]), (*silent, *starting))
