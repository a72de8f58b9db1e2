"""Lines of a kernel log are read or refused, and each comes once in a boot."""

import json
from collections.abc import Iterable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.layers.arda.kernel_log import FIRST, LAST, Boot, KernelLogLine, read_line


def line(seq: int, boot: int = 0) -> KernelLogLine:
    """Return a line; those of different boots differ by their clocks, but not before there is one."""
    clock = seq * 1000 + boot if seq > 5 else 0
    return KernelLogLine(f"line {seq}", seq, clock, "kern", "info", None)


def told(boot: Boot, lines: Iterable[KernelLogLine]) -> list[int]:
    return [one.seq for one in lines if boot.is_new(one)]


def of(seqs: Iterable[int], boot: int = 0) -> list[KernelLogLine]:
    return [line(seq, boot) for seq in seqs]


MANY = FIRST + 3 * LAST


def test_all_lines_of_a_boot_come_once() -> None:
    boot = Boot()
    assert told(boot, of(range(MANY))) == list(range(MANY))
    assert told(boot, of(range(MANY + 10))) == list(range(MANY, MANY + 10))
    assert told(boot, of(range(MANY - 50, MANY + 12))) == [MANY + 10, MANY + 11]


@pytest.mark.parametrize("length", [20, MANY])
def test_another_boot_begins_anew(length: int) -> None:
    boot = Boot()
    told(boot, of(range(length)))
    assert told(boot, of(range(40), boot=1)) == list(range(6, 40))  # the first 6 are the same in each boot
    assert told(boot, of(range(40), boot=1)) == []


def test_another_boot_whose_beginning_was_missed_is_one() -> None:
    boot = Boot()
    told(boot, of(range(50_000, 50_100)))
    assert told(boot, of(range(300, 310), boot=1)) == list(range(300, 310))


def test_lines_may_change_their_order() -> None:
    boot = Boot()
    assert told(boot, of([1, 3, 2, 2, 5, 4])) == [1, 3, 2, 5, 4]


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 3)), max_size=60))
def test_memory_is_bounded_and_an_immediate_repetition_is_one(lines: list[tuple[int, int]]) -> None:
    boot = Boot()
    for seq, which in lines:
        boot.is_new(line(seq, which))
        assert not boot.is_new(line(seq, which))
    assert len(boot._first) <= FIRST
    assert len(boot._last) <= LAST


@given(st.binary(max_size=300))
def test_bytes_are_a_line_or_refused(data: bytes) -> None:
    with suppress(WireError):
        read_line(data)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
)


@given(
    st.dictionaries(
        st.sampled_from(["msg", "seq", "clock", "facility", "priority", "talos-time", "talos-level"]), VALUES
    )
)
def test_every_object_is_a_line_or_refused(values: dict[str, object]) -> None:
    try:
        read = read_line(json.dumps(values).encode())
    except WireError:
        return
    assert read.seq >= 0


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"a":' * 100_000])
def test_depth_is_refused(deep: bytes) -> None:
    with pytest.raises(WireError):
        read_line(deep)


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("2026-01-02T03:04:05Z", 2026),
        ("2026-01-02T03:04:05.1Z", 2026),
        ("0001-01-01T00:00:00Z", 0),
        ("soon", 0),
    ],
)
def test_times_are_gos(text: str, year: int) -> None:
    read = read_line(json.dumps({"talos-time": text}).encode())
    assert (read.time.year if read.time else 0) == year
