"""What a server answers on its port: k3s' own routes, and behind them the Kubernetes API (pkg/server/handlers).

Where Go would take a certificate of another CA and answer 401, Python's TLS refuses it in the handshake.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

from aiohttp import web
from cryptography import x509
from support.k3s import bootstrap_data
from support.k3s.answers import failure
from support.k3s.authorities import CLIENT, Authority, Request
from support.k3s.callers import AGENT, NODES, SERVER, Caller, UnauthorizedError, by_certificate, by_password
from support.k3s.configuration import Configuration
from support.k3s.etcd import Etcd
from support.k3s.fatal import RequestError
from support.k3s.kubernetes import Kubernetes
from support.k3s.kubernetes_api import KubernetesApi
from support.k3s.workloads import Workloads
from support.talos.clock import Clock
from support.talos.stopping import listening

CALLER = web.RequestKey("caller", Caller)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Supervisor:
    """The HTTPS server of one start of k3s; ``is_ready`` once etcd votes and the controllers run."""

    def __init__(
        self,
        configuration: Configuration,
        tls: Path,
        passwords: Mapping[str, str],
        etcd: Etcd,
        kubernetes: Kubernetes,
        clock: Clock,
        asked: list[str],
    ) -> None:
        """``asked`` gets method and path of each request."""
        self._asked = asked
        self._configuration, self._tls, self._passwords = configuration, tls, passwords
        self._etcd, self._kubernetes, self._clock = etcd, kubernetes, clock
        self._api = KubernetesApi(kubernetes, Workloads(etcd))
        self.is_ready = False

    async def serve(self, address: str, context: ssl.SSLContext) -> None:
        """Listen until cancelled."""
        application = web.Application(middlewares=[self._sheltered])
        for path, handler, roles in self._routes():
            application.router.add_route("*", path, self._for_roles(handler, roles) if roles else handler)
        application.router.add_route("*", "/{path:.*}", self._kubernetes_api)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
        port = int(self._configuration.text("https-listen-port", "6443"))
        async with listening(runner, address, port, context):
            await asyncio.Event().wait()

    def _routes(self) -> list[tuple[str, _Handler, frozenset[str]]]:
        anybody, servers = frozenset[str](), frozenset({SERVER})
        nodes = frozenset({AGENT, NODES})
        return [
            ("/ping", self._ping, anybody),
            ("/cacerts", self._cacerts, anybody),
            ("/static/{file:.*}", self._static, anybody),
            ("/v1-k3s/readyz", self._readyz, nodes),
            ("/v1-k3s/config", self._config, nodes),
            ("/v1-k3s/apiservers", self._apiservers, nodes),
            ("/v1-k3s/client-kubelet.crt", self._kubelet, nodes),
            ("/v1-k3s/server-bootstrap", self._bootstrap, servers),
            ("/db/info", self._members, servers),
        ]

    def _for_roles(self, handler: _Handler, roles: frozenset[str]) -> _Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            try:
                caller = by_certificate(request) or by_password(request, self._passwords)
            except UnauthorizedError:
                return failure(401, "Unauthorized", "not authorized")
            if caller is None or not roles & caller.groups:
                return failure(403, "Forbidden", "forbidden")
            request[CALLER] = caller
            return await handler(request)

        return checked

    @web.middleware
    async def _sheltered(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Answer 500 where etcd does not, as Kubernetes does."""
        self._asked.append(f"{request.method} {request.path}")
        try:
            return await handler(request)
        except RequestError as error:
            return failure(500, "InternalError", str(error))

    async def _kubernetes_api(self, request: web.Request) -> web.StreamResponse:
        if not self.is_ready:
            return failure(503, "ServiceUnavailable", "apiserver not ready")
        return await self._api.answer(request)

    async def _ping(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text="pong")

    async def _cacerts(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=(self._tls / "server-ca.crt").read_bytes(), content_type="text/plain")

    async def _static(self, request: web.Request) -> web.StreamResponse:
        root = (self._configuration.data / "server/static").resolve()
        file = (root / request.match_info["file"]).resolve()
        if not file.is_relative_to(root) or not file.is_file():
            return web.Response(status=404)
        return web.FileResponse(file)

    async def _readyz(self, _: web.Request) -> web.StreamResponse:
        if not self.is_ready:
            return failure(503, "ServiceUnavailable", "runtime core not ready")
        return web.Response(text="ok")

    async def _config(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(self._configuration.critical)

    async def _apiservers(self, _: web.Request) -> web.StreamResponse:
        """Return the servers' addresses, which agents keep."""
        members = await self._etcd.members()
        urls = [url for member in members if not member.is_learner for url in member.client_urls]
        return web.json_response([url.split("/")[2].split(":")[0] for url in urls])

    async def _bootstrap(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=bootstrap_data.pack(self._tls))

    async def _members(self, _: web.Request) -> web.StreamResponse:
        with suppress(RequestError):
            return web.json_response(await self._etcd.ask("cluster/member/list"))
        own = {
            "ID": "0",
            "name": self._etcd.name,
            "peerURLs": [self._etcd.peer_url],
            "clientURLs": [self._etcd.client_url],
        }
        return web.json_response({"members": [own]})

    async def _kubelet(self, request: web.Request) -> web.StreamResponse:
        """Sign the key of a kubelet that knows its node's password."""
        name, password = (request.headers.get(f"k3s-Node-{what}", "") for what in ("Name", "Password"))
        if not name or not password:
            return failure(400, "BadRequest", f"node {'password' if name else 'name'} not set")
        caller = request[CALLER]
        if NODES in caller.groups and caller.name != f"system:node:{name}":
            return failure(400, "BadRequest", "header node name does not match auth node name")
        if not self.is_ready:
            return failure(503, "ServiceUnavailable", "runtime core not ready")
        if not await self._kubernetes.is_password_of(name, password):
            return failure(
                403, "Forbidden", f"unable to verify password for node {name}: hash does not match"
            )
        signing = x509.load_der_x509_csr(await request.read())
        wanted = Request(f"system:node:{name}", [CLIENT], (NODES,))
        authority = Authority.load(self._tls, "client-ca")
        return web.Response(body=authority.sign(wanted, signing.public_key(), self._clock.now()))


def tls_of(tls: Path, leaf: Path) -> ssl.SSLContext:
    """Return TLS for a server's port: its certificate with the CA's chain, and clients of the client CA, who may have none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.with_suffix(".crt"), leaf.with_suffix(".key"))
    context.load_verify_locations(tls / "client-ca.crt")
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_mode = ssl.CERT_OPTIONAL
    return context
