"""How a machine leaves its cluster whose file has left the fleet. Pure: what machines and Kubernetes say is given.

What is next is read from the cluster each time, so any daemon goes on where another stopped, and a machine that is
switched on again later leaves once more. Its disk is never touched.
"""

from enum import StrEnum

from msgspec import Struct

from iluvatar_pxe.fleet.lookup import listed_as
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.arda.founding import Answered, Found
from iluvatar_pxe.layers.leaving import NOT_DUE, Hold, last_copies, was_installed
from iluvatar_pxe.layers.quorum import too_few
from iluvatar_pxe.machines.model import Machine

_LEFT = "Finished"
"""State of Talos' service etcd once it has left; only a start of the machine starts it again."""


class Act(StrEnum):
    """What is done with it."""

    DRAIN = "its pods are moved to other nodes"
    LEAVE_ETCD = "it leaves etcd"
    REMOVE_MEMBER = "it does not answer, so another control plane removes its member of etcd"
    SHUT_DOWN = "it is switched off"
    DELETE_NODE = "its Node is deleted"
    RESTART = "it has left etcd, and is restarted to join it again"


class Leaver(Struct, frozen=True, kw_only=True):
    """One machine, by what is left of it in the cluster."""

    name: str
    runs: bool
    """Its Talos answers, and is of this cluster."""
    is_due: bool = True
    """Its file has been gone for so long that nobody takes it back at once."""
    waits_for: str = ""
    """Another machine, whose turn it is to be changed."""
    is_namesake: bool = False
    """The fleet has another machine by its name."""
    is_lost: bool = False
    """It has been silent for so long that nobody waits for it."""
    is_going_down: bool = False
    is_node: bool = True
    is_drained: bool = False
    member: int | None = None
    """The id of its member of etcd."""
    last_replicas: tuple[str, ...] = ()
    """Volumes of Longhorn with no healthy replica elsewhere."""


class Etcd(Struct, frozen=True):
    """Members by their ids."""

    members: frozenset[int]
    healthy: frozenset[int]
    staying: frozenset[int]
    """Healthy ones of control planes that the fleet lists."""


def own_cluster(machine: Machine, fleet: Fleet) -> str:
    """Return the layer of whose cluster a listed machine is a part; empty where there is none."""
    listed = listed_as(machine, fleet)
    layer = listed.layer if listed and was_installed(machine) else None
    return (layer or "") if fleet.has_cluster(layer) or fleet.has_k3s_cluster(layer) else ""


def next_act(one: Leaver, etcd: Etcd) -> Act | Hold | None:
    """Return what is next; None where nothing of it is left in the cluster."""
    if not one.runs and one.member is None and not one.is_node:
        return None
    if why := _not_yet(one) or _harm(one, etcd):
        return Hold(why)
    if one.runs:
        return _of_running(one)
    return Act.DELETE_NODE if one.member is None else Act.REMOVE_MEMBER


def way_back(name: str, said: Found, *, is_restarting: bool) -> Act | Hold | None:
    """Return what is next for a control plane whose file is back; None where it is a member of etcd."""
    if not isinstance(said, Answered):
        return Hold(said.why)
    if said.is_member(name):
        return None
    if said.etcd == _LEFT and not is_restarting:
        return Act.RESTART
    return Hold("it restarts" if said.etcd == _LEFT else "its etcd joins again")


def _not_yet(one: Leaver) -> str:
    if one.is_namesake:
        return (
            f"machines/{one.name}.yaml lists another machine by now; remove that file until this one has left"
        )
    if not one.is_due:
        return NOT_DUE
    if one.waits_for:
        return f"{one.waits_for} is changed first"
    if one.is_going_down:
        return "it shuts down"
    return "" if one.runs or one.is_lost else "it does not answer; it may be restarting"


def _of_running(one: Leaver) -> Act | Hold:
    if not one.is_drained and (why := last_copies(one.last_replicas)):
        return Hold(why)
    if one.is_node and not one.is_drained:
        return Act.DRAIN
    return Act.SHUT_DOWN if one.member is None else Act.LEAVE_ETCD


def _harm(one: Leaver, etcd: Etcd) -> str:
    """Say what the cluster would lose, and what to do instead; nothing where that is nothing."""
    if not etcd.staying - {one.member}:
        return "no control plane that the fleet lists has a healthy etcd; list one that has, or mend it"
    return "" if one.member is None else too_few(one.member, etcd.members, etcd.healthy)
