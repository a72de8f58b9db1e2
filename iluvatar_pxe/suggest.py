"""What was probably meant by a word that is not known."""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

MOST_KNOWN = 500
"""Among more words nothing is suggested: each takes up to 20 µs, in which a daemon answers nobody."""


def meant_by(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like ``word``, or None where none is, or there are too many."""
    words = list(islice(known, MOST_KNOWN + 1))
    return next(iter(get_close_matches(word, words, n=1)), None) if len(words) <= MOST_KNOWN else None
