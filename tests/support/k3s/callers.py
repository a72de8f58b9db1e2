"""Who asks a server: by a certificate of the client CA, or by a token's user and password (k3s' passwd file)."""

import base64
import binascii
import hmac
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from cryptography import x509
from cryptography.x509.oid import NameOID

SERVER, AGENT, NODES, MASTERS = "k3s:server", "k3s:agent", "system:nodes", "system:masters"


@dataclass(frozen=True)
class Caller:
    name: str
    groups: frozenset[str]


class UnauthorizedError(Exception):
    """Credentials that are wrong; where there are none at all, there is no error."""


def by_certificate(request: web.Request) -> Caller | None:
    """Return who showed a certificate, which TLS has checked."""
    connection = request.transport.get_extra_info("ssl_object") if request.transport else None
    if not isinstance(connection, ssl.SSLObject):
        return None
    der = connection.getpeercert(binary_form=True)
    if der is None:
        return None
    subject = x509.load_der_x509_certificate(der).subject
    organizations = {str(one.value) for one in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)}
    (name,) = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Caller(str(name.value), frozenset(organizations))


def by_password(request: web.Request, passwords: Mapping[str, str]) -> Caller | None:
    """Return who showed a token; raises UnauthorizedError for a wrong one. ``passwords`` is by user."""
    kind, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if not kind:
        return None
    try:
        user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise UnauthorizedError(kind) from error
    known = passwords.get(user)
    if kind != "Basic" or known is None or not hmac.compare_digest(known.encode(), password.encode()):
        raise UnauthorizedError(user)
    return Caller(user, frozenset({SERVER if user == "server" else AGENT}))
