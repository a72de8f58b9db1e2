"""How a machine of a cluster is installed anew, and when it is left alone."""

import pytest

from iluvatar_pxe.layers.arda.absence import Absence
from iluvatar_pxe.layers.arda.reinstall import Answer, NextBoot, Refused, Reset, Step, Target, next_step
from iluvatar_pxe.values import replace

WORKER = Target(name="w1", answer=Answer.RUNS)
LEAVES = Reset(graceful=True, forfeits=True)
RESET, RESTARTS = Absence("is being reset", is_lasting=True), Absence("is being changed")


def plane(healthy: str, members: str = "abc", *, forced: bool = False) -> Target:
    """Return control plane a of members, of whom some are healthy."""
    return Target(
        name="a", answer=Answer.RUNS, is_control_plane=True, members=frozenset(members), healthy=frozenset(healthy), is_forced=forced
    )  # fmt: skip


@pytest.mark.parametrize(
    ("target", "step"),
    [
        (WORKER, Reset(graceful=True)),
        (replace(WORKER, answer=Answer.SILENT), NextBoot(wipes=True)),
        (replace(WORKER, answer=Answer.SILENT, is_on_disk=False), NextBoot(wipes=False)),
        (replace(WORKER, answer=Answer.MAINTENANCE), NextBoot(wipes=False)),
        (replace(WORKER, answer=Answer.MAINTENANCE, wipes=True), NextBoot(wipes=True)),
        (replace(WORKER, answer=Answer.FOREIGN, wipes=True), NextBoot(wipes=True)),
        (plane("abc"), LEAVES),
        (replace(plane("bc"), answer=Answer.SILENT), NextBoot(wipes=True)),  # a dead one of three
        (plane("bc", "bc"), Reset(graceful=True)),  # which is no member
        (plane("abcde", "abcde"), LEAVES),
        (plane("abcd", "abcde"), LEAVES),
        (replace(plane("", ""), is_founded=False), Reset(graceful=True)),
        (plane("a", "a", forced=True), Reset(graceful=False, ends_cluster=True)),
        (replace(plane("", "", forced=True), answer=Answer.SILENT), NextBoot(wipes=True, ends_cluster=True)),
        (plane("ab", forced=True), LEAVES),
        (plane("a", forced=True), Reset(graceful=False, ends_cluster=True)),  # etcd cannot agree on anything
        (replace(plane("abcde", "abcde"), away={"b": RESET}), LEAVES),
        (
            replace(plane("abc", forced=True), away={"b": RESET, "c": RESET}),
            Reset(graceful=False, ends_cluster=True),
        ),
        (replace(plane("abc", forced=True), away={"b": RESET, "c": RESTARTS}), Reset(graceful=False)),
        (replace(WORKER, away={"b": RESET}), Reset(graceful=True)),
        (replace(WORKER, last_replicas=("v",), is_forced=True), Reset(graceful=True)),
        (replace(WORKER, last_replicas=None, is_founded=False), Reset(graceful=True)),
        (replace(WORKER, last_replicas=None, answer=Answer.MAINTENANCE), NextBoot(wipes=False)),
    ],
)
def test_it_is_done(target: Target, step: Step) -> None:
    assert next_step(target) == step


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (plane("a", "a"), "it is the last healthy control plane"),
        (plane("a"), "it is the last healthy control plane"),
        (plane("ab"), "1 healthy members would be left of etcd's 3, and 2 are needed"),
        (plane("ab", "ab"), "1 healthy members would be left of etcd's 2, and 2 are needed"),
        (plane("abc", "abcde"), "2 healthy members would be left of etcd's 5, and 3 are needed"),
        (replace(plane("abc"), away={"b": RESET}), "and 2 are needed (b is being reset); mend the others"),
        (replace(plane("abc"), away={"b": RESTARTS}), "1 healthy members would be left of etcd's 3"),
        (
            replace(plane("abc"), away={"b": RESET, "c": RESET}),
            "the last healthy control plane (b is being reset; c is being reset), and",
        ),
        (
            replace(WORKER, answer=Answer.ANOTHER, trouble="w2 answers"),
            "w1: w2 answers; if it is off, add --force",
        ),
        (plane("", ""), "no control plane lists the members"),
        (replace(plane("b"), answer=Answer.SILENT), "1 healthy members would be left"),
        (replace(WORKER, answer=Answer.FOREIGN), "machines reinstall w1 --wipe"),
        (replace(WORKER, last_replicas=("a", "b")), "volumes a, b have their last healthy replica there"),
        (replace(plane("abc"), last_replicas=("a",)), "or add --force"),
        (replace(WORKER, answer=Answer.SILENT, last_replicas=("a",)), "last healthy replica"),
        (replace(WORKER, last_replicas=None), "no control plane's Kubernetes API tells"),
    ],
)
def test_it_is_refused_with_the_remedy(target: Target, why: str) -> None:
    step = next_step(target)
    assert isinstance(step, Refused)
    assert why in step.why
    assert step.why.startswith(f"{target.name}: ")
