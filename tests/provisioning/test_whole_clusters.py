"""Machines that are plugged in become a cluster by real daemons alone, whatever is killed or loses its power meanwhile.

Talos is a stand-in, with the real etcd. Nothing is asked of a daemon but how the cluster is, at the end.
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from support.talos.segment import PLANES, Segment
from support.two_pis import Pi
from support.waiting import wait_until

from iluvatar_pxe.lab.room.namespace import Namespace

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces"),
    pytest.mark.skipif(
        not (shutil.which("etcd") and shutil.which("etcdctl")),
        reason="etcd-server and etcd-client are not installed",
    ),
]

MACHINES = 8
LONGEST_LIFE = 20.0
"""Seconds that a daemon lives at most before it is killed; founding a cluster takes most of it."""
MOMENTS = ("cluster.secrets", "cluster.founder", "cluster.bootstrap", "cluster.founded", "machine.inspected")
"""Events of a daemon's log with which something begins that must not be done twice."""
PATIENCE = 150.0


@pytest.fixture
def segments() -> Iterator[Callable[..., Segment]]:
    with Namespace() as namespace:
        yield lambda daemons, machines=MACHINES: Segment(namespace, machines, daemons)


def plug_in(segment: Segment, seed: int) -> None:
    """Switch the machines on, one right after the other, in an order that is printed if the test fails."""
    order = random.Random(seed).sample(segment.macs, len(segment.macs))
    print("plugged in:", *order)  # noqa: T201
    segment.order("on", *order)


def all_join(segment: Segment) -> None:
    def are_ready() -> bool:
        assert not segment.stand_ins.has_ended, segment.stand_ins.tail()
        told = segment.told()
        return len(told) == len(segment.macs) and all(one["ready"] for one in told.values())

    wait_until(are_ready, f"all machines to join\n{segment.told()}", PATIENCE)


def is_one_cluster(segment: Segment, asked: Pi) -> None:
    """Check that a cluster was founded once, by what the daemon, the machines, the repository and etcd say."""
    cluster = wait_until(lambda: segment.whole_cluster(asked), "the daemon to know that the cluster is whole")
    assert cluster
    names = [one["name"] for one in cluster["machines"]]
    planes = [one["name"] for one in cluster["machines"] if one["role"] == "controlplane"]
    assert len(set(names)) == len(segment.macs)
    assert len(planes) == PLANES
    assert [one["name"] for one in cluster["etcd"]["members"] if one["votes"]] == planes
    assert [one["name"] for one in cluster["nodes"] if one["ready"]] == names
    assert [one["hostname"] for one in segment.told().values() if one["bootstraps"]] == [cluster["founder"]]
    subjects = segment.git("log", "--format=%s", "main").splitlines()
    founding = [one for one in subjects if one.startswith("arda ")]
    assert founding == ["arda is founded", f"arda is founded by {cluster['founder']}", "arda has its secrets"]
    assert segment.git("fsck", "--strict", "--no-dangling") == ""
    assert segment.etcd_members() == {frozenset(planes)}


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_eight_machines_become_a_cluster_and_are_one_again_after_everything_was_off(
    segments: Callable[..., Segment], seed: int
) -> None:
    segment = segments(1)
    (pi,) = segment.daemons
    pi.start()
    pi.wait()
    plug_in(segment, seed)
    all_join(segment)
    is_one_cluster(segment, pi)
    kill(pi)
    segment.order("cut")
    wait_until(lambda: all(one["stage"] == "OFF" for one in segment.told().values()), "all to be off")
    plug_in(segment, seed + 1)
    pi.start()
    pi.wait()
    all_join(segment)
    is_one_cluster(segment, pi)


@pytest.mark.parametrize(
    ("seed", "kills", "machines"),
    [(14, 1, 4), *[pytest.param(seed, 10, MACHINES, marks=pytest.mark.long) for seed in range(2, 12)]],
)
def test_a_cluster_is_founded_once_however_often_the_daemon_is_killed(
    segments: Callable[..., Segment], seed: int, kills: int, machines: int
) -> None:
    segment = segments(1, machines)
    (pi,), moments = segment.daemons, random.Random(seed)
    pi.start()
    pi.wait()
    plug_in(segment, seed)
    for _ in range(kills):
        live(pi, moments)
        kill(pi)
        segment.git("fsck", "--strict", "--no-dangling")
        pi.start()
    pi.wait()
    all_join(segment)
    is_one_cluster(segment, pi)


def live(pi: Pi, moments: random.Random) -> None:
    """Let a daemon live until a random moment: at any time, or just after something has begun."""
    ends = time.monotonic() + moments.uniform(0, LONGEST_LIFE)
    event = moments.choice((None, *MOMENTS))
    while time.monotonic() < ends and not (event and pi.logged(event)):
        time.sleep(0.03)
    time.sleep(moments.uniform(0, 0.1))


def kill(pi: Pi) -> None:
    assert pi.daemon
    assert not pi.daemon.has_ended, pi.daemon.tail()
    pi.daemon.stop(how=signal.SIGKILL)


@pytest.mark.long
@pytest.mark.parametrize("moment", ["boot.maintenance", *MOMENTS])
def test_of_two_daemons_one_is_lost_for_good_in_the_middle_and_the_other_finishes(
    segments: Callable[..., Segment], moment: str
) -> None:
    segment = segments(2)
    for pi in segment.daemons:
        pi.start()
    for pi in segment.daemons:
        pi.wait()
    let_in_by_both(segment)
    plug_in(segment, 1)
    wait_until(lambda: nobody_fetches(segment), "all machines to have their first configuration", PATIENCE)
    left, lost = sorted(segment.daemons, key=lambda pi: len(pi.logged("boot.maintenance")))
    wait_until(lambda: any(pi.logged(moment) for pi in segment.daemons), moment, PATIENCE)
    kill(lost)
    all_join(segment)
    is_one_cluster(segment, left)


def let_in_by_both(segment: Segment) -> None:
    """Open the window on both: by itself it opens on the first daemon only, and the other lets in workers."""
    segment.daemons[0].command("enrol", "open", "30m")
    wait_until(lambda: all(pi.logged("enrolment.set") for pi in segment.daemons), "both to follow", PATIENCE)


def nobody_fetches(segment: Segment) -> bool:
    """Say whether no machine is at its first fetch: Talos repeats that for ever, whoever else serves the network."""
    told = segment.told().values()
    return len(told) == len(segment.macs) and all(
        one["hostname"] or one["stage"] == "MAINTENANCE" for one in told
    )


@pytest.mark.long
def test_a_founder_without_power_between_the_answer_and_etcds_first_write_is_asked_again(
    segments: Callable[..., Segment],
) -> None:
    segment = segments(1)
    (pi,) = segment.daemons
    pi.start()
    pi.wait()
    segment.order("hold")
    plug_in(segment, 1)
    told = segment.told
    founder = wait_until(
        lambda: [mac for mac, one in told().items() if one["bootstraps"]], "a founder to answer", PATIENCE
    )
    segment.order("cut", *founder)
    wait_until(lambda: told()[founder[0]]["stage"] == "OFF", "the founder to be off")
    assert "arda is founded\n" not in segment.git("log", "--format=%s", "main")
    segment.order("release")
    segment.order("on", *founder)
    all_join(segment)
    is_one_cluster(segment, pi)
