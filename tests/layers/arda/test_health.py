"""What is not as it should be in a cluster's etcd, from what its control planes say."""

from typing import Any

import pytest

from iluvatar_pxe.layers.arda.api.model import EtcdMember
from iluvatar_pxe.layers.arda.health import EtcdHealth, MachineReport, etcd_health
from iluvatar_pxe.layers.etcd.model import Alarm, EtcdAlarm, EtcdStatus
from iluvatar_pxe.values import replace

A, B, C = NAMES = ("arda-01", "arda-02", "arda-03")
MEMBERS = tuple(EtcdMember(number, name, (), (), is_learner=False) for number, name in enumerate(NAMES, 1))


STATUS = EtcdStatus(
    member_id=1,
    leader=1,
    is_learner=False,
    db_size=1,
    db_size_in_use=1,
    raft_index=9,
    raft_applied_index=9,
    raft_term=2,
    version="3.6.5",
    errors=(),
)


def status(number: int, **more: Any) -> EtcdStatus:
    return replace(STATUS, member_id=number, **more)


def healthy() -> dict[str, MachineReport]:
    return {
        one.hostname: MachineReport(stage="running", is_ready=True, etcd=status(one.id), members=MEMBERS)
        for one in MEMBERS
    }


def test_three_members_that_agree_are_well() -> None:
    assert etcd_health(healthy()) == EtcdHealth(MEMBERS, A, ())


def test_without_members_nothing_is_known() -> None:
    off = MachineReport(trouble="it is off")
    assert etcd_health({A: off}).troubles == ("no control plane lists members of etcd",)


@pytest.mark.parametrize(
    ("name", "change", "trouble"),
    [
        (B, {"etcd": status(2, leader=2)}, "its members do not agree on one that leads"),
        (B, {"etcd": None}, "arda-02 has no member, or it does not answer"),
        (B, {"etcd": status(2, raft_index=5009)}, "arda-02 is 5000 entries behind"),
        (C, {"etcd": status(3, errors=("corrupt",))}, "arda-03: corrupt"),
        (A, {"alarms": (EtcdAlarm(2, Alarm.NOSPACE),)}, "arda-02 has alarm NOSPACE"),
        (A, {"alarms": (EtcdAlarm(2, Alarm.NONE),)}, None),
    ],
)
def test_what_is_wrong_is_said_in_words(name: str, change: dict[str, Any], trouble: str | None) -> None:
    reports = healthy()
    reports[name] = replace(reports[name], **change)
    assert (trouble in etcd_health(reports).troubles) if trouble else not etcd_health(reports).troubles


def test_a_learner_one_that_starts_and_an_even_number_are_told() -> None:
    members = (
        *MEMBERS[:2],
        replace(MEMBERS[2], is_learner=True),
        EtcdMember(10, "", (), (), is_learner=True),
    )
    reports = {name: replace(one, members=members) for name, one in healthy().items()}
    assert etcd_health(reports).troubles == (
        "member 000000000000000a has not started",
        "arda-03 does not vote yet",
        "an even number of members survives no more failures than one member less",
    )
