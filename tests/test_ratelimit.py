from iluvatar_pxe.ratelimit import RateLimiter


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
