"""Services on loopback that notifications go to: real HTTP and SMTP, which keep what they are sent."""

import json
import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Service:
    """``answers`` are statuses by turn, of which the last one stays; with ``location`` they redirect, and ``hangs`` never answers."""

    answers: Sequence[int] = (200,)
    location: str = ""
    hangs: bool = False
    port: int = 0
    received: list[Received] = field(default_factory=list)
    is_asked: threading.Event = field(default_factory=threading.Event)
    is_over: threading.Event = field(default_factory=threading.Event)

    @property
    def bodies(self) -> list[Any]:
        return [one.json for one in self.received]


@contextmanager
def service(answers: Sequence[int] = (200,), location: str = "", *, hangs: bool = False) -> Iterator[Service]:
    """Serve HTTP until the end of the block."""
    told = Service(answers, location, hangs)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.received.append(Received(self.path, dict(self.headers.items()), body))
            told.is_asked.set()
            if told.hangs:
                told.is_over.wait()
                return
            status = told.answers[min(len(told.received), len(told.answers)) - 1]
            self.send_response(status)
            if told.location:
                self.send_header("Location", told.location)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def do_GET(self) -> None:
            told.received.append(Received(self.path, dict(self.headers.items()), b"null"))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield told
    finally:
        told.is_over.set()
        server.shutdown()
        server.server_close()


@dataclass
class Mailbox:
    port: int
    mails: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """The commands of the sessions (RFC 5321)."""


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Take mail by SMTP until the end of the block; a command that is none of the usual ones is refused."""
    box = Mailbox(0)

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 mailbox")
            while line := self.rfile.readline().decode().strip():
                box.said.append(line)
                match line.split(maxsplit=1)[0].upper():
                    case "DATA":
                        self._say("354 go on")
                        box.mails.append("".join(iter(lambda: self.rfile.readline().decode(), ".\r\n")))
                        self._say("250 taken")
                    case "QUIT":
                        self._say("221 bye")
                        return
                    case "EHLO" | "HELO" | "MAIL" | "RCPT" | "RSET":
                        self._say("250 mailbox")
                    case _:
                        self._say("502 no such command")

        def _say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
    server.daemon_threads = True
    box.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield box
    finally:
        server.shutdown()
        server.server_close()
