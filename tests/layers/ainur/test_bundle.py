"""The secrets of a k3s cluster survive their file, and full tokens have the hash that k3s asks for."""

import hashlib
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.secrets_of import k3s_bundle_of
from support.tls import Given, openssl

from iluvatar_pxe.errors import BundleError
from iluvatar_pxe.layers.ainur.bundle import (
    LARGEST,
    K3sBundle,
    ca_hash,
    dump_k3s_bundle,
    full_token,
    load_k3s_bundle,
    tls_files,
)
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.values import replace

A = k3s_bundle_of("a")
TEXT = dump_k3s_bundle(A)
DOCUMENT = (Path(__file__).parents[3] / "docs/k3s.md").read_text()
LOOP = DOCUMENT.partition("```sh\n")[2].partition("```")[0].partition("\n")[2]
"""What docs/k3s.md has people run in /var/lib/rancher/k3s/server."""


def test_a_bundle_is_a_mapping_of_k3s_own_files() -> None:
    values = yaml.safe_load(TEXT)
    assert values.pop("token") == A.server_token
    assert values.pop("agent-token") == A.agent_token
    assert A.root
    assert KeyPair(values.pop("root-ca.crt"), values.pop("root-ca.key")) == A.root
    assert values == {f"tls/{path}": text for path, text in tls_files(A).items()}


@pytest.mark.parametrize("bundle", [A, replace(A, root=None)], ids=["root", "root elsewhere"])
def test_a_bundle_is_loaded_as_it_was_dumped(bundle: K3sBundle) -> None:
    assert load_k3s_bundle(dump_k3s_bundle(bundle)) == bundle


@given(st.lists(st.text(st.characters(codec="ascii"), min_size=1), min_size=6, max_size=6))
def test_whatever_a_text_holds_it_is_loaded_as_it_was_dumped(texts: list[str]) -> None:
    one, two, *rest = texts
    pair, other = KeyPair(rest[0], rest[1]), KeyPair(rest[2], rest[3])
    bundle = K3sBundle(f"x{one.strip()}x", f"x{two.strip()}x", pair, other, pair, other, pair, other, rest[0])
    assert load_k3s_bundle(dump_k3s_bundle(bundle)) == bundle


def test_the_files_of_a_server_are_read_as_its_own_shell_prints_them(tmp_path: Path) -> None:
    files = {f"tls/{path}": text for path, text in tls_files(A).items()}
    files |= {"token": full_token(A, "server") + "\n", "agent-token": full_token(A, "node") + "\n"}
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    printed = subprocess.run(["bash", "-ec", LOOP], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert load_k3s_bundle(printed.stdout) == replace(A, root=None)


def test_a_full_token_has_the_hash_of_the_roots_der_as_openssl_sees_it(tmp_path: Path) -> None:
    assert A.root
    (tmp_path / "root").write_text(A.root.crt)
    shown = openssl("x509", "-in", f"{tmp_path}/root", "-noout", "-fingerprint", "-sha256")
    digest = shown.strip().partition("=")[2].replace(":", "").lower()
    assert full_token(A, "server") == f"K10{digest}::server:{A.server_token}"
    assert full_token(A, "node") == f"K10{digest}::node:{A.agent_token}"


def test_the_hash_of_a_ca_that_has_signed_itself_is_that_of_its_very_file(tmp_path: Path) -> None:
    made = Given.make(tmp_path, "k3s-server-ca")
    pem = made.certificate.read_text()
    shown = subprocess.run(["sha256sum", made.certificate], capture_output=True, text=True, check=True).stdout
    bundle = replace(A, server=KeyPair(pem, ""), root=None)
    assert ca_hash(bundle) == shown.split()[0]
    assert ca_hash(replace(bundle, server=KeyPair(f"{pem}\n", ""))) != shown.split()[0]


def test_the_hash_does_not_change_with_the_ca_below_the_root() -> None:
    assert ca_hash(replace(A, server=A.client)) == ca_hash(A)
    assert ca_hash(k3s_bundle_of("b")) != ca_hash(A)


def test_no_secret_is_shown_by_accident() -> None:
    for shown in (repr(A), str(A), f"{A.root}"):
        assert len(shown) < 100
        assert "KEY" not in shown
        assert A.server_token not in shown


OTHER = full_token(k3s_bundle_of("b"), "server")
NOT_FULL = f"K10{hashlib.sha256().hexdigest()}::server:x"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "holds 0 documents"),
        ("- a", "line 1 is no YAML with keys"),
        ("a: [", "line 1 is no YAML with keys"),
        ("token: a\ntoken: b", "line 2 is no YAML with keys"),
        (f"{TEXT}---\na: b\n", "holds 2 documents"),
        (f"{TEXT}other: b\n", "other: is not known in the secrets of a k3s cluster"),
        (TEXT.replace("tls/service.key: ", "tls/service-key: "), "tls/service.key: is missing"),
        (TEXT.replace("root-ca.key: ", "root.key: "), "root-ca.key: is missing"),
        (TEXT.replace(A.agent_token, "''"), "agent-token: is missing"),
        (TEXT.replace(A.agent_token, "[a]"), "agent-token: must be text of ASCII"),
        (TEXT.replace(A.agent_token, "ä"), "agent-token: must be text of ASCII"),
        (
            TEXT.replace(A.server_token, OTHER),
            "token: is the token of another cluster than tls/server-ca.crt",
        ),
        (TEXT.replace(A.server_token, NOT_FULL), "token: is the token of another cluster"),
        (TEXT.replace(A.server_token, full_token(A, "node")), "token: is a token of node, not of server"),
        ("a: " * LARGEST, "has more than"),
    ],
)
def test_another_text_is_refused_in_one_line(text: str, error: str) -> None:
    with pytest.raises(BundleError, match=re.escape(error)) as refused:
        load_k3s_bundle(text)
    assert "\n" not in str(refused.value)
    assert ";" in str(refused.value)
    assert A.server_token not in str(refused.value)


def test_a_token_beside_a_damaged_ca_is_refused() -> None:
    broken = replace(A, server_token=full_token(A, "server"), server=KeyPair("x", "y"))
    with pytest.raises(BundleError, match=r"^tls/server-ca\.crt: is a damaged certificate; "):
        load_k3s_bundle(dump_k3s_bundle(broken))


@given(st.text() | st.text().map(lambda junk: TEXT.replace("token:", junk)))
def test_any_text_is_loaded_or_refused(text: str) -> None:
    with suppress(BundleError):
        assert isinstance(load_k3s_bundle(text), K3sBundle)
