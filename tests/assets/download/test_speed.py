"""The rate of a download is that of its last seconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.assets.download.speed import Speed


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
