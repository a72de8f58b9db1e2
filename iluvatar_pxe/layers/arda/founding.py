"""What is to be done next so that one machine founds a cluster, and no other. Pure: what machines say is given.

A cluster is founded by the one call that starts etcd on its founder. A second one elsewhere would make a second
cluster, so nothing is called before every declared control plane has shown that it has no etcd, and before a commit
names the founder. That the call returns proves nothing: a power cut before etcd's first write loses it. Members that
etcd itself lists prove it.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

from msgspec import Struct

from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.layers.arda.api.model import EtcdMember
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

PREPARING = "Preparing"
"""State of Talos' service etcd while it waits to be founded, or to join."""


class Answered(Struct, frozen=True, kw_only=True):
    """What a control plane says of itself, whose certificate is of the cluster."""

    etcd: str = ""
    """State of Talos' service etcd; empty while there is none."""
    is_settled: bool = True
    """It has been in that state for a while: an etcd that has data is ``Preparing`` too, but only for a moment."""
    members: tuple[EtcdMember, ...] = ()
    """As its own etcd lists them; none where that does not answer."""
    is_installed: bool = True
    is_in_sync: bool = True
    """Its clock is in step with a time server."""
    is_reboot_pending: bool = False
    discovered: frozenset[str] = frozenset()
    """Names of the control planes that Talos' discovery knows."""

    @property
    def has_no_etcd(self) -> bool:
        """Say whether that is shown: one that is not installed runs none."""
        return not self.members and (not self.is_installed or (self.etcd == PREPARING and self.is_settled))

    @property
    def lacking(self) -> str:
        """Why it cannot found a cluster yet, in words; empty where it can."""
        if not self.is_installed:
            return "is not installed yet"
        if self.is_reboot_pending:
            return "is about to restart"
        if not self.is_in_sync:
            return "has a clock that is not in step with a time server"
        if self.etcd != PREPARING:
            return f"has an etcd that is {self.etcd}" if self.etcd else "has not begun to prepare etcd"
        return "" if self.is_settled else "has only begun to prepare etcd"

    def is_member(self, name: str) -> bool:
        """Say whether its own etcd lists it as a member that votes."""
        return any(one.hostname == name and not one.is_learner for one in self.members)


class InMaintenance(Struct, frozen=True):
    """A control plane that waits for its configuration, and may have an etcd on its disk; ``why`` is one line."""

    why: str


Found = Answered | Unproved | InMaintenance | Foreign


def next_step(cluster: ClusterFile | None, found: Mapping[str, Found]) -> Step:
    """Return what is to be done next for a layer's cluster.

    ``cluster`` is its record, None before it has secrets; ``found`` has each control plane that the fleet declares.
    """
    if cluster is None:
        return Wait("it has no secrets yet; they are made when its first machine asks for its configuration")
    if not found:
        return Wait("the fleet declares no control plane yet; switch on a machine that may join")
    answered = {name: one for name, one in found.items() if isinstance(one, Answered)}
    if running := {name: one for name, one in answered.items() if one.members}:
        return _with_etcd(cluster, running)
    return _unclear(found, answered) or _without_etcd(cluster, answered)


def _with_etcd(cluster: ClusterFile, running: Mapping[str, Answered]) -> Step:
    """There is an etcd, so none is founded: that would be a second cluster."""
    if pair := _strangers(running):
        one, other = pair
        return Refuse(
            f"{one} and {other} have an etcd each, without the other in it, so there are two clusters; "
            f"keep one, and reinstall the other: iluvatar-pxe machines reinstall NAME"
        )
    voting = sorted(name for name, one in running.items() if one.is_member(name))
    if not voting:
        return Wait(f"the etcd of {', '.join(sorted(running))} is starting", tuple(sorted(running)))
    told = _membership(running[voting[0]].members)
    if cluster.founder is None:
        return NameFounder(voting[0], f"its etcd runs already: {told}")
    return Founded(told) if cluster.founded else NoteFounded(told)


def _unclear(found: Mapping[str, Found], answered: Mapping[str, Answered]) -> Step | None:
    """Return what has to be cleared up before it is shown that no control plane has an etcd."""
    if foreign := [f"{name}: {one.why}" for name, one in sorted(found.items()) if isinstance(one, Foreign)]:
        return Refuse("; ".join(foreign))
    if silent := {
        name: one for name, one in sorted(found.items()) if isinstance(one, Unproved | InMaintenance)
    }:
        whys = [f"{name}: {one.why}" for name, one in silent.items()]
        missing = [MISSING] if any(isinstance(one, Unproved) for one in silent.values()) else []
        return Wait("; ".join(whys + missing), tuple(silent))
    unlisted = frozenset[str]().union(*(one.discovered for one in answered.values())) - found.keys()
    if unlisted:
        return Wait(
            f"Talos' discovery knows control planes that the fleet does not list: {', '.join(sorted(unlisted))}; "
            "declare them, or wipe them; those that are gone are forgotten after 30 minutes",
            tuple(sorted(unlisted)),
        )
    return _starting({name: one for name, one in answered.items() if not one.has_no_etcd})


def _starting(unshown: Mapping[str, Answered]) -> Step | None:
    """Return the wait for those that may have an etcd which does not answer yet."""
    if not unshown:
        return None
    whys = "; ".join(f"{name} {one.lacking or 'may have an etcd'}" for name, one in sorted(unshown.items()))
    return Wait(whys, tuple(sorted(unshown)))


def _without_etcd(cluster: ClusterFile, answered: Mapping[str, Answered]) -> Step:
    """All have shown that they have no etcd."""
    if cluster.founded:
        return data_is_lost(cluster, "no control plane has an etcd any more")
    if cluster.founder is None:
        return _choice(answered)
    founder = answered.get(cluster.founder)
    if founder is None:
        return FoundAgain(f"{cluster.founder} was to found it, and left the fleet before it had")
    if founder.lacking:
        return Wait(f"{cluster.founder}, which founds it, {founder.lacking}", (cluster.founder,))
    return TellFounder(cluster.founder, "it is ready, and no other control plane has an etcd")


def _choice(answered: Mapping[str, Answered]) -> Step:
    """Choose the first that is ready by name: all daemons choose alike."""
    if ready := sorted(name for name, one in answered.items() if not one.lacking):
        return NameFounder(ready[0], "it is ready, and no other control plane has an etcd")
    whys = "; ".join(f"{name} {one.lacking}" for name, one in sorted(answered.items()))
    return Wait(whys, tuple(sorted(answered)))


def _strangers(running: Mapping[str, Answered]) -> tuple[str, str] | None:
    """Return two control planes whose etcds have no member in common."""
    for (one, first), (other, second) in combinations(sorted(running.items()), 2):
        if not {member.id for member in first.members} & {member.id for member in second.members}:
            return one, other
    return None


def _membership(members: Sequence[EtcdMember]) -> str:
    names = sorted(one.hostname or "one that has not started" for one in members)
    return f"etcd has {len(members)} member{'s' if len(members) > 1 else ''}: {', '.join(names)}"
