"""Which range of a request counts (RFC 9110, 13.1.5 and 14): aiohttp takes also those that are to be ignored. Pure."""

import re
from collections.abc import Mapping

from aiohttp import hdrs

_NOTHING = re.compile(r"bytes=-0+", re.ASCII | re.IGNORECASE)
_BYTES = re.compile(r"bytes=[^,]*", re.ASCII | re.IGNORECASE)
_TAG = re.compile(r'(?:W/)?".*')


def is_ignored(headers: Mapping[str, str], tag: str) -> bool:
    """Say whether the whole file is sent: it has another ETag than ``tag``, or several ranges or other units are asked for."""
    condition = headers.get(hdrs.IF_RANGE, "").strip()
    is_other = bool(_TAG.fullmatch(condition)) and condition != tag
    return is_other or not _BYTES.fullmatch(headers.get(hdrs.RANGE, "bytes=").strip())


def is_empty(headers: Mapping[str, str]) -> bool:
    """Say whether the last 0 bytes are asked for: no file has such a range."""
    return bool(_NOTHING.fullmatch(headers.get(hdrs.RANGE, "").strip()))
