"""Host names, and the patterns that a layer's names are counted by."""

import re

HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
PATTERN = re.compile(r"([a-z0-9][a-z0-9-]*)?#+([a-z0-9-]*[a-z0-9])?")
MOST = 50
"""Characters of a pattern, so that large numbers still give host names."""
MOST_OF_LAYER = 32
"""Characters of a layer's name, so that its machines' names, and the DNS names below it, are not too long."""
_DIGITS = frozenset("0123456789#*")
"""What may stand for digits where patterns are compared."""


def is_host_name(text: str) -> bool:
    """Say whether a text is one label of a host name, in lower case (RFC 1123)."""
    return HOST_NAME.fullmatch(text) is not None


def is_layer_name(text: str) -> bool:
    """Say whether a text can be a layer's name."""
    return len(text) <= MOST_OF_LAYER and is_host_name(text)


def default_pattern(layer: str) -> str:
    """Return the pattern of a layer whose file says none."""
    return f"{layer}-##"


def is_pattern(text: str) -> bool:
    """Say whether a text is a pattern such as ``arda-##``: a host name with one run of ``#`` for its number."""
    return len(text) <= MOST and PATTERN.fullmatch(text) is not None


def overlap(one: str, other: str) -> bool:
    """Say whether two patterns can give the same name; a number may have more digits than its pattern."""
    return _meet(_open(one), _open(other))


def _open(pattern: str) -> str:
    """Mark the place of further digits: ``arda-##`` becomes ``arda-##*``."""
    return re.sub("#+", lambda run: f"{run[0]}*", pattern)


def _meet(one: str, other: str) -> bool:
    """Compare from the left; ``#`` is one digit, ``*`` any number of them."""
    if not one or not other:
        return not (one + other).strip("*")
    mine, its = one[0], other[0]
    if mine == "*":
        return _meet(one[1:], other) or (its in _DIGITS and _meet(one, other[1:]))
    if its == "*":
        return _meet(other, one)
    both = mine == its or ("#" in {mine, its} and {mine, its} <= _DIGITS)
    return both and _meet(one[1:], other[1:])
