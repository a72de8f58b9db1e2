"""The enrolment window, whatever the clocks do."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inventory.samples import NOW, Clock

from iluvatar_pxe.inventory.window import FIRST_WINDOW_SECONDS, SavedWindow, Window

HOUR = 3600.0
IN_THE_PAST = datetime(2024, 1, 1, tzinfo=UTC)


def restarted(saved: SavedWindow | None, now: datetime) -> Window:
    window = Window(Clock())
    window.resume(saved, now)
    return window


def test_it_is_closed_until_something_is_known() -> None:
    window = Window(Clock())
    assert (window.is_open, window.remaining, window.opened_by) == (False, 0, "")


def test_it_is_open_for_a_day_after_the_very_first_start() -> None:
    window = restarted(None, NOW)
    assert (window.is_open, window.remaining, window.opened_by) == (True, FIRST_WINDOW_SECONDS, "first start")


def test_it_closes_by_the_monotonic_clock() -> None:
    clock = Clock()
    window = Window(clock)
    window.open(HOUR, "anna")
    clock.now += HOUR - 1
    assert (window.is_open, window.remaining) == (True, 1)
    clock.now += 1
    assert (window.is_open, window.remaining, window.opened_by) == (False, 0, "anna")


def test_whoever_opens_it_again_decides_for_how_long() -> None:
    window = Window(Clock())
    window.open(HOUR, "anna")
    window.open(60, "bert")
    assert (window.remaining, window.opened_by) == (60, "bert")
    window.close("carla")
    assert (window.is_open, window.opened_by) == (False, "carla")


@pytest.mark.parametrize(
    ("wall", "remaining"),
    [
        (NOW, HOUR),
        (NOW + timedelta(minutes=20), HOUR * 2 / 3),
        (NOW + timedelta(hours=1), 0),
        (NOW + timedelta(days=90), 0),
        (IN_THE_PAST, HOUR),
    ],
    ids=["at once", "20 minutes later", "when it has ended", "months later", "a Pi without the time"],
)
def test_what_a_restart_leaves_of_it(wall: datetime, remaining: float) -> None:
    clock = Clock()
    window = Window(clock)
    window.open(HOUR, "anna")
    again = restarted(window.saved(NOW), wall)
    assert (again.is_open, again.opened_by) == (remaining > 0, "anna")
    assert again.remaining == pytest.approx(remaining)


def test_a_clock_that_was_not_set_yet_does_not_end_it() -> None:
    """A Pi begins in 1970, loses its power, and knows the time when it starts again."""
    window = Window(Clock())
    window.open(HOUR, "first start")
    assert restarted(window.saved(datetime(1970, 1, 1, 0, 10, tzinfo=UTC)), NOW).remaining == HOUR


def test_a_closed_one_stays_closed() -> None:
    window = Window(Clock())
    window.close("anna")
    assert not restarted(window.saved(NOW), IN_THE_PAST).is_open


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(
    st.floats(0, 10 * 24 * HOUR),
    st.lists(st.tuples(st.floats(0, HOUR), MOMENTS, MOMENTS), max_size=10),
)
def test_no_clock_makes_it_longer(seconds: float, runs: list[tuple[float, datetime, datetime]]) -> None:
    """Each run starts at one time by the wall clock, lasts for a while, and is saved at another."""
    saved = SavedWindow(seconds, NOW + timedelta(seconds=seconds), "anna")
    left = seconds
    for lasts, start, end in runs:
        clock = Clock()
        window = Window(clock)
        window.resume(saved, start)
        assert window.remaining <= left + 1e-6
        clock.now += lasts
        left = max(0.0, left - lasts)
        assert window.remaining <= left + 1e-6
        saved = window.saved(end)
