"""What a browser does of its own: it keeps cookies, and says whose page sends a form."""

import re
import socket
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlencode

from support.git_site import answer_of
from support.waiting import PATIENCE
from support.web import Response

PASSWORD = "correct horse battery"


@dataclass
class Browser:
    """Asks a server on loopback."""

    port: int
    tls: bool = False
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def get(self, target: str, **headers: str) -> Response:
        return self._ask("GET", target, b"", headers)

    def post(self, target: str, form: dict[str, str] | None = None, **headers: str) -> Response:
        headers = {"Origin": self.origin, "Content_Type": "application/x-www-form-urlencoded"} | headers
        return self._ask("POST", target, urlencode(form or {}).encode(), headers)

    def log_in(self, password: str = PASSWORD, **form: str) -> Response:
        return self.post("/login", {"password": password, **form})

    @property
    def csrf(self) -> str:
        """Return the token that the page has in its forms; empty where nobody is logged in."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/login").text)
        return found[1] if found else ""

    def _ask(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> Response:
        lines = {
            "Host": self.origin.partition("//")[2],
            "Connection": "close",
            "Content-Length": str(len(body)),
        }
        if self.cookies:
            lines["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        with self._connected() as sock:
            sock.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body)
            answer = answer_of(sock)
        self._keep(answer.headers.get("set-cookie", ""))
        return answer

    def _connected(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        if not self.tls:
            return sock
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(sock)

    def _keep(self, cookie: str) -> None:
        name, _, rest = cookie.partition("=")
        if name and (value := rest.partition(";")[0].strip('"')):
            self.cookies[name] = value
        elif name:
            self.cookies.pop(name, None)
