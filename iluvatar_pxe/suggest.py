"""What was probably meant by a word that is not known."""

from collections.abc import Iterable
from difflib import get_close_matches


def meant_by(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like ``word``, or None where none is."""
    return next(iter(get_close_matches(word, list(known), n=1)), None)
