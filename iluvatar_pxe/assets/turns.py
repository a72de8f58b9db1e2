"""Whose turn it is to download: a few at a time, and what somebody waits for never behind the others.

An image factory is a public service: few files at a time are built there, whoever waits.
"""

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


class Room:
    """``count`` turns at once without haste, and as many of what people ask for; what machines wait for needs no room."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._waiting: list[Place] = []
        self._begun: list[Place] = []

    def queue(self, place: "Place") -> None:
        """Let a turn begin when there is room."""
        if place not in self._waiting and place not in self._begun:
            self._waiting.append(place)
            self.admit()

    def leave(self, place: "Place") -> None:
        """Take in that a turn has ended, or is not waited for."""
        for places in (self._waiting, self._begun):
            if place in places:
                places.remove(place)
        self.admit()

    def before(self, place: "Place") -> int:
        """Return how many have begun or come before one that waits."""
        if place not in self._waiting:
            return 0
        waiting = self._waiting[: self._waiting.index(place)]
        return sum(one.haste is place.haste for one in (*self._begun, *waiting))

    def admit(self) -> None:
        """Let all begin for whom there is room, in the order in which they came."""
        for place in tuple(self._waiting):
            if place.haste is Haste.AWAITED or self._have_begun(place.haste) < self._count:
                self._begin(place)

    def _begin(self, place: "Place") -> None:
        self._waiting.remove(place)
        self._begun.append(place)
        place.begun.set()

    def _have_begun(self, haste: Haste) -> int:
        return sum(place.haste is haste for place in self._begun)


class StrictRoom(Room):
    """``count`` turns at once, whatever waits; what is waited for comes first."""

    def before(self, place: "Place") -> int:
        """Return how many have begun or come before one that waits."""
        return len(self._begun) + self._order().index(place) if place in self._waiting else 0

    def _order(self) -> list["Place"]:
        return sorted(self._waiting, key=lambda one: -one.haste)

    def admit(self) -> None:
        """Let as many begin as there is room for."""
        for place in self._order():
            if len(self._begun) < self._count:
                self._begin(place)


class Place:
    """The turns of one file in one room."""

    def __init__(self, room: Room, haste: Haste) -> None:
        self.haste = haste
        self.begun = asyncio.Event()
        self._room = room

    @property
    def before(self) -> int:
        """How many come before it, while it waits."""
        return self._room.before(self)

    async def begin(self) -> None:
        """Wait for a turn, if this is none; ``end`` follows, also where this is cancelled."""
        self._room.queue(self)
        await self.begun.wait()

    def end(self) -> None:
        """Give way to others."""
        self.begun.clear()
        self._room.leave(self)

    def hasten(self, haste: Haste) -> None:
        """Take in that somebody waits for it now."""
        self.haste = max(self.haste, haste)
        self._room.admit()


class Turns:
    """``count`` files are downloaded at once, and more that somebody waits for; no more than ``count`` are built."""

    def __init__(self, count: int) -> None:
        self._downloads, self._builds = Room(count), StrictRoom(count)

    def turn(self, haste: Haste = Haste.NONE) -> "Turn":
        """Return the turns of one file, none of which has begun."""
        return Turn(Place(self._downloads, haste), Place(self._builds, haste))


class Turn:
    """The turns of one file: it gives way to others while it only waits."""

    def __init__(self, download: Place, build: Place) -> None:
        self._download, self._build = download, build

    @property
    def begun(self) -> asyncio.Event:
        """Set while it may be downloaded."""
        return self._download.begun

    @property
    def before(self) -> int:
        """How many files come before it, while it waits for a turn."""
        return self._download.before or self._build.before

    async def begin(self) -> None:
        """Wait for a turn, if this is none; ``end`` follows, also where this is cancelled."""
        self._build.end()
        await self._download.begin()

    async def begin_build(self) -> None:
        """Give way to other downloads, and wait until few enough files are built; ``begin`` or ``end`` follows."""
        self._download.end()
        await self._build.begin()

    def end(self) -> None:
        """Give way to others."""
        self._build.end()
        self._download.end()

    async def pause(self, seconds: float) -> None:
        """Give way to others for some time, and wait for another turn."""
        self.end()
        await asyncio.sleep(seconds)
        await self.begin()

    def hasten(self, haste: Haste) -> None:
        """Take in that somebody waits for it now."""
        self._build.hasten(haste)
        self._download.hasten(haste)
