"""The enrolment window, whatever the clocks do."""

from datetime import UTC, datetime, timedelta
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inventory.samples import NOW, Clock

from iluvatar_pxe.fleet.daemon_files import EnrolmentFile
from iluvatar_pxe.inventory.window import FIRST_WINDOW_SECONDS, SavedWindow, Window, seconds_stated

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


def stated(at: str = "2026-11-22T18:30:00Z", seconds: int = 3600) -> EnrolmentFile:
    return EnrolmentFile(at=at, seconds=seconds, by="anna on pi-1")


OPENED = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
UNSET = datetime(1970, 1, 1, 0, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("file", "now", "most_age", "left"),
    [
        pytest.param(stated(), OPENED, inf, HOUR, id="at once"),
        pytest.param(stated(), OPENED + timedelta(minutes=20), inf, 2400, id="a start 20 minutes later"),
        pytest.param(stated(), OPENED + timedelta(hours=2), inf, 0, id="a start after its end"),
        pytest.param(stated(), OPENED + timedelta(seconds=9), 1, HOUR - 1, id="our clock is ahead a little"),
        pytest.param(stated(), OPENED + timedelta(days=2), 60, HOUR - 60, id="our clock is ahead by days"),
        pytest.param(stated(), OPENED - timedelta(days=2), 60, HOUR - 60, id="our clock is behind"),
        pytest.param(stated(), UNSET, 60, HOUR - 60, id="our clock is not set, and it is news"),
        pytest.param(stated(), UNSET, inf, None, id="our clock is not set, and it may be old"),
        pytest.param(stated(), UNSET, 7200, 0, id="our clock is not set, and so old it cannot be"),
        pytest.param(stated("1970-01-01T00:10:00Z"), OPENED, 60, HOUR - 60, id="theirs was not set"),
        pytest.param(
            stated("1970-01-01T00:10:00Z"), OPENED, inf, None, id="theirs was not set, it may be old"
        ),
        pytest.param(stated(seconds=0), UNSET, inf, 0, id="closed is closed by any clock"),
        pytest.param(stated(seconds=0), OPENED, 1, 0, id="closed"),
    ],
)
def test_what_is_left_of_a_window_that_a_commit_opened(
    file: EnrolmentFile, now: datetime, most_age: float, left: float | None
) -> None:
    assert seconds_stated(file, now, most_age) == left


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


@given(st.integers(0, 7 * 24 * 3600), MOMENTS, MOMENTS, st.floats(0, 1e6))
def test_no_clock_makes_a_stated_one_longer_or_shorter_than_it_can_be(
    seconds: int, at: datetime, now: datetime, most_age: float
) -> None:
    left = seconds_stated(stated(f"{at:%Y-%m-%dT%H:%M:%SZ}", seconds), now, most_age)
    assert left is not None
    assert max(0.0, seconds - most_age) <= left <= seconds
