"""The rate of a download is that of its last seconds, and too low a one is a stall."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.assets.download.speed import Pace, Speed


def test_a_steady_download_has_its_rate() -> None:
    speed = Speed(1000, 50.0)
    assert [speed.reach(1000 + 10 * n, 50.0 + n / 10) for n in (5, 6, 30)] == pytest.approx([100.0] * 3)


def test_the_first_bytes_say_nothing() -> None:
    assert Speed(0, 0.0).reach(10**9, 1e-9) == 0.0


def test_what_was_kept_counts_for_nothing() -> None:
    speed = Speed(10**9, 0.0)
    assert speed.reach(10**9, 0.0) == 0.0
    assert speed.reach(10**9 + 50, 1.0) == 50.0


def test_old_times_are_forgotten() -> None:
    speed = Speed(0, 0.0)
    for second in range(100):
        speed.reach(0, float(second))
    found = [speed.reach(1000 * n, 100.0 + n) for n in range(1, 41)]
    assert found[-1] == pytest.approx(1000.0)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(0, 100)), min_size=1))
def test_the_rate_is_never_negative(steps: list[tuple[int, float]]) -> None:
    speed, now = Speed(0, 0.0), 0.0
    for done, elapsed in steps:
        now += elapsed
        assert speed.reach(done, now) >= 0.0


@pytest.mark.parametrize(
    ("count", "waited", "slow"),
    [(4200, 20.0, True), (4096, 3.0, False), (20_000, 20.0, False), (19_000, 20.0, True), (4200, 0.0, False)],
)
def test_a_trickle_is_noticed_within_two_windows(count: int, waited: float, *, slow: bool) -> None:
    pace = Pace(1000, 120.0)
    assert any(pace.is_slow(count, waited) for _ in range(12)) == slow


def test_a_quick_beginning_does_not_hide_a_trickle() -> None:
    pace = Pace(1000, 120.0)
    assert not pace.is_slow(10**9, 119.0)
    assert [pace.is_slow(4200, 20.0) for _ in range(7)] == [False] * 6 + [True]


@given(st.lists(st.tuples(st.integers(1000, 10**6), st.floats(0, 1)), min_size=1))
def test_who_sends_enough_is_never_slow(steps: list[tuple[int, float]]) -> None:
    pace = Pace(1000, 5.0)
    assert not any(pace.is_slow(count, waited) for count, waited in steps)
