"""Scripts that stand: the same machine asks the same, and nobody has heard anything since that might change the answer."""

import asyncio
import time
from typing import NamedTuple

from iluvatar_pxe.boot.basis import State
from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.inventory.repeats import FRESH
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.provisioning.tickets import Claim
from iluvatar_pxe.provisioning.trust import DHCP_WITHIN
from iluvatar_pxe.provisioning.turn_state import TurnState
from iluvatar_pxe.servers.http.context import Asker
from iluvatar_pxe.wire.http_head import Head

MOST_STANDING = 1024
"""Remembered at once; the one made longest ago goes first."""

Question = tuple[Head, str, str]
"""A request, the address that it comes from, and the one of this host."""


class Standing(NamedTuple):
    """Who asked and what came of it."""

    asker: Asker
    machine: Machine
    neighbour: str
    until: float
    """By ``time.monotonic``: then it is due to be recorded again that the machine was seen."""
    state: State
    """What it was decided by, besides the machine."""
    pieces: tuple[bytes, ...]
    """The script, cut where its ticket belongs."""
    claim: Claim | None
    """What the ticket says."""
    own: bool
    """Whether it is the machine's own script, or the first, for which nobody needs to be trusted."""


class Standings:
    """Remembers them for one booter. Whose card asks, and when it was heard by DHCP, is looked up each time.

    What decides besides is looked up once in a turn of the event loop.
    """

    def __init__(self, booter: Booter) -> None:
        self._booter = booter
        self._state = TurnState(booter, booter.context_to_settle)
        self._turn: asyncio.Handle | None = None
        self._fleet = booter.applied.fleet
        self._known: Recent[Question, Standing] = Recent(MOST_STANDING)

    def find(self, question: Question) -> Standing | None:
        """Return what was kept of a question, if it stands still."""
        state = self._now()
        one = self._known.get(question)
        if one is None or one.state is not state or time.monotonic() >= one.until:
            return None
        return one if self._is_there(one) else None

    def keep(
        self, question: Question, asker: Asker, machine: Machine, text: str, decision: Decision | None
    ) -> None:
        """Keep the script that a machine got, if that is at the address by the neighbour table.

        ``decision`` is what made it; None for the first script.
        """
        booter, state = self._booter, self._now()
        neighbour = booter.trust.mac_of(asker.client)
        if neighbour is None or booter.inventory.snapshot.machine_with_id(machine.id) is not machine:
            return
        if decision and decision.case.context != state.context:  # that is an earlier moment's of this turn
            return
        left = FRESH - abs(wall_clock() - machine.last_seen)
        claim = booter.handout.claim_of(decision) if decision else None
        pieces = text.split(booter.handout.ticket(claim)) if claim else [text]
        standing = Standing(
            asker,
            machine,
            neighbour,
            until=time.monotonic() + left.total_seconds(),
            state=state,
            pieces=tuple(piece.encode() for piece in pieces),
            claim=claim,
            own=decision is not None,
        )
        self._known.put(question, standing)

    def clear(self) -> None:
        """Forget all of it: another host's address may be behind a router now, or no longer."""
        self._known = Recent(MOST_STANDING)

    def _now(self) -> State:
        """Return what decides, and forget what was kept under another fleet."""
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._end_turn)
        state = self._state.now()
        if state.fleet is not self._fleet:
            self._fleet = state.fleet
            self.clear()
        return state

    def _end_turn(self) -> None:
        self._turn = None
        self._state.next_turn()

    def _is_there(self, one: Standing) -> bool:
        booter = self._booter
        if booter.trust.mac_of(one.asker.client) != one.neighbour:
            return False
        return not one.own or booter.inventory.asked_within(one.machine.id, DHCP_WITHIN)
