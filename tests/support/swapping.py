"""A stand-in for the daemon, as far as a node asks it before k3s starts; strict about tickets and receipts."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

TICKET = "/cloud-init/TICKET"


@dataclass
class Swapping:
    """What it knows and what it was asked. A ticket may be swapped again until its files are stored."""

    files: list[Mapping[str, Any]] = field(default_factory=list)
    assets: dict[str, bytes] = field(default_factory=dict)
    now: float = 0.0
    """By its clock."""
    waits: str = ""
    """Why it gives no secrets yet."""
    hangs_up: set[str] = field(default_factory=set)
    """Requests that it carries out, and whose answer is lost, each once."""
    cuts_at: int = 0
    """Bytes of a download after which it hangs up, once."""
    receipts: list[str] = field(default_factory=list)
    stored: str = ""
    asked: list[tuple[str, Any]] = field(default_factory=list)
    url: str = ""

    def names(self) -> list[str]:
        """Return what was asked, but for reports."""
        return [name for name, _ in self.asked if name != "report"]

    def reports(self) -> list[tuple[str, str, str]]:
        told = [body for name, body in self.asked if name == "report"]
        return [(one["name"], one["event_type"], one.get("result", "")) for one in told]

    def answer(self, name: str, body: Any) -> tuple[int, bytes]:
        """Return status and body of what is posted below the ticket."""
        self.asked.append((name, body))
        if name == "report":
            assert body.keys() >= {"name", "description", "event_type", "origin", "timestamp"}
            return 200, b""
        if name == "stored":
            if body["receipt"] not in self.receipts:
                return 403, b"no such receipt\n"
            self.stored = body["receipt"]
            return 204, b""
        if self.stored:
            return 403, b"the ticket was swapped before\n"
        if self.waits:
            return 503, f"{self.waits}\n".encode()
        assert body.keys() == {"etcd"}
        self.receipts.append(f"receipt {len(self.receipts)}")
        return 200, json.dumps({"receipt": self.receipts[-1], "files": self.files}).encode()


@contextmanager
def swapping(**more: Any) -> Iterator[Swapping]:
    """Yield one that listens on loopback."""
    known = Swapping(**more)
    handler = type("Handler", (_Handler,), {"known": known})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        known.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield known
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    known: Swapping

    def do_POST(self) -> None:
        prefix, _, name = self.path.rpartition("/")
        assert prefix == TICKET
        assert self.headers["Content-Type"] == "application/json"
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, text = self.known.answer(name, body)
        if name in self.known.hangs_up:
            self.known.hangs_up.remove(name)
            self.close_connection = True
            return
        self._head(status, len(text), {"Retry-After": "7"} if status == 503 else {})
        self.wfile.write(text)

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._head(200, 0)
            return
        data = self.known.assets.get(self.path)
        self.known.asked.append((self.path, self.headers.get("Range")))
        if data is None:
            self._head(404, 0)
            return
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        if asked and start >= len(data):
            self._head(416, 0)
            return
        self._head(206 if asked else 200, len(data) - start)
        if self.known.cuts_at:
            self.wfile.write(data[start : self.known.cuts_at])
            self.known.cuts_at, self.close_connection = 0, True
            return
        self.wfile.write(data[start:])

    def _head(self, status: int, length: int, headers: Mapping[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in {"Date": formatdate(self.known.now, usegmt=True), **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass
