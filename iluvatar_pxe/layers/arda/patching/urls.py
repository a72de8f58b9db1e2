"""Addresses as Talos merges them: part by part."""

import re
from typing import NamedTuple

_URL = re.compile(
    r"(?:(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*):)?(?://(?:(?P<user>[^@/?#]*)@)?(?P<host>[^/?#]*))?"
    r"(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?"
)


class _Url(NamedTuple):
    scheme: str
    user: str
    host: str
    path: str
    query: str
    fragment: str


def merged_url(old: str, new: str) -> str | None:
    """Return an address with the parts that another one has; None where both name a user, which Talos cannot merge."""
    left, right = _parsed(old), _parsed(new)
    if left is None or right is None:
        return new
    if left.user and right.user:
        return None
    scheme, user, host, path, query, fragment = (
        ours or theirs for ours, theirs in zip(right, left, strict=True)
    )
    authority = f"//{user}@{host}" if user else f"//{host}" if host else ""
    slash = "/" if authority and path and not path.startswith("/") else ""
    question, mark = "?" if query else "", "#" if fragment else ""
    return f"{scheme}{':' if scheme else ''}{authority}{slash}{path}{question}{query}{mark}{fragment}"


def _parsed(text: str) -> _Url | None:
    found = _URL.fullmatch(text)
    return _Url(*(part or "" for part in found.groups())) if found else None
