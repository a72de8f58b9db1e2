"""Whose turn it is to download: a few at a time, and what somebody waits for never behind the others."""

import asyncio
from enum import IntEnum


class Haste(IntEnum):
    """How soon a file is to come."""

    NONE = 0
    """The fleet wants it."""
    ASKED = 1
    """A person asked for it by a command."""
    AWAITED = 2
    """A machine waits for it."""


class Turns:
    """``count`` turns at once without haste, and as many of what people ask for; what machines wait for needs no room."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._waiting: list[Turn] = []
        self._begun: list[Turn] = []

    def turn(self, haste: Haste = Haste.NONE) -> "Turn":
        """Return the turns of one file, none of which has begun."""
        return Turn(self, haste)

    def queue(self, turn: "Turn") -> None:
        """Let a turn begin when there is room."""
        if turn not in self._waiting and turn not in self._begun:
            self._waiting.append(turn)
            self.admit()

    def leave(self, turn: "Turn") -> None:
        """Take in that a turn has ended, or is not waited for."""
        for turns in (self._waiting, self._begun):
            if turn in turns:
                turns.remove(turn)
        self.admit()

    def admit(self) -> None:
        """Let all begin for whom there is room, in the order in which they came."""
        for turn in tuple(self._waiting):
            if turn.haste is Haste.AWAITED or self._have_begun(turn.haste) < self._count:
                self._waiting.remove(turn)
                self._begun.append(turn)
                turn.begun.set()

    def _have_begun(self, haste: Haste) -> int:
        return sum(turn.haste is haste for turn in self._begun)


class Turn:
    """The turns of one file: it gives way to others while it only waits."""

    def __init__(self, turns: Turns, haste: Haste) -> None:
        self.haste = haste
        self.begun = asyncio.Event()
        self._turns = turns

    async def begin(self) -> None:
        """Wait for a turn, if this is none; ``end`` follows, also where this is cancelled."""
        self._turns.queue(self)
        await self.begun.wait()

    def end(self) -> None:
        """Give way to others."""
        self.begun.clear()
        self._turns.leave(self)

    async def pause(self, seconds: float) -> None:
        """Give way to others for some time, and wait for another turn."""
        self.end()
        await asyncio.sleep(seconds)
        await self.begin()

    def hasten(self, haste: Haste) -> None:
        """Take in that somebody waits for it now."""
        self.haste = max(self.haste, haste)
        self._turns.admit()
