"""Who is asked first."""

from ipaddress import IPv4Address

import pytest

from iluvatar_pxe.dns.ranking import Ranking
from iluvatar_pxe.settings.upstream import Upstream

A, B, C = (Upstream(IPv4Address(f"192.0.2.{number}")) for number in (1, 2, 3))


def test_the_fastest_goes_first_and_unknown_ones_before_that() -> None:
    ranking = Ranking()
    assert ranking.order([A, B, C], 0) == [A, B, C]
    ranking.answered(A, 0.030)
    ranking.answered(B, 0.010)
    assert ranking.order([A, B, C], 0) == [C, B, A]


def test_one_that_failed_goes_last_for_longer_and_longer() -> None:
    ranking = Ranking()
    for upstream in (A, B):
        ranking.answered(upstream, 0.010)
    now = 100.0
    for penalty in [1, 2, 4, 8, 16, 32] + 2000 * [60]:
        for _ in range(3):
            ranking.failed(A, now)  # what is out together fails together, and counts once
        assert ranking.order([A, B], now + penalty - 0.1) == [B, A]
        now += penalty
        assert ranking.order([A, B], now) == [A, B]
        ranking.answered(B, 0.010)
    ranking.failed(A, now)
    ranking.answered(A, 0.001)
    assert ranking.order([A, B], now) == [A, B], "an answer makes up for all failures"


def test_all_that_failed_are_tried_the_one_first_that_is_due_first() -> None:
    ranking = Ranking()
    for now in (0, 1, 3):
        ranking.failed(A, now)
    ranking.failed(B, 3)
    assert ranking.order([A, B], 3.5) == [B, A]


def test_a_slow_one_is_tried_again_some_time() -> None:
    ranking = Ranking()
    ranking.answered(A, 0.010)
    ranking.answered(B, 0.050)
    firsts = []
    for _ in range(200):
        first = ranking.order([A, B], 0)[0]
        firsts.append(first)
        ranking.answered(first, 0.010 if first == A else 0.050)
    assert 1 <= firsts.count(B) <= 20


def test_one_that_was_overtaken_takes_longer_than_it_was_waited_for() -> None:
    ranking = Ranking()
    ranking.answered(B, 0.010)
    ranking.overtaken(A, 0.030)
    assert ranking.seconds(A) is None, "it was asked late, and may be fast"
    ranking.overtaken(A, 0.210)
    assert (ranking.seconds(A), ranking.order([A, B], 0)) == (0.210, [B, A])
    ranking.failed(B, 0)
    ranking.overtaken(B, 0.210)
    assert ranking.order([A, B], 0.5) == [A, B], "that is no answer, and makes up for nothing"


@pytest.mark.parametrize(
    ("seconds", "patience"), [(None, 0.2), (0.001, 0.05), (0.06, 0.12), (0.15, 0.3), (3.0, 0.4)]
)
def test_patience_goes_by_what_it_takes(seconds: float | None, patience: float) -> None:
    ranking = Ranking()
    if seconds:
        ranking.answered(A, seconds)
    assert ranking.patience(A) == pytest.approx(patience)
    assert ranking.seconds(A) == seconds
