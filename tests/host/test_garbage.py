"""What a start makes is not looked through for garbage, and what is freed goes back to the system."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from iluvatar_pxe.host import garbage

SIZE, COUNT = 64 << 10, 256
"""Octets of a block, which malloc takes no mapping of its own for; all of them are 16 MiB."""


@pytest.fixture
def _collected_later() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.usefixtures("_collected_later")
def test_no_garbage_is_looked_for_during_a_start_and_later_only_in_what_is_new() -> None:
    garbage.suspend_garbage()
    assert not gc.isenabled()
    made = [[number] for number in range(10)]
    garbage.freeze_garbage()
    assert gc.isenabled()
    assert not any(one is made for one in gc.get_objects())


@pytest.mark.skipif(not garbage._trim, reason="this system's library is not glibc")
def test_what_is_freed_goes_back_to_the_system() -> None:
    """Also where something that is kept lies behind it."""
    blocks = [bytearray(SIZE) for _ in range(COUNT)]
    kept = blocks.pop()
    blocks.clear()
    before = _resident()
    garbage.give_back_memory()
    assert len(kept) == SIZE
    assert before - _resident() > SIZE * COUNT // 2


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
