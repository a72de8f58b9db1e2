"""HTTP servers of the tests that a BMC or a plug could be, on loopback, by TLS or not."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support.tls import Given


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answering:
    """A server that answers as ``answer`` does; ``asked`` are the requests so far."""

    url: str
    answer: Callable[["Handler"], None]
    asked: list[Asked] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    """Set when the test ends: what hangs goes on then."""


class Handler(BaseHTTPRequestHandler):
    """Passes everything on to the test."""

    server: "_Server"

    def handle_one_request(self) -> None:
        """A client that has gone is no fault of the server."""
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        """Be quiet."""

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        site = self.server.site
        site.asked.append(Asked(self.command, self.path, dict(self.headers), body))
        site.answer(self)


class _Server(ThreadingHTTPServer):
    site: Answering
    context: ssl.SSLContext | None = None
    daemon_threads = False

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the client's own thread; one that does not like the certificate has gone."""
        if self.context is None:
            super().finish_request(request, client_address)
            return
        try:
            secured = self.context.wrap_socket(request, server_side=True)
        except OSError:
            return
        with secured:
            super().finish_request(secured, client_address)


@contextmanager
def answering(answer: Callable[[Handler], None], given: Given | None = None) -> Iterator[Answering]:
    """Give a server, by TLS with a certificate; what it was asked is in its ``asked``."""
    with _Server(("127.0.0.1", 0), Handler) as server:
        scheme = "http"
        if given:
            scheme, server.context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.context.load_cert_chain(given.certificate, given.key)
        server.site = Answering(f"{scheme}://127.0.0.1:{server.server_port}", answer)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.site
        finally:
            server.site.closing.set()
            server.shutdown()
            thread.join()
