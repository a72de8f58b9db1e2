"""Tickets: the right of one machine, in one boot, to fetch its configuration, or what it configures itself with."""

import base64
import binascii
import hmac
import os
import re
import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from uuid import UUID

import structlog
from msgspec import Struct

from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.host.durable import write_file

LIFETIME = 4 * 3600.0
"""Seconds, by the monotonic clock: a Pi has no other to trust."""
OUTLIVES = 10 * 60.0
"""Seconds from its making for which a ticket outlives its boot, so that no DHCP message can take a boot's last step away."""
KEY_OCTETS = 32
MOST_MACHINES = 65536
"""Machines whose tickets' age is known; one that is forgotten counts from the daemon's start."""
_MOST_TICKETS = 1024
"""Remembered beside the key, from which they are made."""
_BOOTS = 2
"""Of each machine, the last ones with a ticket."""

_FLEETING = "until then a restart ends the boots under way"
_CLAIM = struct.Struct("!16sI")
_MAC_OCTETS = 16
_TICKET = re.compile(r"(?<![\w-])[\w-]{48}(?![\w-])", re.ASCII)

_log = structlog.get_logger()


def mask(text: str) -> str:
    """Hide every ticket in a text that is going to be logged."""
    return _TICKET.sub("TICKET", text)


class Claim(Struct, frozen=True):
    """What a valid ticket says: this machine, in its boot number ``generation``."""

    machine_id: UUID
    generation: int


class Tickets:
    """Mints and checks tickets: an HMAC over claim and purpose, which is not stored."""

    def __init__(self, key: bytes, clock: Callable[[], float]) -> None:
        self._key = key
        self._keyed = hmac.new(key, digestmod="sha256")
        """To be copied: OpenSSL looks for the algorithm anew whenever a key is set."""
        self._ageless = lru_cache(_MOST_TICKETS)(self._make)
        self._clock = clock
        self._opened = clock()
        self._first_minted: Recent[UUID, dict[int, float]] = Recent(MOST_MACHINES)
        """When the tickets of a machine's boots were made."""

    def apart(self) -> "Tickets":
        """Return tickets with the same key whose age is remembered apart, so that nobody's minting ages another's."""
        return Tickets(self._key, self._clock)

    def mint(self, claim: Claim, purpose: str) -> str:
        """Return a ticket; all tickets of one boot are the same and die together."""
        born = self._born(claim.machine_id)
        if claim.generation not in born:
            latest = (*born.items(), (claim.generation, self._clock()))[-_BOOTS:]
            self._first_minted.put(claim.machine_id, dict(latest))
        return self.ageless(claim, purpose)

    def ageless(self, claim: Claim, purpose: str) -> str:
        """Return a ticket for which only ``claimed`` is asked: how long it is good, other things say."""
        return self._ageless(claim, purpose)

    def claimed(self, ticket: str, purpose: str) -> Claim | None:
        """Return what a ticket says if it is genuine, and for this purpose, however old it is; else None."""
        try:
            octets = base64.urlsafe_b64decode(ticket)
            claim = _claim(octets)
        except (binascii.Error, ValueError, struct.error):
            return None
        genuine = hmac.compare_digest(octets, self._sign(claim, purpose)) and _text(octets) == ticket
        return claim if genuine else None

    def check(self, ticket: str, purpose: str) -> Claim | None:
        """Return what a ticket says if it is genuine, for this purpose, and not too old; else None."""
        claim = self.claimed(ticket, purpose)
        return claim if claim and self._is_young(claim) else None

    def renew(self, claim: Claim) -> None:
        """Count the age of a boot's tickets from now on."""
        born = {**self._born(claim.machine_id), claim.generation: self._clock()}
        self._first_minted.put(claim.machine_id, dict([*born.items()][-_BOOTS:]))

    def outlives_its_boot(self, claim: Claim) -> bool:
        """Say whether a ticket is so young that it is good although its machine has begun another boot."""
        born = self._born(claim.machine_id).get(claim.generation)
        return born is not None and self._clock() - born < OUTLIVES

    def _make(self, claim: Claim, purpose: str) -> str:
        return _text(self._sign(claim, purpose))

    def _is_young(self, claim: Claim) -> bool:
        born = self._born(claim.machine_id).get(claim.generation, self._opened)
        return self._clock() - born < LIFETIME

    def _born(self, machine_id: UUID) -> dict[int, float]:
        """When the tickets of a machine's last boots were made; one of an earlier run of the daemon counts from its start."""
        return self._first_minted.get(machine_id) or {}

    def _sign(self, claim: Claim, purpose: str) -> bytes:
        octets = _CLAIM.pack(claim.machine_id.bytes, claim.generation)
        mac = self._keyed.copy()
        mac.update(purpose.encode() + b"\0" + octets)
        return octets + mac.digest()[:_MAC_OCTETS]


class TicketKey(Struct, frozen=True):
    """The key, and why it is good only until the next restart, in one line, or None."""

    octets: bytes
    problem: str | None = None


def load_key(path: Path) -> TicketKey:
    """Return the key in ``path``, made and stored (mode 0600) where there is none, or no whole one; blocks.

    A new key costs the boots under way, whose tickets are of the old one, and no more than that.
    """
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return _new_key(path)
    except OSError as error:
        return TicketKey(
            os.urandom(KEY_OCTETS),
            f"{path}: cannot be read: {error.strerror}; make it readable for the service, or remove it: {_FLEETING}",
        )
    if len(key) == KEY_OCTETS:
        return TicketKey(key)
    made = _new_key(path)
    _log.warning(
        "tickets.key", file=str(path), why=f"held {len(key)} bytes, not {KEY_OCTETS}", now="a new key is used"
    )
    return made


def _new_key(path: Path) -> TicketKey:
    key = os.urandom(KEY_OCTETS)
    try:
        write_file(path, key)
    except OSError as error:
        why = f"cannot be written: {error.strerror}; make room or correct its rights: {_FLEETING}"
        return TicketKey(key, f"{path}: {why}")
    return TicketKey(key)


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode("ascii")


def _claim(octets: bytes) -> Claim:
    machine_id, generation = _CLAIM.unpack(octets[:-_MAC_OCTETS])
    return Claim(UUID(bytes=machine_id), generation)
