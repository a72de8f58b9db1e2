"""Which of a client's TFTP options hold: RFC 2347, 2348 (blksize), 2349 (timeout, tsize), 7440 (windowsize)."""

from collections.abc import Callable

from msgspec import Struct

from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.tftp.packet import Options

_BLKSIZES = range(8, 65464 + 1)
_TIMEOUTS = range(1, 255 + 1)
_WINDOWSIZES = range(1, 65535 + 1)
_WIDEST_WINDOW = 0x7FFF
"""Half of the block numbers: in a wider window an old acknowledgement looks like a new one."""
_MAX_DIGITS = 20
"""Room for any 64-bit number; longer ones are nobody's file size."""


class Terms(Struct, frozen=True):
    """What one transfer was agreed to be; the defaults are RFC 1350's, for a client without options."""

    blksize: int = 512
    """Bytes per block."""
    windowsize: int = 1
    """Blocks per acknowledgement."""
    timeout: int | None = None
    """Seconds until the first retransmission, where the client chose them; they count from its first ACK on."""
    accepted: Options = ()
    """The options to acknowledge, in the client's order; empty means no OACK."""


class Limits(Struct, frozen=True):
    """What this server grants at most."""

    max_blksize: int
    max_windowsize: int


def negotiate(options: Options, size: int, limits: Limits) -> Terms:
    """Return the terms for a file of ``size`` bytes.

    Unknown options, invalid values and repetitions are left out, as if the client had not sent them; values
    above a limit are answered with the limit, which RFC 2348 and RFC 7440 allow.
    """
    terms = Terms()
    for name, text in options:
        grant = _GRANTS.get(name)
        asked = _decimal(text)
        if grant is None or asked is None or name in dict(terms.accepted):
            continue
        granted = grant(terms, asked, size, limits)
        if granted is not None:
            changed, value = granted
            terms = replace(changed, accepted=(*terms.accepted, (name, str(value))))
    return terms


def _decimal(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else None


_Granted = tuple[Terms, int] | None


def _blksize(terms: Terms, asked: int, _size: int, limits: Limits) -> _Granted:
    value = min(asked, limits.max_blksize)
    return (replace(terms, blksize=value), value) if asked in _BLKSIZES else None


def _windowsize(terms: Terms, asked: int, _size: int, limits: Limits) -> _Granted:
    value = min(asked, limits.max_windowsize, _WIDEST_WINDOW)
    return (replace(terms, windowsize=value), value) if asked in _WINDOWSIZES else None


def _timeout(terms: Terms, asked: int, _size: int, _limits: Limits) -> _Granted:
    return (replace(terms, timeout=asked), asked) if asked in _TIMEOUTS else None


def _tsize(terms: Terms, _asked: int, size: int, _limits: Limits) -> _Granted:
    return terms, size


_GRANTS: dict[str, Callable[[Terms, int, int, Limits], _Granted]] = {
    "blksize": _blksize,
    "timeout": _timeout,
    "tsize": _tsize,
    "windowsize": _windowsize,
}
