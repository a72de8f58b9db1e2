"""Names of DNS as they are on the wire (RFC 1035, 3.1), in lower case: what is compared, looked up and cached."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from iluvatar_pxe.errors import WireError

Name: TypeAlias = bytes
"""Labels with their lengths, up to the root's, in lower case: ``b"\\x03lab\\x04home\\x04arpa\\x00"``."""

ROOT: Name = b"\0"
LONGEST_NAME = 255
"""Octets (RFC 1035, 2.3.4)."""
_LONGEST_LABEL = 63
_POINTER = 0xC0
_HEADER_OCTETS = 12
_ESCAPED = re.compile(rb"\\([0-9]{3})|\\([^0-9])|([^\\])", re.DOTALL)
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_*/+=@:")


def read_name(message: bytes, offset: int) -> tuple[Name, int]:
    """Return the name at ``offset`` of a message, and where it ends there; raises WireError.

    A pointer leads to what is before the name it is part of (RFC 1035, 4.1.4), so that none leads in a circle.
    """
    labels: list[bytes] = []
    octets = 1
    start, end = offset, 0
    while True:
        if offset >= len(message):
            raise WireError("a name ends behind the message")
        length = message[offset]
        if length >= _POINTER:
            end = end or offset + 2
            offset = int.from_bytes(message[offset : offset + 2]) & 0x3FFF
            if not _HEADER_OCTETS <= offset < start:
                raise WireError("a name's pointer does not lead back")
            start = offset
            continue
        if length > _LONGEST_LABEL:
            raise WireError("a label of an unknown kind")
        offset += 1
        if not length:
            return b"".join((*labels, ROOT)).lower(), end or offset
        octets += 1 + length
        if octets > LONGEST_NAME:
            raise WireError(f"a name of more than {LONGEST_NAME} octets")
        labels.append(message[offset - 1 : offset + length])
        offset += length


def name_of(text: str) -> Name:
    """Return a name from its text, with or without the dot at its end (RFC 1035, 5.1); raises ValueError."""
    if text in {"", "."}:
        return ROOT
    if "\\" not in text:
        return _joined(text.removesuffix(".").encode().split(b"."), text)
    labels = [b""]
    position, octets = 0, text.encode()
    while position < len(octets):
        found = _ESCAPED.match(octets, position)
        if found is None or (found[1] and int(found[1]) > 255):
            raise ValueError(f"{text!r} is no name: what is written with a backslash is \\. or \\046")
        position = found.end()
        if found[3] == b".":
            labels.append(b"")
        else:
            labels[-1] += bytes([int(found[1])]) if found[1] else found[2] or found[3]
    if labels[-1] == b"":
        labels.pop()
    return _joined(labels, text)


def _joined(labels: list[bytes], text: str) -> Name:
    if not all(0 < len(label) <= _LONGEST_LABEL for label in labels):
        raise ValueError(f"{text!r} is no name: each of its labels has 1 to {_LONGEST_LABEL} octets")
    name = b"".join(bytes([len(label)]) + label for label in labels) + ROOT
    if len(name) > LONGEST_NAME:
        raise ValueError(f"{text!r} is no name: it has more than {LONGEST_NAME} octets")
    return name.lower()


def text_of(name: Name) -> str:
    """Return the text of a name, without the dot at its end; the root is ``.``."""
    return ".".join("".join(map(_escaped, label)) for label in labels_of(name)) or "."


def labels_of(name: Name) -> list[bytes]:
    """Return the labels of a name, without the root's."""
    labels, offset = [], 0
    while length := name[offset]:
        labels.append(name[offset + 1 : offset + 1 + length])
        offset += 1 + length
    return labels


def suffixes(name: Name) -> Iterator[Name]:
    """Return the name itself, its parent, and so on up to the root."""
    offset = 0
    while length := name[offset]:
        yield name[offset:]
        offset += 1 + length
    yield ROOT


def parent_of(name: Name) -> Name:
    """Return the name without its first label; the root's is the root."""
    return name[1 + name[0] :] or ROOT


def is_below(name: Name, apex: Name) -> bool:
    """Say whether a name is ``apex`` or below it."""
    return name.endswith(apex) and apex in suffixes(name)


def reverse_name(address: IPv4Address | IPv6Address) -> Name:
    """Return the name under which an address's own name is (RFC 1035, 3.5; RFC 3596, 2.5)."""
    return name_of(address.reverse_pointer)


def _escaped(octet: int) -> str:
    if octet in _PLAIN:
        return chr(octet)
    return f"\\{chr(octet)}" if 0x20 < octet < 0x7F else f"\\{octet:03d}"
