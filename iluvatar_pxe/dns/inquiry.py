"""One question to one upstream by UDP, without its socket: in which forms it is sent, and which reply settles it.

An upstream, or a router before it, may fail questions with EDNS (RFC 6891, 7; RFC 5625) or give names back in another
case than asked (draft-vixie-dnsext-dns0x20). Each is tried without then, and an upstream that needs it is remembered.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from iluvatar_pxe.errors import WireError
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
    _until: float = 0.0

    def is_usable(self, now: float) -> bool:
        """Say whether it may be tried now (seconds of a clock that does not go back)."""
        return now >= self._until

    def works(self) -> None:
        """Take note of an answer to a question that had it."""
        self.proven, self._failures = True, 0

    def fails(self, now: float) -> bool:
        """Take note that a question was answered only without it; say whether it is given up for a while."""
        self._failures += 1
        if self._failures < _FAILURES or not self.is_usable(now):
            return False
        self.proven, self._failures, self._until = False, _FAILURES - 1, now + RETRY_SECONDS
        return True


@dataclass(frozen=True, slots=True)
class Abilities:
    """What is known of one upstream, for questions with or without DO: some routers drop only the former."""

    edns: Ability = field(default_factory=Ability)
    case: Ability = field(default_factory=Ability)


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a question is put."""

    edns: bool
    random_case: bool


@dataclass(frozen=True, slots=True)
class _Form:
    """A question as it was sent; its id is its own, so that a reply tells what it answers."""

    manner: _Manner
    octets: bytes


class Inquiry:
    """``again`` returns what to send first, and each time that nothing has come; ``take`` is told what comes."""

    def __init__(
        self, query: bytes, abilities: Abilities, now: float, random: Callable[[int], bytes]
    ) -> None:
        """``query`` has EDNS, and its name in lower case; ``random`` returns octets that nobody can guess."""
        self._query = query
        self._abilities = abilities
        self._random = random
        first = _Manner(abilities.edns.is_usable(now), abilities.case.is_usable(now))
        second = first if abilities.edns.proven else replace(first, edns=False)
        self._manners = iter((first, second))
        self._forms: dict[bytes, _Form] = {}
        self._answered: _Form | None = None
        self.reply = b""
        """What settles the question; empty until then. It may be truncated."""

    @property
    def answered(self) -> bytes:
        """The form of the question that ``reply`` answers."""
        return self._answered.octets if self._answered else b""

    def again(self) -> bytes:
        """Return the question in the next form: the last one is what every DNS server understands."""
        return self._put(next(self._manners, _Manner(edns=False, random_case=False)))

    def take(self, reply: bytes) -> bytes:
        """Look at a datagram; return what to send because of it, or nothing."""
        form = self._forms.get(reply[:_ID_OCTETS])
        if form is None or not is_reply(reply):
            return b""
        manner = form.manner
        if manner.edns and self._fails_edns(form.octets, reply):
            return self._put_once(replace(manner, edns=False))
        if not (is_answer(form.octets, reply) or _is_cut_off(form.octets, reply)):
            return b""
        if manner.random_case and not repeats_spelling(form.octets, reply):
            return self._put_once(replace(manner, random_case=False))
        self._answered, self.reply = form, reply
        return b""

    def learn(self, now: float) -> Iterator[str]:
        """Take note of what the upstream copes with; yield in words what it is asked without from now on."""
        if self._answered is None or not (is_truncated(self.reply) or rcode_of(self.reply) in TELLING):
            return
        manner, tried = self._answered.manner, [form.manner for form in self._forms.values()]
        abilities = self._abilities
        for has, was_tried, ability, name in (
            (manner.edns, any(one.edns for one in tried), abilities.edns, "EDNS"),
            (manner.random_case, any(one.random_case for one in tried), abilities.case, "random case (0x20)"),
        ):
            if has:
                ability.works()
            elif was_tried and ability.fails(now):
                yield name

    def _put(self, manner: _Manner) -> bytes:
        octets = self._query if manner.edns else without_edns(self._query)
        if manner.random_case:
            octets = in_random_case(octets, self._random(_CASE_OCTETS))
        while (number := self._random(_ID_OCTETS)) in self._forms:
            pass
        form = self._forms[number] = _Form(manner, number + octets[_ID_OCTETS:])
        return form.octets

    def _put_once(self, manner: _Manner) -> bytes:
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


def _is_cut_off(query: bytes, reply: bytes) -> bool:
    """Say whether an answer was truncated, maybe in the middle of a record: TCP has the whole one."""
    return is_truncated(reply) and repeats_question(query, reply)
