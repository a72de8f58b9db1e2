"""How a k3s cluster is brought back that cannot come back by itself. Pure: what servers say is given.

Exactly one server is told to become the only member of etcd, and that is recorded first. The others join it one by one, each
after it has moved its own data aside.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime

from msgspec import Struct

from iluvatar_pxe.fleet.daemon_files import ClusterFile, Recovery
from iluvatar_pxe.layers.ainur.founding import Asks, Found, Serves, Starts
from iluvatar_pxe.layers.ainur.k3s_files import join_text
from iluvatar_pxe.layers.ainur.node_tasks import Facts, Kind, State, Task, Told
from iluvatar_pxe.layers.founding import MISSING, Foreign, Unproved, data_is_lost

_EARLIEST = datetime.min.replace(tzinfo=UTC)


class Nothing(Struct, frozen=True):
    """Nothing is done; ``why`` is one line, and ``is_well`` says that nothing has to be done."""

    why: str
    is_well: bool = False


class NewFounder(Struct, frozen=True):
    """Another server founds the cluster than ``lost``, which never has."""

    lost: str


class Reset(Struct, frozen=True):
    """``server`` becomes the only member of etcd, with its own data; the ``others`` join it."""

    server: str
    others: tuple[str, ...]
    written: datetime | None
    """When its etcd wrote last, by its clock."""


class Restore(Struct, frozen=True):
    """``server`` becomes the only member of etcd, with the snapshot of ``taken``; the ``others`` join it."""

    server: str
    others: tuple[str, ...]
    taken: datetime


class GiveUp(Struct, frozen=True):
    """The recovery that has failed for ``why`` is taken out of the record, so that another one can begin."""

    server: str
    why: str


class TryAgain(Struct, frozen=True):
    """``server`` was reset; what has failed after that for ``why`` is done again."""

    server: str
    why: str


Plan = Nothing | NewFounder | Reset | Restore | GiveUp | TryAgain


def plan_for(
    cluster: ClusterFile | None,
    found: Mapping[str, Found],
    facts: Mapping[str, Facts],
    server: str = "",
    snapshots: Sequence[datetime] = (),
) -> Plan:
    """Return what is to be done for a cluster, whose record, servers and what those told of themselves are given.

    ``server`` is the one to be reset; where it is empty, the one with the newest data is, of those that answer if any
    does: what the others told may be of a time before they were switched off. ``snapshots`` says when those were taken
    that can be restored.
    """
    if cluster is None:
        return Nothing("it has no secrets yet, so there is nothing to recover")
    if in_the_way := _in_the_way(found):
        return in_the_way
    if server and server not in found:
        return Nothing(f"{server}: is no server of this layer; it has {', '.join(sorted(found)) or 'none'}")
    if not cluster.founded:
        return _of_founder(cluster.founder, found, facts)
    data = _with_data(found, facts)
    return _of_data(found, data, server) if data else _of_lost(cluster, found, facts, server, snapshots)


def plan_under_way(recovery: Recovery, act: "Act", servers: AbstractSet[str]) -> Plan:
    """Return what is to be done beside a recovery that is recorded, and for which ``act`` is next."""
    if not isinstance(act, Failed):
        return Nothing(
            f"it is being recovered already, with {recovery.server}; see: iluvatar-pxe cluster status"
        )
    is_reset = recovery.reset is not None and recovery.server in servers
    return TryAgain(recovery.server, act.why) if is_reset else GiveUp(recovery.server, act.why)


def _in_the_way(found: Mapping[str, Found]) -> Nothing | None:
    if serving := sorted(name for name, one in found.items() if isinstance(one, Serves)):
        return Nothing(f"Kubernetes answers on {', '.join(serving)}, so etcd has its quorum", is_well=True)
    if foreign := [f"{name}: {one.why}" for name, one in sorted(found.items()) if isinstance(one, Foreign)]:
        return Nothing("; ".join(foreign))
    return None


def _of_founder(founder: str | None, found: Mapping[str, Found], facts: Mapping[str, Facts]) -> Plan:
    if founder is None or founder not in found:
        return Nothing(
            "it has no founder yet: the first server that asks for its secrets becomes it", is_well=True
        )
    if founder in _with_data(found, facts) or isinstance(found[founder], Starts):
        return Nothing(
            f"{founder} has begun to found it, and goes on by itself; on it run: journalctl -u k3s"
        )
    if isinstance(found[founder], Unproved) and founder not in facts:
        return NewFounder(founder)
    return Nothing(f"{founder} is on its way to found it; look at its screen")


def _of_lost(
    cluster: ClusterFile,
    found: Mapping[str, Found],
    facts: Mapping[str, Facts],
    server: str,
    snapshots: Sequence[datetime],
) -> Plan:
    silent = sorted(name for name, one in found.items() if name not in facts and not isinstance(one, Asks))
    if silent:
        return Nothing(f"no server with data is known; {', '.join(silent)}: {MISSING}")
    if not snapshots:
        return Nothing(data_is_lost(cluster, "no server has data of it, nor has this host a snapshot").why)
    chosen = server or min(found)
    return Restore(chosen, tuple(sorted(found.keys() - {chosen})), max(snapshots))


def _of_data(found: Mapping[str, Found], data: Mapping[str, datetime | None], server: str) -> Plan:
    if server and server not in data:
        return Nothing(
            f"{server}: has no data of the cluster, as far as is known; {', '.join(sorted(data))} have some"
        )
    present = {name for name in data if not isinstance(found[name], Unproved)} or data.keys()
    if not server and len(present) > len(found) // 2:
        names = ", ".join(sorted(present))
        return Nothing(
            f"{names} have their data and are most of its servers, so etcd finds its quorum again by itself; if it does "
            "not, see journalctl -u k3s there, or choose one whose data counts: --server NAME"
        )
    chosen = server or max(sorted(present), key=lambda name: data[name] or _EARLIEST)
    return Reset(chosen, tuple(sorted(found.keys() - {chosen})), data[chosen])


def _with_data(found: Mapping[str, Found], facts: Mapping[str, Facts]) -> dict[str, datetime | None]:
    """Return when the etcd of each server that has data wrote last, None where that is not known.

    One that asks for its secrets says what is on its disk now; what it said before may be of a disk that was lost.
    """
    told = {
        name: facts[name].etcd
        for name, one in found.items()
        if one != Asks() and name in facts and facts[name].etcd
    }
    asking = [name for name, one in found.items() if isinstance(one, Asks) and one.has_data]
    return {**dict.fromkeys(asking), **told}


def mark_of(plan: Plan) -> str:
    """Return what a person agrees to: two plans with the same do the same."""
    match plan:
        case NewFounder(lost):
            return f"found without {lost}"
        case Reset(server):
            return f"reset {server}"
        case Restore(server, _, taken):
            return f"restore {taken:%Y-%m-%dT%H:%M:%SZ} {server}"
        case GiveUp(server, why):
            return f"give up {server}: {why}"
        case TryAgain(server, why):
            return f"try again {server}: {why}"
    return ""


def words_of(plan: Plan) -> tuple[str, ...]:
    """Return a plan in words, a line for each step."""
    match plan:
        case Nothing(why):
            return (why,)
        case NewFounder(lost):
            return (
                f"another server founds the cluster than {lost}, which does not answer; its generation is raised",
                f"if {lost} has founded it nevertheless, there are two: keep {lost} off, and install it again",
            )
        case Reset(server, others, written):
            when = f", which it wrote last at {written:%Y-%m-%d %H:%M:%S} UTC" if written else ""
            return (
                f"{server} becomes the only member of etcd, with its own data{when}; what others wrote later is lost",
                *(f"{name} moves its data of etcd aside, and joins again" for name in others),
            )
        case Restore(server, others, taken):
            of = f"the snapshot of {taken:%Y-%m-%d %H:%M:%S} UTC; what was written later is lost"
            return (
                f"{server} becomes the only member of etcd, with {of}",
                *(f"{name} joins it" for name in others),
            )
        case GiveUp(server, why):
            return (
                f"the recovery with {server} is given up: {why}",
                "no server is told anything; mend that, or choose another server, and run this command again",
            )
        case TryAgain(server, why):
            return (f"{server} is the only member of etcd; what failed on others is tried again: {why}",)


class Waits(Struct, frozen=True):
    """Nothing can be done now; ``why`` is one line, ``names`` are the servers that it is about."""

    why: str
    names: tuple[str, ...] = ()


class Failed(Struct, frozen=True):
    """A server could not do what it was told; a person has to decide."""

    why: str


class Give(Struct, frozen=True):
    """A server is to be given a task."""

    server: str
    task: Task


class NoteReset(Struct, frozen=True):
    """Commit that the server is the only member: it is never told so again."""


class Over(Struct, frozen=True):
    """Commit that nothing is left to do; ``why`` is one line."""

    why: str


Act = Waits | Failed | Give | NoteReset | Over


def next_act(
    recovery: Recovery,
    found: Mapping[str, Found],
    facts: Mapping[str, Facts],
    members: AbstractSet[str],
    api: str,
) -> Act:
    """Return what is next of a recovery.

    ``members`` are the nodes that vote in the etcd of its server, if that serves. ``api`` is the name of the cluster's API.
    """
    if recovery.server not in found:
        return Failed(f"{recovery.server} has left the fleet")
    if recovery.reset is None:
        return _before_reset(recovery, found, facts, members)
    if recovery.server not in members:
        return Waits(f"{recovery.server} is the only member of etcd, and does not answer", (recovery.server,))
    return _after_reset(found, facts, members, forget_task(recovery, api))


def _before_reset(
    recovery: Recovery, found: Mapping[str, Found], facts: Mapping[str, Facts], members: AbstractSet[str]
) -> Act:
    server, task = recovery.server, reset_task(recovery)
    told = _told(server, task, facts)
    state = told.state if told else None
    serves = sorted(name for name, one in found.items() if isinstance(one, Serves))
    # One that was reset may serve a minute before it tells so.
    if server in serves and (members == {server} or state is State.DONE):
        return NoteReset()
    if told is None:
        if serves:
            return Over(f"it came back by itself: Kubernetes answers on {', '.join(serves)}")
        return Give(server, task)
    if state is State.FAILED:
        return Failed(f"{server} was not reset: {told.why}")
    does = (
        "is the only member of etcd now, and starts"
        if state is State.DONE
        else "becomes the only member of etcd"
    )
    return Waits(f"{server} {does}", (server,))


def _after_reset(
    found: Mapping[str, Found], facts: Mapping[str, Facts], members: AbstractSet[str], task: Task
) -> Act:
    pending = sorted(found.keys() - members)
    if not pending:
        return Over(f"it has its members again: {', '.join(sorted(members))}")
    told = {name: _told(name, task, facts) for name in pending}
    if failed := [f"{name}: {one.why}" for name, one in told.items() if one and one.state is State.FAILED]:
        return Failed("; ".join(failed))
    if joining := next((name for name, one in told.items() if one), ""):
        return Waits(f"{joining} joins again", (joining,))
    if waiting := next((name for name in pending if name in facts and facts[name].etcd), ""):
        return Give(waiting, task)
    return Waits(
        f"{', '.join(pending)} {'is' if len(pending) == 1 else 'are'} no member again yet: {MISSING}",
        (*pending,),
    )


def _told(name: str, task: Task, facts: Mapping[str, Facts]) -> Told | None:
    told = facts[name].task if name in facts else None
    return told if told and told.id == task.id else None


def reset_task(recovery: Recovery) -> Task:
    """Return what the server of a recovery does."""
    return Task(f"reset/{recovery.at}", Kind.RESET, {"stamp": _stamp(recovery), "snapshot": None})


def forget_task(recovery: Recovery, api: str) -> Task:
    """Return what every other server does that has data of etcd: without, the founder would found a second cluster."""
    details = {"stamp": _stamp(recovery), "join": join_text(api)}
    return Task(f"forget-etcd/{recovery.at}", Kind.FORGET_ETCD, details)


def _stamp(recovery: Recovery) -> str:
    """Return what names of what is kept end with."""
    return recovery.at.replace("-", "").replace(":", "")
