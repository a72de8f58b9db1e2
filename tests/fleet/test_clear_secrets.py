"""Secrets in clear are found in the forms in which they come, and little else is taken for one."""

import base64
import secrets
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.fleet.clear_secrets import clear_secrets
from iluvatar_pxe.gitops.changes.starter import starter_files
from iluvatar_pxe.gitops.secrets.sealing import new_key, seal


def pem(what: str, octets: int = 48) -> str:
    return f"-----BEGIN {what}-----\n{encoded(octets)}\n-----END {what}-----\n"


def encoded(octets: int = 32) -> str:
    return base64.b64encode(secrets.token_bytes(octets)).decode()


def pem_in_base64(what: str) -> str:
    return base64.b64encode(pem(what).encode()).decode()


KEY = pem_in_base64("ED25519 PRIVATE KEY")
CERTIFICATE = pem_in_base64("CERTIFICATE")
TALOS = f"""\
version: v1alpha1
machine:
  type: controlplane
  token: abcdef.0123456789abcdef
  ca:
    crt: {CERTIFICATE}
    key: {KEY}
  # password: an example
cluster:
  id: {encoded()}
  secret: {encoded()}
  secretboxEncryptionSecret: {encoded()}
  controlPlane: {{endpoint: https://api.arda.lab.home.arpa:6443}}
"""


def found(text: str) -> str:
    """Return what is found in a text: the line of the first, and their kinds."""
    lines = clear_secrets({"configs/a.yaml": text})
    remedy = " in clear; encrypt it: iluvatar-pxe fleet seal configs/a.yaml"
    return lines[0].removeprefix("configs/a.yaml:").removesuffix(remedy) if lines else ""


def test_a_machine_configuration_is_told_once_with_all_that_it_holds() -> None:
    kinds = "a bootstrap token, a private key, secret, secretboxEncryptionSecret"
    assert found(TALOS) == f"4: holds {kinds}"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", "a password's hash"),
        ("chpasswd: {x: $6$rounds=5000$abcdefgh$0123456789abcdef}", "a password's hash"),
        (pem("PRIVATE KEY"), "a private key"),
        (pem("OPENSSH PRIVATE KEY"), "a private key"),
        (pem("RSA PRIVATE KEY"), "a private key"),
        (f"key: {pem_in_base64('RSA PRIVATE KEY')}", "a private key"),
        (f"contexts: {{lab: {{key: {KEY}}}}}", "a private key"),
        (f"client-key-data: {KEY}", "a private key"),
        pytest.param(f"# {new_key()}", "an age key", id="age"),
        ("--token=abcdef.0123456789abcdef", "a bootstrap token"),
        ('"bootstraptoken": "abcdef.0123456789abcdef",', "a bootstrap token"),
        (f"url: https://any:ilu_{'x' * 43}@host/", "an access token"),
        (f"ghp_{'A1' * 18}", "an access token"),
        (f"glpat-{'a1-_' * 5}", "an access token"),
        ("auth: {username: ada, password: s3cret}", "password"),
        ("- passphrase: hunter2", "passphrase"),
        ('  "privateKey" : "x"', "privateKey"),
        ("TOKEN: x", "TOKEN"),
        ("agent-token: x", "agent-token"),
        ("password: |", "password"),
        ("secret: >-", "secret"),
        (f"token-file: K10{'0a' * 32}::server:1", "an access token"),
    ],
)
def test_every_form_is_found_where_it_is(text: str, kind: str) -> None:
    assert found(f"\n\n{text}\n") == f"3: holds {kind}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        pem("CERTIFICATE"),
        pem("PUBLIC KEY"),
        f"crt: {CERTIFICATE}",
        "key: node-role.kubernetes.io/control-plane",
        "# password: an example",
        "token: <your token>",
        "token: ${TOKEN}",
        "password: ''",
        "secret:\n  secretName: x",
        "secret: {secretName: x}",
        "token: null",
        "see password: in the manual, or secrets: there",
        "host: server.example1234567890.org",
        "image: abcdef.0123456789abcdef0",
        "name: x.abcdef.0123456789abcdef",
        "docker.elasticsearchabc",
        "my_token: x",
        "tokens: 3",
        pytest.param(seal(TALOS.encode(), [str(new_key().to_public())]).decode(), id="sealed"),
    ],
)
def test_what_is_none_is_not_taken_for_one(text: str) -> None:
    assert found(text) == ""


def test_the_starter_fleet_holds_none() -> None:
    assert clear_secrets({path: (text or b"").decode() for path, text in starter_files().items()}) == []


def test_files_are_told_in_their_order_and_break_no_line() -> None:
    texts = {"b": "token: x", "a\n": TALOS, "c": "nothing"}
    assert [line.partition(":")[0] for line in clear_secrets(texts)] == ["a\\n", "b"]


@given(st.text(st.sampled_from("token: .{}[],#\"'-\nabc123LS0tBEGIN \u2028é")))
def test_any_text_is_read(text: str) -> None:
    for line in clear_secrets({"x": text}):
        assert line.isprintable()


@pytest.mark.parametrize(
    "text", ["token: ", "{,", "LS0tLS1CRUdJTi", "-----BEGIN ", "A ", "abcdef.", "secret:" + " " * 99, "#"]
)
def test_a_large_text_takes_no_long_time(text: str) -> None:
    begun = time.process_time()
    clear_secrets({"x": text * ((1 << 20) // len(text))})
    assert time.process_time() - begun < 3
