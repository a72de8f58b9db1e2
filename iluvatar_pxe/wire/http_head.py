"""The plainest of HTTP requests, octets to a value: a GET of HTTP/1.1 without a body, as firmware and iPXE send it.

Whatever a parser might read in another way, or refuse, is none here.
"""

import re
from typing import NamedTuple

LONGEST_HEAD = 2048
"""Octets."""
_HEAD = re.compile(
    rb"GET (/[A-Za-z0-9%&=+.,:;_~()!*'/@$?-]*) HTTP/1\.1\r\n((?:[A-Za-z-]+: [!-~](?:[ -~]*[!-~])?\r\n)*)\r\n"
)
_KNOWN = frozenset({"host", "user-agent", "accept", "accept-encoding", "accept-language", "connection"})
"""Headers that change neither where a request ends nor, but for the last one, what follows it (RFC 9112, 6.3 and 9.3)."""


class Head(NamedTuple):
    """A request: its target as it was sent, and the Host and User-Agent that it names; it may have no User-Agent."""

    target: str
    host: str
    agent: str


def read_head(octets: bytes) -> Head | None:
    """Read octets that are one whole request, which leaves its connection open; None for anything else."""
    if len(octets) > LONGEST_HEAD or not (found := _HEAD.fullmatch(octets)):
        return None
    target, lines = (part.decode("ascii") for part in found.groups())
    fields = [
        (name.lower(), value) for name, _, value in (line.partition(": ") for line in lines.splitlines())
    ]
    headers = dict(fields)
    if len(headers) < len(fields) or "host" not in headers or not headers.keys() <= _KNOWN:
        return None
    if headers.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    return Head(target, headers["host"], headers.get("user-agent", ""))
