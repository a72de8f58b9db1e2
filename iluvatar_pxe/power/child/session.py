"""HTTP to one server and no other: no redirect, no proxy, bounded answers, and a certificate that is known."""

import io
import ssl
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

STEP_SECONDS = 10
"""For a connection, and for each part of an answer."""
MOST_ANSWER = 1 << 20
"""Bytes of an answer."""
Trust: TypeAlias = str | bool
"""What ``requests`` verifies certificates by: a file with CAs, those that everybody trusts, or nothing."""


class AnswerError(Exception):
    """The other end does not do what is asked; one line."""


class OneServerAdapter(HTTPAdapter):
    """Sends requests to one server only, and reads answers up to a bound."""

    def __init__(self, url: str, fingerprint: str | None = None) -> None:
        """``fingerprint``: SHA-256 of the only certificate that is believed, whatever it says."""
        self._server = origin_of(url)
        self._fingerprint = fingerprint
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **keywords: Any) -> None:
        """Have every connection compare the certificate."""
        super().init_poolmanager(*args, **keywords, assert_fingerprint=self._fingerprint)

    def send(self, request: requests.PreparedRequest, *args: Any, **keywords: Any) -> requests.Response:
        """Send it; raises AnswerError where an answer has led elsewhere, as credentials would go there."""
        if origin_of(request.url or "") != self._server:
            raise AnswerError("an answer leads to another server, which gets no credentials")
        response = super().send(request, *args, **keywords)
        if response.is_redirect or 300 <= response.status_code < 400:
            raise AnswerError(f"answers {response.status_code}, a redirect, which is not followed")
        return response

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        """Read the answer at once, as far as it may be long."""
        try:
            octets = resp.read(MOST_ANSWER + 1, decode_content=False)
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(error, request=req) from error
        finally:
            resp.close()
        if len(octets) > MOST_ANSWER:
            raise AnswerError(f"answers with more than {MOST_ANSWER >> 20} MiB")
        response: requests.Response = super().build_response(req, resp)
        response.raw = io.BytesIO(octets)
        return response


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def authority_file(pem: str | None, directory: Path) -> Trust:
    """Return what ``requests`` verifies certificates by; raises AnswerError where the CA is none."""
    if pem is None:
        return True
    try:
        ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise AnswerError("the file of the key 'ca' has no certificate in PEM") from error
    file = directory / "ca.pem"
    file.write_text(pem)
    return str(file)


def unknown_certificate(url: str, *, is_pinned: bool) -> str:
    """Say which certificate a server has, for an owner who may know it."""
    _, host, port = origin_of(url)
    try:
        pem = ssl.get_server_certificate((host, port or 443), timeout=STEP_SECONDS)
        shown = fingerprint_of(pem)
    except (OSError, ValueError):
        return "its certificate is not known, or it does not speak TLS"
    what = "is another than the one of 'fingerprint'" if is_pinned else "is not known"
    return f"its certificate {what} (SHA-256 {shown}); if that is its own, write it as 'fingerprint'"


def fingerprint_of(pem: str) -> str:
    """Return the SHA-256 of a certificate as openssl prints it."""
    return sha256(ssl.PEM_cert_to_DER_cert(pem)).digest().hex(":").upper()


def why(error: BaseException, url: str, *, is_pinned: bool = False) -> str:
    """Return in words why a request has no answer; ``is_pinned``: only one certificate would be believed."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, requests.exceptions.SSLError):
            return unknown_certificate(url, is_pinned=is_pinned)
        if isinstance(chain, requests.Timeout | urllib3.exceptions.ReadTimeoutError | TimeoutError):
            return f"no answer within {STEP_SECONDS} s"
        if isinstance(chain, OSError) and chain.strerror and chain.errno:
            return f"cannot be reached: {chain.strerror}"
        chain = chain.__cause__ or chain.__context__
    return "cannot be reached, or its answer is no HTTP"
