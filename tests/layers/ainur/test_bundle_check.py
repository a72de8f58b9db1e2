"""Secrets of a k3s cluster that do not fit together are refused, whatever is wrong with them, without being shown."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from support.secrets_of import NOW, bundle_of, k3s_bundle_of, seeded
from support.tls import Given

from iluvatar_pxe.errors import BundleError
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.bundle_check import check_k3s_bundle, check_k3s_form, unshared
from iluvatar_pxe.layers.ainur.certificates import new_authority, new_root
from iluvatar_pxe.layers.arda.certificates import new_authority as talos_authority
from iluvatar_pxe.layers.certificates import Validity
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.layers.keys import PrivateKey, dump_key, p256_key
from iluvatar_pxe.values import replace

A, B = k3s_bundle_of("a"), k3s_bundle_of("b")
TALOS = bundle_of("a")
NAMES = ("server", "client", "request_header", "etcd_server", "etcd_peer")
VALID = Validity(NOW, NOW + timedelta(days=1))
ROOT = A.root or pytest.fail("a new bundle has its root")


def each(made: Callable[[str], KeyPair]) -> dict[str, Any]:
    """Return all CAs of a bundle."""
    return {name: made(name) for name in NAMES}


def self_signed(seed: str, key: PrivateKey | None = None) -> KeyPair:
    """A CA of one certificate, as k3s makes its own ones."""
    return talos_authority(key or p256_key(seeded(seed)), seed, VALID, seeded(seed))


SELF_SIGNED = replace(A, root=None, **each(self_signed))


def intermediate() -> K3sBundle:
    """CAs below a CA below the root, as k3s' own script makes them."""
    middle = new_authority("intermediate", ROOT, VALID, seeded("middle"))
    (below, _) = middle.crt.split(ROOT.crt)
    issuer = KeyPair(below, middle.key)

    def made(kind: str) -> KeyPair:
        pair = new_authority(kind, issuer, VALID, seeded(kind))
        return KeyPair(pair.crt + ROOT.crt, pair.key)

    return replace(A, root=None, **each(made))


@pytest.mark.parametrize(
    "bundle",
    [A, replace(A, root=None), SELF_SIGNED, intermediate(), replace(intermediate(), root=ROOT)],
    ids=["ours", "root elsewhere", "five that signed themselves", "k3s' script", "k3s' script and its root"],
)
def test_the_shapes_that_k3s_knows_pass(bundle: K3sBundle) -> None:
    check_k3s_bundle(bundle, NOW)


def test_keys_may_be_pkcs8_and_rsa(tmp_path: Path) -> None:
    made = Given.make(
        tmp_path, "ca", "-newkey", "rsa:2048", "-noenc", "-addext", "keyUsage=keyCertSign,digitalSignature"
    )
    pair = KeyPair(made.certificate.read_text(), made.key.read_text())
    assert "BEGIN PRIVATE KEY" in pair.key
    check_k3s_form(replace(SELF_SIGNED, client=pair))


