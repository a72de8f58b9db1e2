"""The webhook: only who knows the secret has the fleet looked at, in the forms of the forges."""

import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.daemon import Daemon
from support.repositories import Person, bare
from support.waiting import wait_until

SECRET = b"between the forge and me"
BODY = b'{"ref": "refs/heads/main"}'


def signature(body: bytes, secret: bytes = SECRET) -> str:
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


class Following:
    """A daemon that follows a repository elsewhere, and looks at it by itself once in an hour."""

    def __init__(self, directory: Path) -> None:
        self.person = Person(directory / "clone", str(bare(directory / "central.git").path))
        self.person.commit({"fleet.yaml": ""})
        self.person.push()
        (directory / "secret").write_bytes(SECRET + b"\n")
        fleet = {
            "source": f"file://{directory}/central.git",
            "poll": "1h",
            "read_only": True,
            "webhook_secret_file": f"{directory}/secret",
        }
        self.daemon = Daemon(directory, {"fleet": fleet})

    def posts(self, headers: dict[str, str], body: bytes = BODY) -> int:
        return self.daemon.post("/api/v1/fleet/refresh", body, headers)


@pytest.fixture(scope="module")
def following(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Following]:
    made = Following(tmp_path_factory.mktemp("following"))
    with made.daemon:
        yield made


@pytest.mark.parametrize(
    ("header", "prefix"),
    [("X-Hub-Signature-256", "sha256="), ("X-Gitea-Signature", ""), ("X-Forgejo-Signature", "")],
)
def test_a_signed_push_is_followed_at_once(following: Following, header: str, prefix: str) -> None:
    commit = following.person.commit({"note.txt": header})
    following.person.push()
    body = f'{{"after": "{commit}"}}'.encode()
    assert following.posts({header: f"{prefix}{signature(body)}"}, body) == 202
    wait_until(
        lambda: following.daemon.logged("fleet.applied")[-1]["commit"] == commit[:12],
        "the commit to be in force",
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": f"sha256={signature(BODY, b'guess')}"},
        {"X-Hub-Signature-256": f"sha1={signature(BODY)}"},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Gitea-Signature": signature(b"another body")},
        {"X-Gitea-Signature": "\xe4" * 64},
    ],
)
def test_who_does_not_know_the_secret_has_nothing_looked_at(
    following: Following, headers: dict[str, str]
) -> None:
    before = len(following.daemon.logged("fleet.webhook"))
    assert following.posts(headers) == 403
    told = following.daemon.logged("fleet.webhook")
    assert all("why" in line for line in told[before:])


def test_without_a_secret_nobody_may_ask(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        headers = {"X-Hub-Signature-256": f"sha256={signature(BODY, b'')}"}
        assert daemon.post("/api/v1/fleet/refresh", BODY, headers) == 404
