"""What is freed goes back to the system, also where something that is kept lies behind it."""

import os
from pathlib import Path

import pytest

from iluvatar_pxe.host import garbage

SIZE, COUNT = 64 << 10, 256
"""Octets of a block, which malloc takes no mapping of its own for; all of them are 16 MiB."""


@pytest.mark.skipif(not garbage._trim, reason="this system's library is not glibc")
def test_what_is_freed_goes_back_to_the_system() -> None:
    blocks = [bytearray(SIZE) for _ in range(COUNT)]
    kept = blocks.pop()
    blocks.clear()
    before = _resident()
    garbage.give_back_memory()
    assert len(kept) == SIZE
    assert before - _resident() > SIZE * COUNT // 2


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
