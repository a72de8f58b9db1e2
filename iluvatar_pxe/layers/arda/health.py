"""How well a cluster is, from what its machines say. Pure."""

from collections.abc import Mapping

from msgspec import Struct, field

from iluvatar_pxe.layers.arda.api.model import EtcdMember, NodeStatus
from iluvatar_pxe.layers.etcd.model import Alarm, EtcdAlarm, EtcdStatus

_LAG = 1000
"""Entries of etcd's log that a member may be behind, while much is written."""
_EVEN = "an even number of members survives no more failures than one member less"


class MachineReport(Struct, frozen=True, kw_only=True):
    """What one machine says of itself; ``trouble`` is why it says nothing, in one line, or empty."""

    trouble: str = ""
    is_another: bool = False
    """That is because another machine answers at its address."""
    hostname: str = ""
    """What it calls itself, which is its former name until it is installed again."""
    stage: str = ""
    is_ready: bool = False
    unmet: tuple[str, ...] = ()
    """Why it is not ready."""
    version: str = ""
    """Of Talos."""
    kubernetes: str = ""
    """The version of its kubelet; empty before it runs one."""
    disk: str = ""
    """The path of its system disk."""
    nodes: tuple[NodeStatus, ...] = ()
    etcd: EtcdStatus | None = None
    members: tuple[EtcdMember, ...] = ()
    alarms: tuple[EtcdAlarm, ...] = ()


class EtcdHealth(Struct, frozen=True):
    """The members of a cluster's etcd, and everything that is not as it should be, one line each."""

    members: tuple[EtcdMember, ...] = ()
    leader: str = ""
    """Name of the member that leads; empty where they do not agree."""
    troubles: tuple[str, ...] = field(default_factory=tuple)

    @property
    def ailing(self) -> tuple[str, ...]:
        """What keeps a member from being restarted: not that there is an even number of them."""
        return tuple(one for one in self.troubles if one != _EVEN)


def etcd_health(reports: Mapping[str, MachineReport]) -> EtcdHealth:
    """Return it from the control planes' reports by their names."""
    listed = [one.members for one in reports.values() if one.members]
    if not listed:
        return EtcdHealth(troubles=("no control plane lists members of etcd",))
    members = max(listed, key=len)
    names = {one.id: one.hostname for one in members}
    told = {name: one.etcd for name, one in reports.items() if one.etcd}
    leading = {one.leader for one in told.values()}
    leader = names.get(next(iter(leading)), "") if len(leading) == 1 else ""
    troubles = (
        *_of_members(members),
        *([] if leader else ["its members do not agree on one that leads"]),
        *(f"{name} has no member, or it does not answer" for name in sorted(reports.keys() - told.keys())),
        *_of_statuses(told),
        *_of_alarms(reports, names),
    )
    return EtcdHealth(tuple(sorted(members, key=lambda one: one.hostname)), leader, troubles)


def healthy_members(reports: Mapping[str, MachineReport]) -> dict[str, int]:
    """Return by name the ids of members that answer, vote, and have no errors."""
    return {
        name: one.etcd.member_id
        for name, one in reports.items()
        if one.etcd and one.etcd.leader and not one.etcd.is_learner and not one.etcd.errors
    }


def _of_members(members: tuple[EtcdMember, ...]) -> list[str]:
    starting = [f"member {one.id:016x} has not started" for one in members if not one.hostname]
    learning = [f"{one.hostname} does not vote yet" for one in members if one.hostname and one.is_learner]
    return starting + learning + [_EVEN] * (len(members) % 2 == 0)


def _of_statuses(told: Mapping[str, EtcdStatus]) -> list[str]:
    newest = max((one.raft_index for one in told.values()), default=0)
    behind = [
        f"{name} is {newest - one.raft_applied_index} entries behind"
        for name, one in told.items()
        if newest - one.raft_applied_index > _LAG
    ]
    return behind + [f"{name}: {error}" for name, one in told.items() for error in one.errors]


def _of_alarms(reports: Mapping[str, MachineReport], names: Mapping[int, str]) -> list[str]:
    raised = {
        (names.get(one.member_id, f"member {one.member_id:016x}"), one.alarm.name)
        for report in reports.values()
        for one in report.alarms
        if one.alarm is not Alarm.NONE
    }
    return [f"{name} has alarm {alarm}" for name, alarm in sorted(raised)]
