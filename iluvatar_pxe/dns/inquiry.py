"""One question to one upstream by UDP, without its socket: in which forms it is sent, and which reply settles it.

An upstream, or a router before it, may fail questions with EDNS (RFC 6891, 7; RFC 5625) or give names back in another
case than asked (draft-vixie-dnsext-dns0x20). Each is tried without then, and an upstream that needs it is remembered.
Silence tells nothing by itself, since an outage is silent too: a plainer form is sent side by side with the fuller ones,
and only an upstream that answers the one and not the other at the same moment shows what it fails at.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf

from msgspec import Struct, field

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dns.message import (
    is_answer,
    is_reply,
    is_truncated,
    rcode_of,
    repeats_question,
    repeats_spelling,
)
from iluvatar_pxe.wire.dns.query import in_random_case, without_edns
from iluvatar_pxe.wire.dns.types import TELLING, Rcode

RETRY_SECONDS = 900.0
"""For which an upstream is asked without what it failed at."""
_FAILURES = 2
"""In a row, until it is: a lost datagram, or an upstream that fails for a moment, is no proof."""
_ID_OCTETS, _CASE_OCTETS = 2, 32
_REFUSALS = frozenset({Rcode.FORMERR, Rcode.NOTIMP})


@dataclass(slots=True)
class Ability:
    """Whether an upstream copes with something, as far as its answers show."""

    proven: bool = False
    _failures: int = 0
    _counted: float = -inf
    _until: float = 0.0

    def is_usable(self, now: float) -> bool:
        """Say whether it may be tried now (seconds of a clock that does not go back)."""
        return now >= self._until

    def works(self) -> None:
        """Take note of an answer to a question that had it."""
        self.proven, self._failures = True, 0

    def fails(self, begun: float, now: float) -> bool:
        """Take note that a question of ``begun`` was answered only without it; say whether it is given up for a while.

        Questions that were out at the same time tell of one moment, and count once.
        """
        if begun < self._counted or not self.is_usable(now):
            return False
        self._failures, self._counted = self._failures + 1, now
        if self._failures < _FAILURES:
            return False
        self.proven, self._failures, self._until = False, _FAILURES - 1, now + RETRY_SECONDS
        return True


class Abilities(Struct, frozen=True):
    """What is known of one upstream, for questions with or without DO: some routers drop only the former."""

    edns: Ability = field(default_factory=Ability)
    case: Ability = field(default_factory=Ability)


class _Manner(Struct, frozen=True):
    """How a question is put."""

    edns: bool
    random_case: bool

    def is_fuller(self, other: "_Manner") -> bool:
        """Say whether it has all that another has, and more."""
        return self != other and self.edns >= other.edns and self.random_case >= other.random_case


class _Form(Struct, frozen=True):
    """A question as it was sent; its id is its own, so that a reply tells what it answers."""

    manner: _Manner
    octets: bytes
    moment: int


class Inquiry:
    """``again`` returns what to send first, and each time that nothing has come; ``take`` is told what comes.

    Once there is a ``reply``, more is waited for while ``is_open``, for a moment: a fuller form's answer is preferred.
    """

    def __init__(
        self, query: bytes, abilities: Abilities, now: float, random: Callable[[int], bytes]
    ) -> None:
        """``query`` has EDNS, and its name in lower case; ``random`` returns octets that nobody can guess."""
        self._query = query
        self._abilities = abilities
        self._random = random
        self._begun = now
        full = _Manner(abilities.edns.is_usable(now), abilities.case.is_usable(now))
        without = full if abilities.edns.proven else replace(full, edns=False)
        self._last = (full, replace(full, edns=False), _Manner(edns=False, random_case=False))
        self._moments = iter(((full,), (full, without)))
        self._moment = 0
        self._forms: dict[bytes, _Form] = {}
        self._refused: set[bytes] = set()
        """Ids of forms that were answered with a failure of their own."""
        self._fails_at = _Manner(edns=False, random_case=False)
        """What such failures were about."""
        self._answered: _Form | None = None
        self.reply = b""
        """What settles the question; empty until then. It may be truncated."""

    @property
    def answered(self) -> bytes:
        """The form of the question that ``reply`` answers."""
        return self._answered.octets if self._answered else b""

    @property
    def is_open(self) -> bool:
        """Say whether the answer to a fuller form may still come, of those that were sent with the answered one."""
        return (
            any(one.manner.is_fuller(self._answered.manner) for one in self._silent())
            if self._answered
            else True
        )

    def again(self) -> list[bytes]:
        """Return the question in the next forms: the last one is what every DNS server understands."""
        self._moment += 1
        return [self._put(manner) for manner in dict.fromkeys(next(self._moments, self._last))]

    def take(self, reply: bytes) -> bytes:
        """Look at a datagram; return what to send because of it, or nothing."""
        form = self._forms.get(reply[:_ID_OCTETS])
        if form is None or not is_reply(reply):
            return b""
        manner = form.manner
        if manner.edns and self._fails_edns(form.octets, reply):
            self._fails_at = replace(self._fails_at, edns=True)
            return self._put_plainer(form, replace(manner, edns=False))
        if not (is_answer(form.octets, reply) or _is_cut_off(form.octets, reply)):
            return b""
        if manner.random_case and not repeats_spelling(form.octets, reply):
            self._fails_at = replace(self._fails_at, random_case=True)
            return self._put_plainer(form, replace(manner, random_case=False))
        if self._answered is None or (manner.is_fuller(self._answered.manner) and _tells(reply)):
            self._answered, self.reply = form, reply
        return b""

    def learn(self, now: float) -> Iterator[str]:
        """Take note of what the upstream copes with; yield in words what it is asked without from now on."""
        if self._answered is None or not _tells(self.reply):
            return
        manner, silent = self._answered.manner, [form.manner for form in self._silent()]
        abilities, fails_at = self._abilities, self._fails_at
        for has, ability, is_shown, name in (
            (manner.edns, abilities.edns, fails_at.edns or replace(manner, edns=True) in silent, "EDNS"),
            (
                manner.random_case,
                abilities.case,
                fails_at.random_case or replace(manner, random_case=True) in silent,
                "random case (0x20)",
            ),
        ):
            if has:
                ability.works()
            elif is_shown and ability.fails(self._begun, now):
                yield name

    def _silent(self) -> Iterator[_Form]:
        """Yield the forms that were sent with the answered one or later, and that nothing has come to."""
        since = self._answered.moment if self._answered else 0
        return (
            one for number, one in self._forms.items() if one.moment >= since and number not in self._refused
        )

    def _put(self, manner: _Manner) -> bytes:
        octets = self._query if manner.edns else without_edns(self._query)
        if manner.random_case:
            octets = in_random_case(octets, self._random(_CASE_OCTETS))
        while (number := self._random(_ID_OCTETS)) in self._forms:
            pass
        form = self._forms[number] = _Form(manner, number + octets[_ID_OCTETS:], self._moment)
        return form.octets

    def _put_plainer(self, refused: _Form, manner: _Manner) -> bytes:
        """Return a form in place of one that failed, once."""
        self._refused.add(refused.octets[:_ID_OCTETS])
        return b"" if any(form.manner == manner for form in self._forms.values()) else self._put(manner)

    def _fails_edns(self, query: bytes, reply: bytes) -> bool:
        """Say whether a reply may be the OPT record's fault: an upstream that copes with it is believed its failures.

        FORMERR and NOTIMP may come with nothing but a header.
        """
        if reply[3] & 0x0F in _REFUSALS:
            return True
        if not repeats_question(query, reply) or is_truncated(reply):
            return False
        try:
            rcode = rcode_of(reply)
        except WireError:
            return True
        return rcode not in TELLING and (rcode > Rcode.REFUSED or not self._abilities.edns.proven)


def _tells(reply: bytes) -> bool:
    return is_truncated(reply) or rcode_of(reply) in TELLING


def _is_cut_off(query: bytes, reply: bytes) -> bool:
    """Say whether an answer was truncated, maybe in the middle of a record: TCP has the whole one."""
    return is_truncated(reply) and repeats_question(query, reply)
