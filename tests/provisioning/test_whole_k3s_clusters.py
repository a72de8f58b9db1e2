"""Raspberry Pis that are plugged in become a k3s cluster by a real daemon alone, whatever is killed meanwhile.

k3s and the Pis are stand-ins, with the real etcd, our own program that prepares k3s, and real TLS.
"""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from support.k3s.segment import SERVERS, Segment
from support.two_pis import Pi
from support.waiting import wait_until

from iluvatar_pxe.lab.room.namespace import Namespace

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces"),
    pytest.mark.skipif(shutil.which("etcd") is None, reason="etcd-server is not installed"),
]

PIS = 6
LONGEST_LIFE = 15.0
"""Seconds that a daemon lives at most before it is killed."""
MOMENTS = ("cluster.secrets", "cluster.founder", "k3s.stored", "cluster.founded")
"""Events of a daemon's log with which something begins that must not be done twice."""
PATIENCE = 150.0


@pytest.fixture
def segments() -> Iterator[Callable[..., Segment]]:
    with Namespace() as namespace:
        yield lambda pis=PIS, daemons=1: Segment(namespace, pis, daemons)


def all_join(segment: Segment) -> None:
    def are_ready() -> bool:
        assert not segment.stand_ins.has_ended, segment.stand_ins.tail()
        told = segment.told()
        return len(told) == len(segment.macs) and all(one["ready"] for one in told.values())

    try:
        wait_until(are_ready, "all to join", PATIENCE)
    except AssertionError:
        print(*segment.told().values(), sep="\n")  # noqa: T201
        raise


def is_one_cluster(segment: Segment) -> None:
    """Check that a cluster was initialised once, by what the Pis, the repository and etcd say."""
    told = segment.told()
    servers = {mac: one["name"] for mac, one in told.items() if one["server"]}
    assert len(servers) == SERVERS
    founders = [one["name"] for one in told.values() if one["inits"]]
    assert [one["inits"] for one in told.values() if one["inits"]] == [1]
    wait_until(lambda: "ainur is founded" in subjects(segment), "the cluster to be noted as founded")
    founding = [one for one in subjects(segment) if one.startswith("ainur ")]
    assert founding == ["ainur is founded", f"ainur is founded by {founders[0]}", "ainur has its secrets"]
    assert {tuple(segment.voters(mac)) for mac in servers} == {tuple(sorted(servers.values()))}
    assert segment.git("fsck", "--strict", "--no-dangling") == ""


def subjects(segment: Segment) -> list[str]:
    return segment.git("log", "--format=%s", "main").splitlines()


@pytest.mark.long  # test_k3s_clusters.py has the same without a daemon's process, test_pi_cluster.py without kills
@pytest.mark.parametrize("seed", range(1, 11))
def test_pis_in_random_order_become_one_cluster_however_often_the_daemon_is_killed(
    segments: Callable[..., Segment], seed: int
) -> None:
    segment, moments = segments(), random.Random(seed)
    (pi,) = segment.daemons
    pi.start()
    pi.wait()
    order = moments.sample(segment.macs, len(segment.macs))
    print("plugged in:", *order)  # noqa: T201
    segment.order("on", *order)
    for _ in range(2):
        live(pi, moments)
        kill(pi)
        pi.start()
    pi.wait()
    all_join(segment)
    is_one_cluster(segment)


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
