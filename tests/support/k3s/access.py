"""How a node asks a server: it trusts the CA that it was shown, once the token's hash agrees (clientaccess/token.go)."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from support.k3s.fatal import FatalError, RequestError
from support.k3s.site import Resolver, Site
from support.k3s.tokens import Token, hash_of

from iluvatar_pxe.values import replace

_SECONDS = 10.0
OS_STORE = "etc/ssl/certs/ca-certificates.crt"
"""Certificates that the node's operating system trusts."""


@dataclass(frozen=True)
class Access:
    """A server, and what a node shows to it."""

    site: Site
    url: str
    context: ssl.SSLContext
    user: str = ""
    password: str = ""
    authorities: bytes = b""
    """The CA files that the server's certificate is checked by."""
    learned: list[str] = field(default_factory=list)

    async def ask(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, data: bytes = b""
    ) -> bytes:
        """Return a server's answer; raises RequestError."""
        auth = aiohttp.encode_basic_auth(self.user, self.password) if self.user else None
        given = {**(headers or {}), **({"Authorization": auth} if auth else {})}
        connector = aiohttp.TCPConnector(
            resolver=Resolver(self.site, self.learned), ssl=self.context, force_close=True
        )
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.request(method, self.url + path, headers=given, data=data or None) as response,
            ):
                body = await response.read()
                if response.status >= 300:
                    text = f"{self.url}{path}: {response.status} {response.reason} {body.decode()}"
                    raise RequestError(text, response.status)
                return body
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise RequestError(f'Get "{self.url}{path}": {error}') from error


async def access(
    site: Site, url: str, token: Token, user: str, root: Path, log: Callable[[str], None], learned: list[str]
) -> Access:
    """Return access to a server whose CA is that of the token.

    Raises FatalError for what no retry mends, and RequestError for a server that is not there or shows another CA.
    """
    parts = urlsplit(url)
    if parts.scheme != "https":
        raise FatalError(f"only https:// URLs are supported, invalid scheme: {url}")
    base = f"{parts.scheme}://{parts.netloc}"
    shown = await _cacerts(site, base, root, learned)
    if shown is None:
        if token.ca_hash:
            log(
                "Cluster CA certificate is trusted by the host CA bundle. Token CA hash will not be validated."
            )
        shown = _os_store(root)
    elif not token.ca_hash:
        log("Cluster CA certificate is not trusted by the host CA bundle, but the token has no CA hash")
    elif token.ca_hash != (found := hash_of(shown)):
        raise RequestError(
            f"token CA hash does not match the Cluster CA certificate hash: {token.ca_hash} != {found}"
        )
    return Access(site, base, trusting(shown), user, token.password, shown, learned)


async def _cacerts(site: Site, base: str, root: Path, learned: list[str]) -> bytes | None:
    """Return the CA that a server shows, or None where the operating system trusts the server's certificate already."""
    of_system = Access(site, base, trusting(_os_store(root)), learned=learned)
    try:
        await of_system.ask("/cacerts")
    except RequestError:
        pass
    else:
        return None
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    try:
        shown = await replace(of_system, context=blind).ask("/cacerts")
    except RequestError as error:
        raise RequestError(f"failed to get CA certs: {error}") from error
    try:
        await replace(of_system, context=trusting(shown)).ask("/cacerts")
    except RequestError as error:
        raise RequestError(f"CA cert validation failed: {error}") from error
    return shown


def _os_store(root: Path) -> bytes:
    file = root / OS_STORE
    return file.read_bytes() if file.exists() else b""


def trusting(authorities: bytes) -> ssl.SSLContext:
    """Return TLS that trusts each of these certificates, as Go does, whether it is a root or not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if authorities.strip():
        context.load_verify_locations(cadata=authorities.decode())
    return context
