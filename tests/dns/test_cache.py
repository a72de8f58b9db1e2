"""What is remembered of upstreams, and for how long."""

from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.dns.cache import STALE_SECONDS, Cache, Entry, Key
from iluvatar_pxe.wire.dns.message import Body
from iluvatar_pxe.wire.dns.name import name_of


def key(label: str) -> Key:
    return Key(name_of(f"{label}.example"), 1, 1, do=False, cd=False)


def entry(ttl: int = 60, stored: float = 1000.0, octets: int = 16) -> Entry:
    return Entry(Body(0, (1, 0, 0), bytes(octets), (6,), ttl), "192.0.2.1", stored)


def test_an_answer_is_good_for_its_time_and_kept_for_a_day_more() -> None:
    cache = Cache(10, 1 << 20)
    cache.put(key("a"), entry())
    assert [found.fresh(now) for now in (1000.0, 1059.9, 1060.0) if (found := cache.get(key("a"), now))] == [
        True,
        True,
        False,
    ]
    assert cache.get(key("a"), 1060 + STALE_SECONDS)
    assert cache.get(key("a"), 1061 + STALE_SECONDS) is None
    assert (len(cache), cache.octets) == (0, 0)


def test_questions_that_differ_have_answers_of_their_own() -> None:
    cache = Cache(10, 1 << 20)
    cache.put(key("a"), entry())
    for other in (
        key("b"),
        key("a")._replace(type=28),
        key("a")._replace(do=True),
        key("a")._replace(cd=True),
    ):
        assert cache.get(other, 1000) is None


def test_what_was_not_asked_for_the_longest_goes_first() -> None:
    cache = Cache(2, 1 << 20)
    cache.put(key("a"), entry())
    cache.put(key("b"), entry())
    assert cache.get(key("a"), 1000)
    cache.put(key("c"), entry())
    assert [bool(cache.get(key(label), 1000)) for label in "abc"] == [True, False, True]


def test_all_can_be_forgotten() -> None:
    cache = Cache(2, 1 << 20)
    cache.put(key("a"), entry())
    cache.clear()
    assert (len(cache), cache.octets, cache.get(key("a"), 1000)) == (0, 0, None)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 60_000)), max_size=60))
def test_the_bounds_hold_whatever_is_put_in(puts: list[tuple[str, int]]) -> None:
    cache = Cache(5, 100_000)
    for label, octets in puts:
        cache.put(key(label), entry(octets=octets))
        assert len(cache) <= 5
        assert 0 <= cache.octets <= 100_000
    labels = [label for label in "abcdefgh" if cache.get(key(label), 1000)]
    assert len(labels) == len(cache)
    assert bool(cache.octets) == bool(labels)
