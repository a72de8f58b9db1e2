"""A publisher is asked again after longer and longer pauses, and not for ever."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.assets.download.patience import BUILDING, ONE_OF_SEVERAL, USUAL, Patience, retry_after
from iluvatar_pxe.errors import UnavailableError

FAULT = UnavailableError("hung up")
BUILDS = UnavailableError("builds", is_building=True)


def pauses(patience: Patience, error: UnavailableError, gained: int = 0) -> list[float]:
    """Return the pauses until it is given up."""
    return list(iter(lambda: patience.pause(error, gained), None))


def test_pauses_grow_up_to_a_minute() -> None:
    assert pauses(Patience(), FAULT) == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_the_factory_has_twenty_minutes_even_if_something_before_it_answers_at_once() -> None:
    found = pauses(Patience(), BUILDS)
    assert found[:5] == [5.0, 10.0, 20.0, 40.0, 60.0]
    assert sum(found) > 20 * 60


def test_attempts_that_bring_something_go_on() -> None:
    patience = Patience()
    assert [patience.pause(FAULT, 1) for _ in range(100)] == [1.0] * 100
    assert patience.pause(FAULT, 0) == 2.0


def test_an_address_that_stalls_again_and_again_does_not_keep_the_next_one_waiting() -> None:
    assert pauses(Patience(ONE_OF_SEVERAL), FAULT, gained=500_000) == [1.0]


def test_a_trickle_is_in_vain() -> None:
    assert pauses(Patience(), UnavailableError("slow", is_slow=True), gained=1) == [1.0, 2.0, 4.0, 8.0, 16.0]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.none() | st.floats(0, 1e6))))
def test_it_ends_whatever_happens(faults: list[tuple[bool, int, float | None]]) -> None:
    patience = Patience()
    for building, gained, after in faults * 2000:
        pause = patience.pause(UnavailableError("", after=after, is_building=building), gained)
        if pause is None:
            return
        assert max(after or 0.0, USUAL.first) <= pause <= max(USUAL.longest, BUILDING.longest, after or 0.0)
        assert pause <= 300
    assert not faults


def test_what_the_publisher_asks_for_counts() -> None:
    assert Patience().pause(UnavailableError("busy", after=17.0), 0) == 17.0
    assert Patience().pause(UnavailableError("busy", after=301.0), 0) is None


NOON = "Sun, 29 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": "Sun, 29 Nov 2026 12:01:30 GMT", "Date": NOON}, 90.0),
        ({"Retry-After": "Sun, 29 Nov 2026 11:00:00 GMT", "Date": NOON}, 0.0),
        ({"Retry-After": "Sun, 29 Nov 2026 12:01:30 -0000", "Date": NOON}, None),
        ({"Retry-After": NOON}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "9" * 5000}, 999_999_999.0),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@given(st.text(), st.text())
def test_retry_after_may_be_anything(value: str, date: str) -> None:
    found = retry_after({"Retry-After": value, "Date": date})
    assert found is None or found >= 0


def test_the_usual_pauses_are_shorter_than_the_factory_s() -> None:
    assert all(before <= after for before, after in pairwise((*pauses(Patience(), FAULT), BUILDING.longest)))
