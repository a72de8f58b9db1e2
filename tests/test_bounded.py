"""The bounded memory, against a plain list of pairs."""

from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.bounded import Recent

KEYS = st.integers(0, 6)
WRITES = st.tuples(st.just("put"), KEYS, st.integers())
REMOVALS = st.tuples(st.just("pop"), KEYS, st.just(0))


@given(st.integers(1, 4), st.lists(st.one_of(WRITES, REMOVALS)))
def test_it_holds_the_entries_that_were_written_last(most: int, steps: list[tuple[str, int, int]]) -> None:
    recent: Recent[int, int] = Recent(most)
    model: list[tuple[int, int]] = []
    for step, key, value in steps:
        before = dict(model).get(key)
        model = [one for one in model if one[0] != key]
        if step == "put":
            model.append((key, value))
            dropped = model.pop(0) if len(model) > most else None
            assert recent.put(key, value) == dropped
        else:
            assert recent.pop(key) == before
        assert len(recent) == len(model)
        assert recent.oldest() == (model[0] if model else None)
        assert list(recent.values()) == [value for _, value in model]
        assert {key: recent.get(key) for key in range(7) if key in recent} == dict(model)


def test_reading_does_not_keep_an_entry() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert (recent.get("a"), recent.get("c")) == (1, None)
    assert recent.put("c", 3) == ("a", 1)
