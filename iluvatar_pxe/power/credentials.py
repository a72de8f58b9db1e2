"""What the sealed files hold that ``power:`` names. No word of them is in an error. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from iluvatar_pxe.errors import PowerError
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.fleet.yaml.document import parse_yaml

MOST_OF_IPMI = 20
"""Octets of a password (IPMI 2.0, 22.30)."""
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_USER = re.compile(r"[\x20-\x39\x3b-\x7e]+")
"""A colon would end it (RFC 7617)."""
_TEXT = re.compile(r"[\x20-\x7e\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class Login:
    """Of a BMC."""

    username: str
    password: str = field(repr=False)


def opened(path: str, texts: Mapping[str, str]) -> str:
    """Return what a file of the fleet holds; raises PowerError where this host cannot open it."""
    text = texts.get(path)
    if text is None:
        raise PowerError(f"{path}: is not in the fleet")
    if is_sealed(text):
        raise PowerError(
            f"{path}: is sealed, but not to this host's key; run: iluvatar-pxe fleet recover --key FILE"
        )
    return text


def login_of(path: str, texts: Mapping[str, str]) -> Login:
    """Return user and password; raises PowerError."""
    found = _mapping(path, texts)
    name, password = found.get("username", ""), found.get("password", "")
    if found.keys() != {"username", "password"} or not _USER.fullmatch(name) or not _TEXT.fullmatch(password):
        raise PowerError(
            f"{path}: must hold two lines, 'username: …' and 'password: …'; unseal and correct it"
        )
    return Login(name, password)


def headers_of(path: str | None, texts: Mapping[str, str]) -> dict[str, str]:
    """Return headers by their names, none where no file is named; raises PowerError."""
    found = _mapping(path, texts) if path else {}
    if not all(_HEADER.fullmatch(name) and _TEXT.fullmatch(value) for name, value in found.items()):
        raise PowerError(f"{path}: must hold headers, one 'Name: value' a line; unseal and correct it")
    return found


def _mapping(path: str, texts: Mapping[str, str]) -> dict[str, str]:
    try:
        found = parse_yaml(opened(path, texts)).value
    except DocumentError:
        found = {}
    if not all(isinstance(value, str) for value in found.values()):
        raise PowerError(f"{path}: has values that are no text; write them in quotes")
    return dict(found)
