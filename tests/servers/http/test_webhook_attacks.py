"""Attacks on the webhook: whoever does not know the secret costs little, and learns and moves nothing."""

import hashlib
import hmac
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.git_site import Clock
from support.ports import free_port
from support.web import Response, Web, response_of

from iluvatar_pxe import ratelimit
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.servers.http.routes import refresh
from iluvatar_pxe.servers.http.routes.refresh import LARGEST_BODY, REPLAY_SECONDS, Webhook
from iluvatar_pxe.settings.model import HttpSettings

SECRET = b"between the forge and me"
BODY = b'{"ref": "refs/heads/main"}'
HEADER = "X-Hub-Signature-256"


def signed(body: bytes, secret: bytes = SECRET) -> str:
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


GOOD = signed(BODY)


@dataclass
class Hook:
    """The webhook of a real HTTP server, and how often it had the fleet looked at."""

    web: Web
    secret: Path
    clock: Clock
    looks: list[float] = field(default_factory=list)

    def posts(
        self, body: bytes = BODY, signature: str = "", *more: str, length: int | None = None
    ) -> Response:
        lines = [
            "POST /api/v1/fleet/refresh HTTP/1.1",
            "Host: 127.0.0.1",
            "Connection: close",
            *([f"{HEADER}: {signature}"] if signature else []),
            *(more or [f"Content-Length: {len(body) if length is None else length}"]),
        ]
        with self.web.connect() as sock:
            sock.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
            return response_of(sock.recv(1 << 16))


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {})
    (tmp_path / "assets").mkdir()
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET + b"\n")
    clock, looks = Clock(), list[float]()
    webhook = Webhook(secret, lambda: looks.append(clock()), clock)
    settings = HttpSettings(port=free_port(), tls_port=free_port())
    with Web(tmp_path, Fleet(), settings, routes=[webhook.route]) as web:
        yield Hook(web, secret, clock, looks)
        assert not web.failures


@pytest.mark.parametrize(
    "signature",
    [
        "",
        GOOD[:-1],
        f"{GOOD}0",
        GOOD[:-1] + ("0" if GOOD[-1] != "0" else "1"),
        f"sha1={GOOD}",
        f"sha256=sha256={GOOD}",
        "sha256=",
        "0" * 64,
        "\xb2" * 64,
        GOOD.replace("a", "\uff41".encode().decode("latin-1")),
        signed(BODY, b""),
        signed(BODY, SECRET + b"\n"),
        signed(b""),
    ],
)
def test_a_forged_signature_is_refused_and_told(hook: Hook, signature: str) -> None:
    with capture_logs() as logs:
        answer = hook.posts(signature=signature)
    assert (answer.status, answer.is_one_line, hook.looks) == (403, True, [])
    (line,) = [line for line in logs if line["event"] == "fleet.webhook"]
    assert line["client"] == "127.0.0.1"
    assert not any(text in f"{logs}{answer.text}" for text in (SECRET.decode(), GOOD))


def test_a_signature_is_hex_of_either_case(hook: Hook) -> None:
    assert hook.posts(signature=f"sha256={GOOD.upper()}").status == 202


def test_a_replay_has_the_fleet_looked_at_no_more_often_than_a_poll(hook: Hook) -> None:
    for _ in range(5):
        assert hook.posts(signature=GOOD).status == 202
    assert hook.looks == [0]
    assert hook.posts(b"another", signed(b"another")).status == 202
    assert hook.looks == [0, 0], "what is new is looked at"
    hook.clock.now += REPLAY_SECONDS
    for _ in range(2):
        assert hook.posts(signature=GOOD).status == 202
    assert hook.looks == [0, 0, REPLAY_SECONDS]


def test_a_body_is_not_waited_for_without_a_signature(hook: Hook) -> None:
    assert hook.posts(b"", length=LARGEST_BODY).status == 403


def test_a_body_that_is_too_long_is_refused_before_it_is_sent(hook: Hook) -> None:
    assert hook.posts(b"", GOOD, length=LARGEST_BODY + 1).status == 413


def test_a_body_that_becomes_too_long_is_refused(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "LARGEST_BODY", 1000)
    body = b"3e9\r\n" + bytes(1001) + b"\r\n0\r\n\r\n"
    assert hook.posts(body, signed(bytes(1001)), "Transfer-Encoding: chunked").status == 413
    assert hook.looks == []


def test_a_slow_body_ends(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "BODY_SECONDS", 0.2)
    assert hook.posts(BODY[:-1], GOOD, length=len(BODY)).status == 408


@pytest.mark.parametrize(
    ("body", "header", "status"),
    [
        (b"zz\r\nhello", "Transfer-Encoding: chunked", 400),
        (zlib.compress(BODY), "Content-Encoding: deflate", 415),
        (b"junk", "Content-Encoding: gzip", 415),
    ],
)
def test_a_body_that_is_not_what_it_says_is_refused(
    hook: Hook, body: bytes, header: str, status: int
) -> None:
    length = [] if "chunked" in header else [f"Content-Length: {len(body)}"]
    answer = hook.posts(body, GOOD, header, *length)
    assert (answer.status, answer.is_one_line, hook.looks) == (status, True, [])


@pytest.mark.parametrize(
    ("content", "why"), [(b" \n", "is empty"), (None, "No such file or directory; make it readable")]
)
def test_without_a_secret_nobody_is_believed(hook: Hook, content: bytes | None, why: str) -> None:
    hook.secret.unlink()
    if content is not None:
        hook.secret.write_bytes(content)
    with capture_logs() as logs:
        answer = hook.posts(signature=signed(BODY, b""))
    assert (answer.status, answer.is_one_line, hook.looks) == (503, True, [])
    assert why in str(logs)


def test_a_browser_is_refused(hook: Hook) -> None:
    """A page of another site can have it post a form, and cannot sign that."""
    form = ("Origin: http://evil.example", "Content-Type: text/plain", f"Content-Length: {len(BODY)}")
    assert hook.posts(BODY, "", *form).status == 403
    assert hook.web.get("/api/v1/fleet/refresh").status == 405
