"""What is done next with the nodes of a k3s cluster: an upgrade, then renewals of certificates, then restarts. Pure."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from iluvatar_pxe.layers.ainur import renewal
from iluvatar_pxe.layers.ainur.node_tasks import Facts, Kind, Task
from iluvatar_pxe.layers.ainur.reboots import REBOOT, next_reboot
from iluvatar_pxe.layers.ainur.turns import Step, Stop, Tell, TurnNode, Wait
from iluvatar_pxe.layers.ainur.upgrade import Plan, next_upgrade

RENEWAL = "renewal/"
"""What the ids of tasks begin with by which certificates are renewed."""


class Hindrances(Struct, frozen=True, kw_only=True):
    """Why no other node may begin, each in one line; empty where nothing is in the way."""

    busy: str = ""
    """Another machine leaves, joins, or is changed."""
    unwell: str = ""
    """Something would be lost without another node."""

    @property
    def any(self) -> str:
        """The first of them."""
        return self.busy or self.unwell


def unwell(
    nodes: Sequence[TurnNode], members: Collection[str], learners: Collection[str], volumes: Collection[str]
) -> str:
    """Say what a cluster waits for before another of its nodes goes down; empty where that is nothing.

    ``members`` are the nodes of etcd's members, and ``volumes`` those of Longhorn that lack a copy.
    """
    known = {one.name for one in nodes if one.is_ready}
    if away := sorted({one.name for one in nodes} - known):
        return f"{', '.join(away)} is not ready, and nodes go down one at a time; mend it, or remove its file from machines"
    if stray := sorted(set(members) - known):
        return f"etcd has a member of {', '.join(stray)}, which is no ready node; see: iluvatar-pxe cluster status"
    if learners:
        return f"etcd's member of {', '.join(sorted(learners))} does not vote yet"
    if volumes:
        return f"Longhorn's volumes {', '.join(sorted(volumes)[:5])} lack a healthy copy; it is rebuilding them, or needs help"
    return ""


def next_step(
    nodes: tuple[TurnNode, ...],
    plan: Plan | None,
    facts: Mapping[str, Facts],
    hindrances: Hindrances,
    ca_end: datetime,
    now: datetime,
) -> Step | None:
    """Return what is next; None where there is nothing. What was begun is ended first."""
    if any(one.note.startswith(REBOOT) for one in nodes):
        return next_reboot(nodes, hindrances.any)
    if plan and (step := next_upgrade(nodes, plan, hindrances.any)):
        return step
    if step := _renewal(nodes, facts, hindrances.busy, ca_end, now):
        return step
    return next_reboot(nodes, hindrances.any)


def _renewal(
    nodes: tuple[TurnNode, ...], facts: Mapping[str, Facts], busy: str, ca_end: datetime, now: datetime
) -> Step | None:
    step = renewal.next_renewal([_standing(one, facts.get(one.name)) for one in nodes], ca_end, now)
    match step:
        case renewal.Renewed():
            return None
        case renewal.Wait(why, names, is_stuck):
            name = names[0] if names else ""
            return Stop(why, name) if is_stuck else Wait(why, name)
        case renewal.Restart(name, why):
            return Wait(f"{name}: {why}; {busy}", name) if busy else Tell(name, _restart(facts[name], now))


def _restart(facts: Facts, now: datetime) -> Task:
    """Return the task by which certificates are renewed: another one after a day."""
    return Task(f"{RENEWAL}{facts.ends:%Y-%m-%d}/{now:%Y-%m-%d}", Kind.RESTART)


def _standing(node: TurnNode, facts: Facts | None) -> renewal.Standing:
    told = facts.task if facts and facts.task and facts.task.id.startswith(RENEWAL) else None
    return renewal.Standing(
        name=node.name,
        is_server=node.is_server,
        is_ready=node.is_ready,
        end=facts.ends if facts else None,
        restarted=told.at if told else None,
    )


def words(step: Step) -> str:
    """Return a step in words, with the node's name."""
    match step:
        case Wait(why) | Stop(why):
            return why
        case Tell(name, task):
            return f"{name}: {task.kind}, for {task.id}"
    return f"{step.name}: {_DOING[type(step).__name__]}"


_DOING = {"Drain": "its pods are moved to other nodes", "Free": "it may run pods again"}
