"""Two daemons, one repository: every name and role is one commit's, whoever is killed, and whoever wins the race."""

import os
import random
import re
import signal
import time
from collections.abc import Iterator

import pytest
from support.fleets import CONFIGURED
from support.switched_on import plug_in, switch_on, told_by
from support.two_pis import HOME, OTHER, Pi, TwoPis, two_pis
from support.waiting import wait_until

from iluvatar_pxe.fleet.parse import parse_fleet

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

MACHINES = 40
LEADERS = 3
LONGEST_LIFE = 5.0
"""Seconds that a daemon lives at most before it is killed: as long as it takes many machines to enrol."""
MACS = [f"52:54:00:77:02:{number:02x}" for number in range(MACHINES)]
FILES = {
    "fleet.yaml": "enrolment: {mode: join, countdown: 3}\nmaxAttempts: 1000\nrules: [{match: {product: Sim}, layer: arda}]\n",
    "layers/arda.yaml": f"{CONFIGURED}controlPlanes: {LEADERS}\n",
    "configs/controlplane.yaml": "controlplane",
    "configs/worker.yaml": "worker",
}


@pytest.fixture
def pis() -> Iterator[TwoPis]:
    with two_pis(FILES) as built:
        plug_in(built.namespace, MACS)
        yield built


def committed(pi: Pi) -> dict[str, tuple[str, str | None]]:
    """Return by MAC the name and the role of every machine in the branch."""
    paths = [
        path for path in pi.git("ls-tree", "-r", "--name-only", "main").split() if "/." not in f"/{path}"
    ]
    fleet = parse_fleet({path: pi.git("show", f"main:{path}") for path in paths})
    return {mac: (one.name, one.file.role) for one in fleet.listed for mac in one.file.match.macs}


@pytest.mark.parametrize(("kills", "count"), [(2, 16), pytest.param(100, MACHINES, marks=pytest.mark.long)])
def test_nothing_is_given_twice_or_lost(pis: TwoPis, kills: int, count: int) -> None:
    moments = random.Random(kills)
    half = count // 2
    machines = [
        switch_on(pis.namespace, HOME, 0, MACS[:half]),
        switch_on(pis.namespace, OTHER, half, MACS[half:count]),
    ]
    for number in range(kills):
        killed = (pis.home, pis.other)[number % 2]
        time.sleep(moments.uniform(0, LONGEST_LIFE))
        assert killed.daemon
        killed.daemon.stop(how=signal.SIGKILL)
        pis.home.git("fsck", "--strict", "--no-dangling")
        killed.start()
    pis.home.wait()
    pis.other.wait()
    wait_until(lambda: len(told_by(*machines)) == count, "all machines to boot", 200)
    told = told_by(*machines)
    assert all(len(each) == 1 for each in told.values()), "a machine keeps its name and its role"
    pairs = {mac: next(iter(each)) for mac, each in told.items()}
    assert committed(pis.home) == pairs, "what machines were told is what the branch says"
    assert len({name for name, _ in pairs.values()}) == count, "no name is given twice"
    assert [role for _, role in pairs.values()].count("controlplane") == LEADERS
    assert pis.home.git("fsck", "--strict", "--no-dangling") == ""
    given = pis.home.rows("SELECT name, role FROM assignments") + pis.other.rows(
        "SELECT name, role FROM assignments"
    )
    assert set(given) == set(pairs.values()), "both inventories agree with it"


def test_few_commits_nothing_without_the_home_and_all_again_from_the_repository(pis: TwoPis) -> None:
    first = many_join_by_few_commits(pis)
    known, new = without_the_home_nothing_new_is_decided(pis)
    the_repository_alone_gives_everything_again(pis, {**first, **known, **new})


