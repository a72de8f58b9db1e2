"""Ethernet addresses in one spelling: lower case, colons."""

import re

_SEPARATORS = re.compile(r"[:.\-]")
_TWELVE_HEX_DIGITS = re.compile(r"[0-9a-f]{12}")


def parse_mac(text: str) -> str:
    """Return ``52:54:00:12:34:56`` for any usual spelling of it; raises ValueError for anything else."""
    digits = _SEPARATORS.sub("", text.strip().lower())
    if not _TWELVE_HEX_DIGITS.fullmatch(digits):
        raise ValueError(f"{text[:40]!r} is not a MAC address such as 52:54:00:12:34:56")
    octets = bytes.fromhex(digits)
    if octets[0] & 1 or not any(octets):
        raise ValueError(f"{text[:40]!r} is a group or null address, not one machine's")
    return format_mac(octets)


def format_mac(octets: bytes) -> str:
    """Return the spelling used everywhere for six octets."""
    return octets.hex(":")
