"""The rate limit holds over any time, however the bytes come."""

from heapq import heappop, heappush

from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.assets.download.bucket import TokenBucket


@given(
    rate=st.integers(1, 10**9),
    steps=st.lists(st.tuples(st.integers(0, 10**7), st.floats(0, 1000)), min_size=1),
)
def test_no_more_than_the_rate_passes_but_for_one_second_and_one_piece(
    rate: int, steps: list[tuple[int, float]]
) -> None:
    """Readers who wait as they are told, and sometimes longer."""
    bucket, now, passed = TokenBucket(rate), 0.0, 0
    for count, idle in steps:
        now += idle
        passed += count
        now += bucket.take(count, now)
        assert passed <= rate * (now + 1) * (1 + 1e-9) + 1e-3


@given(rate=st.integers(1, 10**9), counts=st.lists(st.integers(1, 10**7), min_size=1))
def test_nobody_waits_longer_than_the_rate_demands(rate: int, counts: list[int]) -> None:
    bucket, now = TokenBucket(rate), 0.0
    for count in counts:
        now += bucket.take(count, now)
    assert now <= sum(counts) / rate * (1 + 1e-9) + 1e-6


def test_what_several_take_at_once_adds_up() -> None:
    bucket = TokenBucket(100)
    assert bucket.take(100, 5.0) == 0.0
    assert bucket.take(100, 5.0) == 1.0
    assert bucket.take(100, 5.0) == 2.0
    assert bucket.take(0, 9.0) == 0.0


@given(rate=st.integers(1000, 10**6), readers=st.integers(2, 8))
def test_readers_of_equal_pieces_have_equal_shares_but_for_the_first_second(rate: int, readers: int) -> None:
    bucket, piece, passed = TokenBucket(rate), rate // 10, [0] * readers
    turns = [(0.0, reader) for reader in range(readers)]
    for _ in range(50 * readers):
        now, reader = heappop(turns)
        passed[reader] += piece
        heappush(turns, (now + bucket.take(piece, now), reader))
    assert max(passed) - min(passed) <= rate + piece * 2
