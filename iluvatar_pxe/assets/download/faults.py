"""What goes wrong between this host and a publisher, in one line each."""

import os
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus

import aiohttp
from yarl import URL

from iluvatar_pxe.assets.download.patience import retry_after
from iluvatar_pxe.assets.download.route import host_of
from iluvatar_pxe.errors import DownloadError, UnavailableError

_CONNECTION = "check this host's internet connection"
_LATER = "it is asked again later"
_PROXY = "correct http_proxy and https_proxy"
_HUNG_UP = "{host} hung up before the end"
_ADDRESS = "correct the version, or the address"
_BUSY = {408, 425, 429, 500, 502, 503, 504}
_BUILDS = {502, 503, 504}
"""What stands before the image factory answers so while it builds."""
_GONE = {404: "has no such file", 410: "has taken the file away"}
_LONGEST_WORDS = 200
_ROWS: tuple[tuple[type[aiohttp.ClientError], type[DownloadError], str, str], ...] = (
    (
        aiohttp.ClientConnectorCertificateError,
        DownloadError,
        "{host} has no valid certificate ({reason})",
        "check this host's clock, and the address",
    ),
    (aiohttp.ClientProxyConnectionError, UnavailableError, "the proxy cannot be reached: {reason}", _PROXY),
    (aiohttp.ClientHttpProxyError, UnavailableError, "the proxy answers {reason}", _PROXY),
    (aiohttp.ClientConnectorDNSError, UnavailableError, "{host} has no address in DNS", _CONNECTION),
    (aiohttp.ClientSSLError, UnavailableError, "{host} does not speak TLS", _ADDRESS),
    (aiohttp.ClientConnectorError, UnavailableError, "{host} cannot be reached: {reason}", _CONNECTION),
    (aiohttp.ConnectionTimeoutError, UnavailableError, "{host} cannot be reached: {reason}", _CONNECTION),
    (aiohttp.ClientConnectionError, UnavailableError, _HUNG_UP, _LATER),
    (aiohttp.ClientPayloadError, UnavailableError, _HUNG_UP, _LATER),
    (aiohttp.InvalidURL, DownloadError, "{host} is not a valid host", "correct the address"),
    (aiohttp.ClientError, DownloadError, "{host} does not speak HTTP", _ADDRESS),
)
"""The first row that fits says what an error is."""


@contextmanager
def told(what: str, route: Sequence[URL]) -> Iterator[None]:
    """Raise what aiohttp raises as UnavailableError or DownloadError; the last address of ``route`` is asked."""
    try:
        yield
    except aiohttp.ClientError as error:
        raise _error(what, route[-1], error) from error


def of_status(
    what: str, url: URL, response: aiohttp.ClientResponse, words: str, *, builds: bool
) -> DownloadError:
    """Return the error that a status stands for; ``words`` are the publisher's own."""
    status, says = response.status, f" ({words})" if words else ""
    subject = f"{what}: {host_of(url)}"
    answers = f"answers {status} {_phrase(status)}".rstrip()
    if status in _BUSY:
        after = retry_after(response.headers)
        is_building = builds and status in _BUILDS
        text = f"{subject} {answers}{says}; {_LATER}"
        return UnavailableError(text, after=after, is_building=is_building)
    if fault := _GONE.get(status):
        return DownloadError(f"{subject} {fault} ({status}); {_ADDRESS}")
    if status == 407:
        return DownloadError(f"{what}: the proxy answers {status}; {_PROXY}")
    return DownloadError(f"{subject} {answers}{says}; {_ADDRESS}")


def _phrase(status: int) -> str:
    """Return the standard's words, for those of the publisher may be anything."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def words_of(body: bytes) -> str:
    """Return the first line of an answer's text, if people can read it."""
    lines = body.decode(errors="replace").strip().splitlines()
    line = lines[0].strip()[:_LONGEST_WORDS] if lines else ""
    return line if line.isprintable() and not line.startswith("<") else ""


def silent(what: str, url: URL, seconds: float, *, builds: bool = False) -> UnavailableError:
    """Return the error for a publisher that does not answer, or stalls."""
    fault = "is still building the file" if builds else f"sent nothing for {seconds:.0f} seconds"
    return UnavailableError(f"{what}: {host_of(url)} {fault}; {_LATER}", is_building=builds)


def trickles(what: str, url: URL, least: int, seconds: float) -> UnavailableError:
    """Return the error for a publisher that sends fewer than ``least`` bytes per second."""
    fault = f"sent fewer than {least} bytes per second for {seconds:.0f} seconds"
    return UnavailableError(f"{what}: {host_of(url)} {fault}; {_LATER}", is_slow=True)


def _error(what: str, url: URL, error: aiohttp.ClientError) -> DownloadError:
    raised, fault, remedy = next(row[1:] for row in _ROWS if isinstance(error, row[0]))
    text = fault.format(host=host_of(url), reason=_reason(error))
    return raised(f"{what}: {text}; {remedy}")


def _reason(error: aiohttp.ClientError) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLCertVerificationError() as bad):
            return bad.verify_message
        case aiohttp.ClientHttpProxyError():
            return str(error.status)
        case aiohttp.ClientConnectorError() if error.os_error.errno:
            return os.strerror(error.os_error.errno)
    return "no answer"
