"""Short answers of publishers' own interfaces, over HTTP by the standard library alone. Blocks.

The check of a push starts with this each time. Files are downloaded by ``assets/download``.
"""

import json
import ssl
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from iluvatar_pxe.errors import FactoryError, FactoryRefusalError
from iluvatar_pxe.printable import printable

_T = TypeVar("_T")

SECONDS = 20.0
"""How long an answer may take; nothing that is asked here is built first."""
LARGEST_ANSWER = 4 << 20
"""Bytes; a list of extensions with their descriptions has some 100,000."""
_MOST_TOLD = 200
"""Characters of a publisher's own words that are passed on."""
_REFUSALS: Mapping[int, str] = MappingProxyType(
    {
        400: "refuses {what}",
        401: "wants a login for {what}",
        402: "offers {what} only to paying customers",
        403: "denies {what}",
        404: "has no {what}",
    }
)
"""Answers that stay the same however often one asks."""


def first_answer(addresses: Sequence[str], answer_of: Callable[[str], _T]) -> _T:
    """Return the first answer that is one, in the order of the addresses, of which there is at least one.

    ``answer_of`` asks one of them, and raises FactoryError also for what answers something else: a mirror may have
    files alone, and a page for all other names. Raises the FactoryError of the last address.
    """
    *others, last = addresses
    for address in others:
        with suppress(FactoryError):
            return answer_of(address)
    return answer_of(last)


def ask(address: str, path: str, what: str, body: bytes | None = None, seconds: float = SECONDS) -> bytes:
    """Return the answer to GET, or to POST with a ``body``; ``what`` is asked for, in words. Raises FactoryError."""
    request_id = uuid.uuid4().hex
    headers = {"X-Request-ID": request_id, "Accept": "*/*", "User-Agent": "iluvatar-pxe"}
    request = Request(f"{address}/{path}", body, headers)  # noqa: S310 - the opener knows http and https alone
    until = time.monotonic() + seconds
    try:
        with _opener().open(request, timeout=seconds) as response:
            return _read(response, until)
    except HTTPError as error:
        with error:
            _refuse(address, what, error, request_id)
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        why = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise FactoryError(f"{address}: cannot be reached: {why}; check this host's connection") from error


def json_of(address: str, answer: bytes) -> Any:
    """Return an answer's JSON; raises FactoryError."""
    try:
        return json.loads(answer)
    except ValueError as error:
        why = "it may be the page of a login; correct its address, or ask again later"
        raise FactoryError(f"{address}: answers with no JSON: {why}") from error


def _opener() -> OpenerDirector:
    """Return what opens addresses by the environment's proxies; redirects are followed nowhere."""
    opener = OpenerDirector()
    secure = HTTPSHandler(context=ssl.create_default_context())
    for handler in (ProxyHandler(), HTTPHandler(), secure, HTTPDefaultErrorHandler(), HTTPErrorProcessor()):
        opener.add_handler(handler)
    return opener


def _read(response: HTTPResponse, until: float) -> bytes:
    """Read an answer; raises OSError where it is too long, or takes too long."""
    found = bytearray()
    while chunk := response.read1(64 << 10):
        found += chunk
        if len(found) > LARGEST_ANSWER:
            raise OSError(f"its answer is longer than {LARGEST_ANSWER} bytes")
        if time.monotonic() > until:
            raise TimeoutError("its answer takes too long")
    return bytes(found)


def _refuse(address: str, what: str, error: HTTPError, request_id: str) -> NoReturn:
    """Raise what an answer other than 200 means, in one line with the factory's own words."""
    told = _told(error)
    words = f": {told}" if told else ""
    if text := _REFUSALS.get(error.code):
        raise FactoryRefusalError(f"{address}: {text.format(what=what)}{words}; correct the layer's file")
    if error.code == 429:
        raise FactoryError(f"{address}: has had too many requests{words}; it is asked again later")
    if 300 <= error.code < 400:
        place = printable(str(error.headers.get("Location"))[:_MOST_TOLD])
        raise FactoryError(f"{address}: has moved to {place}; name that address in the catalogue")
    raise FactoryError(
        f"{address}: cannot tell its {what} now: HTTP {error.code}{words}; it is asked again later "
        f"(request {request_id})"
    )


def _told(error: HTTPError) -> str:
    """Return the factory's own words, shortened to one line."""
    try:
        octets = error.read(_MOST_TOLD * 4)
    except (OSError, HTTPException):
        return ""
    return printable(" ".join(octets.decode(errors="replace").split())[:_MOST_TOLD])
