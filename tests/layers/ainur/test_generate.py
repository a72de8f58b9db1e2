"""New secrets of a k3s cluster are what k3s' own script makes, as OpenSSL sees them, and come from the randomness alone."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from support.secrets_of import NOW, k3s_bundle_of, seeded, service_account_key
from support.tls import openssl

from iluvatar_pxe.layers.ainur.bundle import K3sBundle, dump_k3s_bundle, tls_files
from iluvatar_pxe.layers.ainur.bundle_check import check_k3s_bundle
from iluvatar_pxe.layers.ainur.generate import generate_k3s_bundle

AUTHORITIES = {
    "server-ca": "server",
    "client-ca": "client",
    "request-header-ca": "request-header",
    "etcd/server-ca": "etcd-server",
    "etcd/peer-ca": "etcd-peer",
}
"""By file, the part of the CA's name."""
OWN_ROOTS = {"etcd/server-ca", "etcd/peer-ca"}
"""Files of the CAs that are below no root."""
STAMP = int(NOW.timestamp())
AT = ("-attime", str(STAMP))


def write(bundle: K3sBundle, directory: Path) -> None:
    for path, text in tls_files(bundle).items():
        file = directory / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    if bundle.root:
        (directory / "root.crt").write_text(bundle.root.crt)


def test_a_server_gets_the_eleven_files_that_k3s_would_make_and_nothing_of_the_root() -> None:
    bundle = k3s_bundle_of("a")
    pairs = {f"{path}.{ending}" for path in AUTHORITIES for ending in ("crt", "key")}
    assert set(tls_files(bundle)) == {*pairs, "service.key"}
    assert bundle.root
    assert not [path for path, text in tls_files(bundle).items() if bundle.root.key in text]


@pytest.mark.parametrize("path", AUTHORITIES)
def test_openssl_verifies_each_ca_by_its_root_and_takes_its_key(path: str, tmp_path: Path) -> None:
    write(k3s_bundle_of("a"), tmp_path)
    crt, key = f"{tmp_path}/{path}.crt", f"{tmp_path}/{path}.key"
    root = crt if path in OWN_ROOTS else f"{tmp_path}/root.crt"
    strict = ("-x509_strict", "-check_ss_sig", "-no-CApath", "-CAfile", root)
    assert openssl("verify", *strict, *AT, crt) == f"{crt}: OK\n"
    assert openssl("pkey", "-in", key, "-pubout") == openssl("x509", "-in", crt, "-noout", "-pubkey")


@pytest.mark.parametrize(("path", "name"), AUTHORITIES.items())
def test_openssl_sees_the_ca_of_k3s_own_script(path: str, name: str, tmp_path: Path) -> None:
    write(k3s_bundle_of("a"), tmp_path)
    text = openssl("x509", "-in", f"{tmp_path}/{path}.crt", "-noout", "-text")
    issuer = name if path in OWN_ROOTS else "root"
    for part in (
        f"Issuer: CN = k3s-{issuer}-ca@{STAMP}\n",
        f"Subject: CN = k3s-{name}-ca@{STAMP}\n",
        "NIST CURVE: P-256",
        "Not After : Jan 17 12:00:00 2037 GMT\n",
        "Key Usage: critical\n                Digital Signature, Key Encipherment, Certificate Sign\n",
        "Basic Constraints: critical\n                CA:TRUE\n",
    ):
        assert part in text
    root = openssl("x509", "-in", f"{tmp_path}/root.crt", "-noout", "-text")
    own = re.findall(r"Subject Key Identifier: \n +(\S+)", root)
    assert re.findall(r"Authority Key Identifier: \n +(\S+)", text) == ([] if path in OWN_ROOTS else own)
    assert "Authority Key Identifier" not in root, "which is how k3s finds it among the certificates"


def test_the_same_randomness_makes_the_same_secrets_and_another_one_makes_no_secret_twice() -> None:
    key = service_account_key()
    first, same, other = (generate_k3s_bundle(seeded(seed), key, NOW) for seed in ("a", "a", "b"))
    assert dump_k3s_bundle(first) == dump_k3s_bundle(same)
    texts = [{*tls_files(one).values(), one.server_token, one.agent_token} for one in (first, other)]
    assert len(texts[0]) == 13
    assert texts[0] & texts[1] == {key}


def test_new_secrets_pass_the_check_for_as_long_as_their_cas_are_valid() -> None:
    check_k3s_bundle(k3s_bundle_of("a"), NOW)
    check_k3s_bundle(k3s_bundle_of("a"), NOW + timedelta(days=3700) - timedelta(seconds=1))


def test_passwords_are_256_bits_and_no_form_that_k3s_takes_for_another_token() -> None:
    bundle = k3s_bundle_of("a")
    for password in (bundle.server_token, bundle.agent_token):
        assert re.fullmatch(r"[0-9a-f]{64}", password)
