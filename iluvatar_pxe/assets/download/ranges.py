"""Whether a download goes on where it was interrupted (RFC 9110, 13.1.5 and 14). Pure."""

import re
from collections.abc import Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime

from msgspec import Struct

_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e]*"')
_PART = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.IGNORECASE)
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,18})", re.IGNORECASE)
_LENGTH = re.compile(r"\d{1,18}")
_SETTLED = timedelta(seconds=60)
"""A date is a strong validator only if the file was that old when it was sent (RFC 9110, 8.8.2.2)."""

_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416


class Kept(Struct, frozen=True):
    """The beginning of a file from an earlier attempt: its bytes, the validator, and the whole size if it is known.

    The validator is empty where the beginning came from elsewhere, and a checksum of the whole tells whether it fits.
    """

    size: int
    validator: str
    total: int | None


class Continue(Struct, frozen=True):
    """The answer has what follows, up to the end; ``total`` is the whole size."""

    total: int


class FromStart(Struct, frozen=True):
    """The answer has the whole file; ``total`` is its size if it is known."""

    total: int | None


class Complete(Struct, frozen=True):
    """What is kept is all of it."""


class Contradiction(Struct, frozen=True):
    """The answer does not fit what is kept: that is dropped, and the whole file asked for."""


Verdict = Continue | FromStart | Complete | Contradiction


def validator_of(headers: Mapping[str, str]) -> str | None:
    """Return what says that a file has not changed by a single byte: a strong ETag, or a date that is old enough."""
    tag = headers.get("ETag", "")
    if tag:
        return tag if _STRONG_TAG.fullmatch(tag) else None
    modified = headers.get("Last-Modified", "")
    try:
        age = parsedate_to_datetime(headers.get("Date", "")) - parsedate_to_datetime(modified)
    except (ValueError, TypeError):  # no date, or one with a time zone and one without
        return None
    is_text = modified.isascii() and modified.isprintable()
    return modified if is_text and age >= _SETTLED else None


def conditions(kept: Kept | None) -> dict[str, str]:
    """Return the header fields that ask for the rest, if the file is still the same, and else for all of it."""
    if kept is None:
        return {}
    condition = {"If-Range": kept.validator} if kept.validator else {}
    return {"Range": f"bytes={kept.size}-", **condition}


def judge(kept: Kept | None, status: int, headers: Mapping[str, str]) -> Verdict:
    """Say what an answer of status 200, 206 or 416 has to do with what is kept."""
    if status == _OK:
        return FromStart(length_of(headers))
    if kept is None:
        return Contradiction()
    if status == _PARTIAL:
        return _judge_part(kept, headers)
    return _judge_end(kept, headers) if status == _UNSATISFIABLE else Contradiction()


def length_of(headers: Mapping[str, str]) -> int | None:
    """Return the length that a body is to have, or None where it is not said."""
    length = headers.get("Content-Length", "")
    return int(length) if _LENGTH.fullmatch(length) else None


def _judge_part(kept: Kept, headers: Mapping[str, str]) -> Verdict:
    match = _PART.fullmatch(headers.get("Content-Range", ""))
    if match is None or int(match[1]) != kept.size:
        return Contradiction()
    total = kept.total if match[3] == "*" else int(match[3])
    if total is None or int(match[2]) != total - 1 or kept.total not in {None, total}:
        return Contradiction()
    is_same = not kept.validator or _named(kept, headers) == kept.validator
    return Continue(total) if is_same else Contradiction()


def _judge_end(kept: Kept, headers: Mapping[str, str]) -> Verdict:
    """Say whether nothing follows what is kept; the answer may leave its validator out if the size was known before."""
    match = _UNSATISFIED.fullmatch(headers.get("Content-Range", ""))
    named = _named(kept, headers)
    is_same = not kept.validator or named == kept.validator or (named is None and kept.total == kept.size)
    is_all = match is not None and int(match[1]) == kept.size and kept.total in {None, kept.size}
    return Complete() if is_same and is_all else Contradiction()


def _named(kept: Kept, headers: Mapping[str, str]) -> str | None:
    """Return the validator of an answer that is of the same kind as what is kept has, an ETag or a date."""
    return headers.get("ETag" if kept.validator.startswith('"') else "Last-Modified")