def test_the_enrolment_window_is_the_fleet_s(pis: TwoPis) -> None:
    """Each daemon opens and closes it for both."""
    pis.other.command("enrol", "open", "30m")
    opened = wait_until(lambda: status_of(pis.home, "open for 29"), "the other daemon to open it, too")
    assert re.search(r"open for 29 min( \d+ s)? more, by \S+ on \S+ at 20\d\d-", opened), opened
    assert opened.partition(", by ")[2] == status_of(pis.other, "open for 29").partition(", by ")[2]
    subject, who = pis.home.git("log", "-1", "--format=%s%n%b", "main").split("\n")[:2]
    assert subject.startswith("The enrolment window is open until 20"), subject
    assert who.startswith("By "), who
    pis.home.command("enrol", "close")
    wait_until(lambda: status_of(pis.other, "is closed"), "the other daemon to close it, too")
    assert pis.other.daemon
    pis.other.daemon.stop()
    pis.home.command("enrol", "open", "1h")
    pis.other.start()
    pis.other.wait()
    wait_until(lambda: status_of(pis.other, "open for "), "a daemon that starts to know it")


def status_of(pi: Pi, words: str) -> str:
    """Return the line of the window if it has these words, else nothing."""
    line = pi.command("enrol", "status").partition("\n")[0]
    return line if words in line else ""


def many_join_by_few_commits(pis: TwoPis) -> dict[str, set[tuple[str, str]]]:
    before = int(pis.home.git("rev-list", "--count", "main"))
    machines = switch_on(pis.namespace, HOME, 0, MACS[:10])
    wait_until(lambda: len(told_by(machines)) == 10, "all machines to boot", 60)
    assert int(pis.home.git("rev-list", "--count", "main")) - before <= 3
    names = {name for each in told_by(machines).values() for name, _ in each}
    wait_until(lambda: names <= follower_knows(pis.other), "the other daemon to follow")
    machines.stop()
    return told_by(machines)


def follower_knows(pi: Pi) -> set[str]:
    repository = ["git", "-c", "safe.directory=*", "-C", str(pi.state / "followed.git")]
    tree = pi.namespace.run(
        [*repository, "ls-tree", "-r", "--name-only", "refs/iluvatar/in-force", "machines/"]
    )
    return {path.removeprefix("machines/").removesuffix(".yaml") for path in tree.split()}


def without_the_home_nothing_new_is_decided(
    pis: TwoPis,
) -> tuple[dict[str, set[tuple[str, str]]], dict[str, set[tuple[str, str]]]]:
    """What is committed is served all the while; who is new waits, and joins when the home is back."""
    known = switch_on(pis.namespace, OTHER, 10, MACS[10:11])
    wait_until(lambda: told_by(known), "the machine to boot", 60)
    assert pis.home.daemon
    pis.home.daemon.stop(how=signal.SIGKILL)
    wait_until(lambda: pis.other.logged("fleet.problem"), "the daemon to notice")
    new = switch_on(pis.namespace, OTHER, 11, MACS[11:12])
    served = len(known.output.splitlines())
    wait_until(lambda: len(known.output.splitlines()) > served + 1, "the known machine to boot again", 60)
    assert told_by(new) == {}
    pis.home.start()
    pis.home.wait()
    wait_until(lambda: told_by(new), "the new machine to join", 60)
    known.stop()
    new.stop()
    return told_by(known), told_by(new)


def the_repository_alone_gives_everything_again(pis: TwoPis, before: dict[str, set[tuple[str, str]]]) -> None:
    """The database is lost: names and roles are what they were."""
    assert pis.home.daemon
    pis.home.daemon.stop(how=signal.SIGKILL)
    for file in pis.home.outside(pis.home.state).glob("inventory.db*"):
        file.unlink()
    pis.home.start()
    pis.home.wait()
    again = switch_on(pis.namespace, HOME, 0, MACS[:12])
    wait_until(lambda: len(told_by(again)) == 12, "all machines to boot again", 60)
    assert told_by(again) == before
    given = pis.home.rows("SELECT name, role FROM assignments WHERE machine_id IS NOT NULL")
    assert set(given) == {pair for each in before.values() for pair in each}