SHORT = rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (
            {"server": KeyPair(A.server.crt, B.server.key)},
            "tls/server-ca: its key is not the key of its first",
        ),
        ({"root": KeyPair(ROOT.crt, A.server.key)}, "root-ca: its key is not the key of its first"),
        ({"etcd_peer": KeyPair("", A.etcd_peer.key)}, "tls/etcd/peer-ca.crt: is a damaged certificate"),
        (
            {"client": KeyPair(A.client.crt[:300], A.client.key)},
            "tls/client-ca.crt: is a damaged certificate",
        ),
        (
            {"client": KeyPair(A.client.crt + A.client.key, A.client.key)},
            "tls/client-ca.crt: holds more than",
        ),
        ({"client": KeyPair(A.client.crt * 5, A.client.key)}, "tls/client-ca.crt: holds more than"),
        ({"client": KeyPair(A.client.crt, "")}, "tls/client-ca.key: is no private key with a label of k3s"),
        ({"client": KeyPair(A.client.crt, A.client.key * 2)}, "tls/client-ca.key: holds more than"),
        ({"client": TALOS.os}, "tls/client-ca.key: is no private key with a label of k3s"),
        ({"client": A.server}, "tls/client-ca.crt: has the key of tls/server-ca.crt"),
        (
            {"client": KeyPair(A.client.crt.split(ROOT.crt)[0], A.client.key)},
            "tls/client-ca.crt: each certif",
        ),
        (
            {"client": KeyPair(A.client.crt + B.client.crt, A.client.key)},
            "tls/client-ca.crt: each certificate",
        ),
        ({"client": B.client}, "tls/client-ca.crt: must end with the root of all CAs"),
        ({"client": self_signed("x")}, "tls/client-ca.crt: must end with the root of all CAs"),
        ({"root": B.root}, "tls/server-ca.crt: must end with the root of all CAs"),
        ({"root": A.server}, "root-ca.crt: must be one certificate"),
        ({"service_key": A.server.key}, "tls/service.key: must be RSA of 2048 bits"),
        ({"service_key": dump_key(SHORT)}, "tls/service.key: must be RSA of 2048 bits"),
        ({"service_key": "x"}, "tls/service.key: is no private key with a label of k3s"),
        ({"server_token": "a b"}, "token: is no password that k3s takes"),
        ({"server_token": "K10abc"}, "token: is no password that k3s takes"),
        ({"agent_token": "abcdef.0123456789abcdef"}, "agent-token: is no password that k3s takes"),
        ({"agent_token": "secret\n"}, "agent-token: is no password that k3s takes"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(change: dict[str, Any], error: str) -> None:
    with pytest.raises(BundleError) as refused:
        check_k3s_bundle(replace(A, **change), NOW)
    text = str(refused.value)
    assert text.startswith(error)
    assert text.endswith("; take the files from a server of the cluster again")
    assert "\n" not in text


@pytest.mark.parametrize(
    "key", [SHORT, ec.generate_private_key(ec.SECP256K1())], ids=["RSA-1024", "secp256k1"]
)
def test_a_key_that_kubernetes_cannot_use_is_refused(key: PrivateKey) -> None:
    with pytest.raises(BundleError, match=r"^tls/client-ca\.key: must be on the curve P-256, "):
        check_k3s_bundle(replace(SELF_SIGNED, client=self_signed("x", key)), NOW)


def test_a_root_beside_cas_that_signed_themselves_is_refused() -> None:
    with pytest.raises(BundleError, match=r"^tls/server-ca\.crt: must end with the root of all CAs; "):
        check_k3s_bundle(replace(SELF_SIGNED, root=ROOT), NOW)


def test_a_certificate_that_is_no_ca_is_refused(tmp_path: Path) -> None:
    made = Given.make(
        tmp_path, "leaf", "-newkey", "rsa:2048", "-noenc", "-addext", "basicConstraints=CA:FALSE"
    )
    pair = KeyPair(made.certificate.read_text(), made.key.read_text())
    with pytest.raises(BundleError, match=r"^tls/client-ca\.crt: is not the certificate of a CA; "):
        check_k3s_bundle(replace(SELF_SIGNED, client=pair), NOW)


def test_one_token_for_servers_and_agents_is_refused_with_what_to_do_about_it() -> None:
    with pytest.raises(BundleError, match=r"^agent-token: is the servers' own.*; first give all servers"):
        check_k3s_bundle(replace(A, agent_token=A.server_token), NOW)


@pytest.mark.parametrize(
    ("now", "error"),
    [
        (NOW + timedelta(days=3700), r"^tls/server-ca\.crt: ended on 2037-01-17; renew that CA"),
        (NOW - timedelta(hours=1, seconds=1), r"^tls/server-ca\.crt: begins on 2026-12-01 only; compare"),
    ],
)
def test_cas_that_have_ended_or_not_begun_are_refused(now: datetime, error: str) -> None:
    with pytest.raises(BundleError, match=error):
        check_k3s_bundle(A, now)


def test_cas_of_the_hour_ahead_pass() -> None:
    check_k3s_bundle(A, NOW - timedelta(hours=1))


def test_cas_below_a_root_that_has_ended_are_refused() -> None:
    root = new_root("root", Validity(NOW - timedelta(days=9), NOW - timedelta(days=1)), seeded("old"))
    below = each(lambda name: new_authority(name, root, VALID, seeded(name)))
    with pytest.raises(BundleError, match=r"^tls/server-ca\.crt: ended on 2026-11-30; "):
        check_k3s_bundle(replace(A, root=root, **below), NOW)


def test_clusters_are_told_apart_by_the_keys_of_all_cas_the_root_and_the_tokens() -> None:
    ours, theirs = unshared(A), unshared(replace(B, root=None))
    assert set(ours) == set(theirs)
    assert len(ours) == len({*ours.values()}) == 8
    assert not set(ours.values()) & set(theirs.values())
    assert unshared(replace(A, root=None)) == ours
