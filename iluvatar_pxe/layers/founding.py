"""What may be next on the way to a layer's cluster, whichever program founds it, and what is known of its machines. Pure."""

from msgspec import Struct

from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.fleet.source import cluster_file

MISSING = "switch it on, and look at its screen; if it is gone for good, remove its file in machines/"
"""What to do about a machine that is silent."""


class Unproved(Struct, frozen=True):
    """A machine of which nothing is known: it is off, boots, or hangs; ``why`` is one line."""

    why: str


class Foreign(Struct, frozen=True):
    """A machine that shows another cluster's certificate; ``why`` is one line."""

    why: str


class Wait(Struct, frozen=True):
    """Nothing can be done before this has changed, for each that is waited for; ``names`` may be empty."""

    why: str
    names: tuple[str, ...] = ()


class NameFounder(Struct, frozen=True):
    """Commit that this machine founds the cluster."""

    founder: str
    why: str


class TellFounder(Struct, frozen=True):
    """Tell the recorded founder to found the cluster."""

    founder: str
    why: str


class NoteFounded(Struct, frozen=True):
    """Commit that the cluster is founded: what runs proves it."""

    why: str


class FoundAgain(Struct, frozen=True):
    """Commit that another founder is to be named: the recorded one left the fleet before it had founded anything."""

    why: str


class Founded(Struct, frozen=True):
    """Nothing is to be done. Of k3s, ``servers`` are the cluster's members, and ``ready`` all nodes that are ready."""

    why: str
    servers: frozenset[str] = frozenset()
    ready: frozenset[str] = frozenset()


class Refuse(Struct, frozen=True):
    """Nothing is done until a person has decided; ``why`` is one line with the remedy."""

    why: str


Step = Wait | NameFounder | TellFounder | NoteFounded | FoundAgain | Founded | Refuse


def data_is_lost(cluster: ClusterFile, shown: str) -> Refuse:
    """Return what is next for a founded cluster of which no machine has data any more; ``shown`` is what shows it."""
    return Refuse(
        f"it was founded on {cluster.founded}, and {shown}: its data is lost; "
        f"restore a snapshot, or to found it again empty, raise generation in {cluster_file(cluster.layer)}, remove its "
        "lines founder and founded, and push"
    )


def words(step: Step) -> str:
    """Return a step in words."""
    match step:
        case NameFounder(founder, why):
            return f"{founder} is to found it: {why}"
        case TellFounder(founder, _):
            return f"{founder} is told to found it"
        case NoteFounded(why):
            return f"it is founded: {why}"
        case FoundAgain(why):
            return f"another founder is to be named: {why}"
        case Wait(why) | Founded(why) | Refuse(why):
            return why
