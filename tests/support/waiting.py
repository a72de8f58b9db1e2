"""Waiting for a thing itself, never for a time: every wait ends when it is so, or fails at a bound."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 60.0
"""Seconds after which a test is broken; nothing takes so long."""
_PAUSE, _LONGEST_PAUSE = 0.01, 1.0
_SHARE = 10
"""What is waited for is looked at for a tenth of the time at most: others need the processor, and some looks start programs."""

T = TypeVar("T")


async def until(condition: Callable[[], T]) -> T:
    """Return what ``condition`` returns once that is true; lets the event loop run meanwhile."""
    async with asyncio.timeout(PATIENCE):
        while True:
            began = time.monotonic()
            if value := condition():
                return value
            await asyncio.sleep(_pause(began))


def wait_until(condition: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """Return what ``condition`` returns once that is true; fails with ``what`` after ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while True:
        began = time.monotonic()
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(_pause(began))


def _pause(began: float) -> float:
    """Return for how long the next look waits, after one that began then."""
    return min(_LONGEST_PAUSE, max(_PAUSE, _SHARE * (time.monotonic() - began)))
