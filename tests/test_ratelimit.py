import logging

from structlog.testing import capture_logs

from iluvatar_pxe.ratelimit import Complaints, RateLimiter


def test_one_event_per_interval_passes_and_the_rest_is_counted() -> None:
    limiter = RateLimiter(10)
    assert [limiter.allow(now) for now in (5, 5, 14.9, 15, 16, 25, 25)] == [
        True, False, False, True, False, True, False,
    ]  # fmt: skip


def test_suppressed_counts_the_refusals_before_the_last_one_that_passed() -> None:
    limiter = RateLimiter(10)
    assert (limiter.allow(0), limiter.suppressed) == (True, 0)
    assert (limiter.allow(1), limiter.allow(2), limiter.suppressed) == (False, False, 0)
    assert (limiter.allow(10), limiter.suppressed) == (True, 2)
    assert (limiter.allow(20), limiter.suppressed) == (True, 0)


def test_each_event_is_logged_once_in_an_interval_and_the_rest_is_counted() -> None:
    now = 100.0
    complaints = Complaints(10, lambda: now)
    with capture_logs() as logs:
        for number in range(3):
            complaints.log("full", logging.ERROR, number=number)
            complaints.log("gone")
        now = 110.0
        complaints.log("full", number=3)
    assert logs == [
        {"event": "full", "log_level": "error", "number": 0, "suppressed": 0},
        {"event": "gone", "log_level": "warning", "suppressed": 0},
        {"event": "full", "log_level": "warning", "number": 3, "suppressed": 2},
    ]
