"""The process that delivers one message: ``python -m iluvatar_pxe.notifications.child``.

Its standard input is JSON with ``address``, ``title`` and ``body``; its standard output is JSON with the fields of an
``Outcome``. Only here apprise is loaded, of which the daemon's memory has no room.
"""

import json
import logging
import os
import re
import resource
import ssl
import sys
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType, OverflowMode
from requests.adapters import HTTPAdapter

from iluvatar_pxe.fleet.notifications import has_secret
from iluvatar_pxe.notifications.guard import guard, own_places
from iluvatar_pxe.notifications.outcome import Outcome

_MEMORY = 1 << 30
"""Bytes of address space: an answer may have no end."""
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 20.0
_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""Of the answers that blame the request, those after which it may be sent again."""
_FAULTS: tuple[tuple[type[Exception], str], ...] = (
    (requests.exceptions.SSLError, "its TLS certificate is not trusted"),
    (requests.exceptions.ProxyError, "the proxy cannot be reached"),
    (requests.exceptions.ConnectTimeout, f"no connection within {_CONNECT_SECONDS:g} s"),
    (requests.exceptions.ReadTimeout, f"no answer within {_READ_SECONDS:g} s"),
    (requests.exceptions.ConnectionError, "cannot be reached"),
    (requests.exceptions.RequestException, "the address or the answer is not HTTP"),
)
"""In the order in which they are looked for."""
_MOST_WORDS = 200


class _Seen(logging.Handler):
    """What goes wrong on the way: apprise itself only says that something did."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.outcome: Outcome | None = None
        self.words = ""
        """Of apprise, which may hold parts of the address."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what apprise warns of."""
        self.words = record.getMessage()

    def refused(self, why: str) -> None:
        """Keep why the guard lets nothing be sent."""
        self.outcome = Outcome(why, is_final=True)


def _observed(seen: _Seen) -> Callable[..., requests.Response]:
    """Return what sends every request of the library ``requests``; no redirect is followed, whoever asks for that."""
    plain = HTTPAdapter.send

    def send(adapter: HTTPAdapter, *arguments: Any, **options: Any) -> requests.Response:
        try:
            response = plain(adapter, *arguments, **options)
        except requests.RequestException as error:
            words = next(words for kind, words in _FAULTS if isinstance(error, kind))
            seen.outcome = seen.outcome or Outcome(words)
            raise
        if response.is_redirect:
            seen.outcome = Outcome(_redirected(response.headers["location"]), is_final=True)
            raise requests.TooManyRedirects
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            seen.outcome = _refused(response.status_code)
        return response

    return send


def _redirected(location: str) -> str:
    try:
        host = urlsplit(location).hostname or "another path"
    except ValueError:
        host = "another place"
    return f"redirects to {host[:100]}, and no redirect is followed; write the address that it leads to"


def _refused(status: int) -> Outcome:
    phrase = next((one.phrase for one in HTTPStatus if one == status), "")
    is_final = status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _LATER
    return Outcome(f"answers {status} {phrase}".rstrip(), is_final)


def _masked(words: str, address: str) -> str:
    """Return words without anything of an address that holds a secret."""
    if has_secret(address):
        pieces = re.split(r"[^A-Za-z0-9_.-]+", f"{address} {unquote(address)}")
        for piece in sorted(filter(None, pieces), key=len, reverse=True):
            words = words.replace(piece, "…") if len(piece) > 3 else words
    return words[:_MOST_WORDS]


def _deliver(address: str, title: str, body: str) -> Outcome:
    seen = _Seen()
    logging.getLogger("apprise").addHandler(seen)
    service = Apprise.instantiate(address, asset=AppriseAsset(http_redirects=False))
    if service is None:
        why = _masked(seen.words, address) or "see docs/notifications.md"
        return Outcome(f"not an address of that service: {why}", is_final=True)
    service.redirects, service.overflow_mode = False, OverflowMode.TRUNCATE
    service.socket_connect_timeout, service.socket_read_timeout = _CONNECT_SECONDS, _READ_SECONDS
    HTTPAdapter.send = _observed(seen)  # type: ignore[method-assign]
    guard(own_places([address, *os.environ.values()]), seen.refused)
    services = Apprise()
    services.add(service)
    if services.notify(body, title, NotifyType.INFO, body_format=NotifyFormat.TEXT):
        return Outcome()
    return seen.outcome or Outcome(_masked(seen.words, address) or "the service does not take it")


def main() -> None:
    """Deliver one message."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    if (
        authorities := ssl.get_default_verify_paths().cafile
    ):  # the host's, to which its owner may have added some
        os.environ["REQUESTS_CA_BUNDLE"] = authorities
    order = json.load(sys.stdin)
    outcome = _deliver(order["address"], order["title"], order["body"])
    json.dump({"fault": outcome.fault, "is_final": outcome.is_final}, sys.stdout)


if __name__ == "__main__":
    main()
