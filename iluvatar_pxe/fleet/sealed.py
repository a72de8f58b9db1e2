"""Files of the fleet that are encrypted with age. Pure."""

from collections.abc import Mapping

ARMOR = "-----BEGIN AGE ENCRYPTED FILE-----"
"""The first line of an armored age file (age-encryption.org/v1)."""


def is_sealed(text: str) -> bool:
    """Say whether a file of the fleet is encrypted, whatever its name is."""
    return text.startswith(ARMOR)


def sealed_paths(texts: Mapping[str, str]) -> tuple[str, ...]:
    """Return the paths of those texts that are sealed."""
    return tuple(path for path, text in texts.items() if is_sealed(text))
