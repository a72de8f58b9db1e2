"""The time of a stand-in: waits are shortened by a factor, and its clock may be wrong."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass
class Clock:
    speed: float = 1.0
    """How many of the machine's seconds pass in one."""
    off: timedelta = timedelta()
    """How much the machine's clock is fast, until it is set."""

    def now(self) -> datetime:
        return datetime.now(UTC) + self.off

    @property
    def is_right(self) -> bool:
        return abs(self.off) < timedelta(seconds=1)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)
