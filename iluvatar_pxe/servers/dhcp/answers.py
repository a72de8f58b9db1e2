"""OFFERs that are sent again: firmware repeats its DISCOVER, and mostly nothing that decides about it has changed."""

from collections.abc import Callable

from msgspec import Struct

from iluvatar_pxe.boot.basis import Basis, State
from iluvatar_pxe.boot.case import Case
from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.servers.dhcp.proxy import Arrival, Lease, Reply, Silence, respond

MOST_ANSWERS = 4096
"""Remembered at once; the one made longest ago goes first."""
LONGEST_MESSAGE = 1024
"""Octets; firmware's are half as long. Longer ones are answered too, and not remembered."""
_SAME, _ITS_OWN, _SAME_TOO = slice(0, 4), slice(4, 12), slice(12, None)
"""In between are the transaction, the seconds and the flags, in a message and in its answer (RFC 2131 section 2)."""
_FLAGS = 10
_BROADCAST = 0x80

_Key = tuple[bytes, bytes, str, tuple[str, int], bool]


class _Answer(Struct, frozen=True):
    """What was answered, and by what it was decided. It holds while ``state`` is the same; None: that is to be found out."""

    reply: Reply
    basis: Basis
    links: Links
    state: State | None = None


class Answers:
    """Remembers what was answered to each DISCOVER of machines that are known. Belongs to one event loop."""

    def __init__(
        self,
        decide: Callable[[Sighting], Decision],
        basis: Callable[[Sighting, State], Basis],
        state: Callable[[Sighting], State],
        permits: Callable[[str], bool],
    ) -> None:
        """``decide`` goes by what ``state`` and ``basis`` return; ``permits`` as in ``respond``, it may change at ``clear`` only."""
        self._decide = decide
        self._state = state
        self._basis = basis
        self._permits = permits
        self._fleet: Fleet | None = None
        self._known: Recent[_Key, _Answer] = Recent(MOST_ANSWERS)

    def respond(self, data: bytes, arrival: Arrival, interface: str) -> Reply | Silence | Lease:
        """Return what ``proxy.respond`` does to a message that came in by an interface; raises WireError as that does."""
        if arrival.pxe_port or len(data) > LONGEST_MESSAGE:
            return respond(data, arrival, self._decide, self._permits)
        key = (data[_SAME], data[_SAME_TOO], interface, arrival.source, arrival.own_frame)
        if reply := self._find(key, arrival.links):
            return reply.with_data(_answer_to(data, reply.data))
        result = respond(data, arrival, self._decide, self._permits)
        if isinstance(result, Reply) and _may_be_kept(result.decision.case):
            case = result.decision.case  # what is looked up now may be of an earlier moment of this turn
            self._follow(case.fleet)
            basis = Basis(case.machine, case.fleet, case.context)
            self._known.put(key, _Answer(result, basis, arrival.links))
        return result

    def clear(self) -> None:
        """Forget all of it: this server has other addresses, or is asked from other networks."""
        self._known = Recent(MOST_ANSWERS)

    def _follow(self, fleet: Fleet) -> None:
        """Forget what was answered under another fleet, so that nothing keeps that in memory."""
        if fleet is not self._fleet:
            self.clear()
            self._fleet = fleet

    def _find(self, key: _Key, links: Links) -> Reply | None:
        """Return the earlier answer where it holds still; its decision is about the machine as it was seen then.

        A message that waited while the interface got another address was answered with the former ``links``.
        """
        known = self._known.get(key)
        if known is None:
            return None
        sighting = known.reply.decision.case.sighting
        state = self._state(sighting)
        if known.links is links and known.state is state:
            return known.reply
        basis = self._basis(sighting, state)
        if known.links is not links or not basis.is_as(known.basis):
            self._known.pop(key)
            return None
        self._known.put(key, _Answer(known.reply, basis, links, state))
        return known.reply


def _may_be_kept(case: Case) -> bool:
    """Say whether a decision is known by its basis, and about a machine that is no passer-by: of those there is no end."""
    is_known = case.machine is not None and (case.is_of_fleet or not case.machine.transient)
    return is_known and case.sighting.firmware is not Firmware.RASPBERRY_PI


def _answer_to(data: bytes, earlier: bytes) -> bytes:
    own = bytearray(data[_ITS_OWN])
    own[_FLAGS - _ITS_OWN.start] |= _BROADCAST
    return earlier[_SAME] + own + earlier[_SAME_TOO]
