"""Machines are installed again, wiped and removed by a real daemon's own commands and commits; Talos is a stand-in.

The stand-in ends the test if a disk with somebody's data is overwritten.
"""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from support.talos.segment import Segment
from support.waiting import wait_until

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces"),
    pytest.mark.skipif(
        not (shutil.which("etcd") and shutil.which("etcdctl")),
        reason="etcd-server and etcd-client are not installed",
    ),
]
PATIENCE = 240.0
FLEET = DIRECTORY / "fleet"


@pytest.fixture
def segment() -> Iterator[Segment]:
    """Give a daemon and three machines that are off; the first becomes the only control plane."""
    with Namespace() as namespace:
        segment = Segment(namespace, machines=3, daemons=1, planes=1)
        segment.daemons[0].start()
        segment.daemons[0].wait()
        yield segment


def test_machines_are_installed_again(segment: Segment) -> None:
    plane, worker, stranger = segment.macs
    segment.order("data", worker, stranger)
    join_one_by_one(segment, plane, worker)
    a_worker_is_reset(segment, worker)
    a_dead_one_is_wiped_by_one_boot(segment, worker)
    anothers_talos_is_wiped_when_a_person_says_so(segment, stranger)
    assert of(segment, plane)["ready"]


def join_one_by_one(segment: Segment, *macs: str) -> None:
    for mac in macs:
        segment.order("on", mac)
        joins(segment, mac)


def a_worker_is_reset(segment: Segment, worker: str) -> None:
    boots = of(segment, worker)["boots"]
    said = segment.daemons[0].command("machines", "reinstall", "arda-02", "--yes")
    assert "arda-02 is reset now: Talos drains it, leaves etcd and wipes its system disk" in said
    wait_until(lambda: deleted(segment) == ["arda-02"], "its Node to be deleted", PATIENCE)
    wait_until(lambda: of(segment, worker)["boots"] >= boots + 2, "it to be installed", PATIENCE)
    joins(segment, worker)
    assert of(segment, worker)["wiped"] == 0


def a_dead_one_is_wiped_by_one_boot(segment: Segment, worker: str) -> None:
    segment.order("cut", worker)
    wait_until(lambda: of(segment, worker)["stage"] == "OFF", "it to be off")
    said = segment.daemons[0].command("machines", "reinstall", "arda-02", "--yes")
    assert "arda-02 is reinstalled at its next boot, and what is on its disk is erased" in said
    segment.order("on", worker)
    wait_until(lambda: of(segment, worker)["wiped"] == 1, "the boot that wipes", PATIENCE)
    joins(segment, worker)
    segment.order("cut", worker)
    segment.order("on", worker)
    wait_until(lambda: not of(segment, worker)["ready"], "it to start again", PATIENCE)
    joins(segment, worker)
    assert of(segment, worker)["wiped"] == 1


def anothers_talos_is_wiped_when_a_person_says_so(segment: Segment, stranger: str) -> None:
    (pi,) = segment.daemons
    segment.order("stranger", stranger)
    segment.order("on", stranger)
    remedy = "machines reinstall arda-03 --wipe"
    wait_until(lambda: "arda-03" in pi.command("machines", "list"), "it to have its name", PATIENCE)
    wait_until(lambda: remedy in pi.command("machines", "show", "arda-03"), "it to be recognised", PATIENCE)
    assert of(segment, stranger)["hostname"] == "stranger"
    with pytest.raises(LabError, match="Talos of another cluster runs there"):
        pi.command("machines", "reinstall", "arda-03", "--yes")
    pi.command("machines", "reinstall", "arda-03", "--wipe", "--yes")
    segment.order("cut", stranger)
    segment.order("on", stranger)
    wait_until(lambda: of(segment, stranger)["hostname"] == "arda-03", "it to be installed", PATIENCE)
    joins(segment, stranger)
    assert of(segment, stranger)["wiped"] == 1


def test_a_worker_leaves_whose_file_is_removed(segment: Segment) -> None:
    (pi,), (plane, worker, _) = segment.daemons, segment.macs
    join_one_by_one(segment, plane, worker)
    origin = str(pi.state / "git" / "fleet.git")
    in_fleet(segment, "pull", "--rebase", origin, "main")
    in_fleet(segment, "rm", "machines/arda-02.yaml")
    in_fleet(segment, "commit", "--message=It is sold")
    said = pi.command("fleet", "diff", str(FLEET))
    assert "arda-02: no longer listed" in said
    assert "it is drained and switched off, its Node is deleted, and its disk is left alone" in said
    in_fleet(segment, "push", origin, "HEAD:main")
    wait_until(lambda: of(segment, worker)["stage"] == "OFF", "it to be off", PATIENCE)
    wait_until(lambda: logged(segment, "its Node is deleted"), "its Node to be deleted", PATIENCE)
    assert of(segment, plane)["ready"]


def joins(segment: Segment, mac: str) -> None:
    wait_until(lambda: of(segment, mac).get("ready"), f"{mac} to join\n{segment.told()}", PATIENCE)


def of(segment: Segment, mac: str) -> dict[str, Any]:
    assert not segment.stand_ins.has_ended, segment.stand_ins.tail()
    return segment.told().get(mac, {})


def deleted(segment: Segment) -> list[str]:
    return [line["machine"] for line in segment.daemons[0].logged("node.deleted")]


def logged(segment: Segment, step: str) -> bool:
    return any(line.get("step") == step for line in segment.daemons[0].logged("machine.leaves"))


def in_fleet(segment: Segment, *words: str) -> None:
    git = (
        "git",
        "-C",
        str(FLEET),
        "-c",
        "safe.directory=*",
        "-c",
        "user.name=Ada",
        "-c",
        "user.email=a@b.example",
    )
    segment.namespace.run([*git, *words])
