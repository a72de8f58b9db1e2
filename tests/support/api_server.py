"""A stand-in for a cluster's API server: it answers by HTTPS whoever asks, as one does that knows nobody."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from support.tls import Given


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, ApiServer)
        if self.server.ended:
            self.close_connection = True
            return
        body = b'{"kind": "Status", "code": 401}'
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        if self.server.redirect:
            self.send_header("Location", self.server.redirect)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


class ApiServer(ThreadingHTTPServer):
    """Listens on TCP 6443 of an address while the ``with`` block runs."""

    daemon_threads = True

    def __init__(self, directory: Path, address: str, status: int = 401) -> None:
        super().__init__((address, 6443), _Handler)
        self.status = status
        self.asked: list[str] = []
        self.redirect = ""
        """The address that is answered with a status of 3xx."""
        self.ended = False
        given = Given.make(directory, f"api-{address}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(given.certificate, given.key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended = True
        self.shutdown()
        self.server_close()
