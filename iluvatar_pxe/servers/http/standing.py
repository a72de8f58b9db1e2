"""Scripts that stand: the same machine asks the same, and nobody has heard anything since that might change the answer."""

import time
from typing import NamedTuple

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.inventory.repeats import FRESH
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.servers.http.context import Asker
from iluvatar_pxe.servers.http.routes.scripts import Settled
from iluvatar_pxe.wire.http_head import Head

MOST_STANDING = 1024
"""Remembered at once; the one made longest ago goes first."""

Question = tuple[Head, str, str]
"""A request, the address that it comes from, and the one of this host."""


class Standing(NamedTuple):
    """Who asked and what came of it: the first script, or what was decided; the script made of that has a ticket in it."""

    asker: Asker
    machine: Machine
    neighbour: str
    routed: bool
    until: float
    """By ``time.monotonic``: then it is due to be recorded again that the machine was seen."""
    made: str | Settled


class Standings:
    """Remembers them for one booter; who may be trusted, and what decides besides the machine, is asked each time."""

    def __init__(self, booter: Booter) -> None:
        self._booter = booter
        self._known: Recent[Question, Standing] = Recent(MOST_STANDING)
        self._follow()

    def find(self, question: Question) -> Standing | None:
        """Return what was kept of a question, if it stands still."""
        booter, snapshot = self._booter, self._booter.inventory.snapshot
        is_new = snapshot.owners is not self._owners or snapshot.twins is not self._twins
        if is_new or booter.applied.fleet is not self._fleet:
            self._follow()
            return None
        one = self._known.get(question)
        if one is None or time.monotonic() >= one.until:
            return None
        if snapshot.machine_with_id(one.machine.id) is not one.machine or not self._is_there(one):
            return None
        if isinstance(one.made, Settled) and not booter.is_beyond_doubt(*one.made):
            return None
        return one

    def keep(self, question: Question, asker: Asker, machine: Machine, made: str | Settled) -> None:
        """Keep what was made of a question for a machine, if that is at the address by the neighbour table."""
        trust, snapshot = self._booter.trust, self._booter.inventory.snapshot
        neighbour = trust.mac_of(asker.client)
        if neighbour is None or snapshot.machine_with_id(machine.id) is not machine:
            return
        left = FRESH - abs(wall_clock() - machine.last_seen)
        until = time.monotonic() + left.total_seconds()
        routed = trust.is_routed(asker.client)
        self._known.put(question, Standing(asker, machine, neighbour, routed, until, made))

    def _is_there(self, one: Standing) -> bool:
        trust, address = self._booter.trust, one.asker.client
        return trust.mac_of(address) == one.neighbour and trust.is_routed(address) is one.routed

    def _follow(self) -> None:
        """Forget what was kept under another fleet, or while MACs or hardware were other machines'."""
        snapshot = self._booter.inventory.snapshot
        self._fleet, self._owners, self._twins = self._booter.applied.fleet, snapshot.owners, snapshot.twins
        self._known = Recent(MOST_STANDING)
