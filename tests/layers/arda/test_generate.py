"""New secrets are what talosctl gen secrets makes, as OpenSSL sees them, and come from the given randomness alone."""

import base64
import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.secrets_of import NOW, bundle_of, seeded, service_account_key
from support.tls import openssl

from iluvatar_pxe.layers.arda.bundle import Bundle, dump_bundle, load_bundle
from iluvatar_pxe.layers.arda.bundle_check import check_bundle
from iluvatar_pxe.layers.arda.generate import generate_bundle
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.layers.keys import p256_key, standard_pem

GOLDEN = load_bundle((Path(__file__).parents[2] / "replies" / "talos" / "secrets.yaml").read_text())
P256, ED25519 = "NIST CURVE: P-256", "ED25519 Public-Key:"
CAS = [
    ("etcd", "O = etcd", P256, "ecdsa-with-SHA256"),
    ("kubernetes", "O = kubernetes", P256, "ecdsa-with-SHA256"),
    ("aggregator", "", P256, "ecdsa-with-SHA256"),
    ("os", "O = talos", ED25519, "ED25519"),
]
VARYING = re.compile(r"^.*(([0-9a-f]{2}:)+.*|Not (Before|After).*)$\n", re.MULTILINE)


def shown(pair: KeyPair, directory: Path) -> str:
    file = directory / "ca.crt"
    file.write_text(pair.crt)
    return openssl("x509", "-in", str(file), "-noout", "-text")


def pairs(bundle: Bundle) -> Iterator[tuple[str, KeyPair]]:
    for name, *_ in CAS:
        yield name, getattr(bundle, name)


@pytest.mark.parametrize(("name", "subject", "key", "signature"), CAS)
def test_openssl_sees_the_ca_that_talos_makes(
    name: str, subject: str, key: str, signature: str, tmp_path: Path
) -> None:
    text = shown(getattr(bundle_of("a"), name), tmp_path)
    for part in (
        f"Subject: {subject}\n",
        f"Issuer: {subject}\n",
        key,
        f"Signature Algorithm: {signature}\n",
        "Not Before: Dec  1 12:00:00 2026 GMT\n",
        "Not After : Nov 28 12:00:00 2036 GMT\n",
        "X509v3 Key Usage: critical\n                Digital Signature, Certificate Sign\n",
        "X509v3 Extended Key Usage: \n                TLS Web Server Authentication, TLS Web Client Authentication\n",
        "X509v3 Basic Constraints: critical\n                CA:TRUE\n",
    ):
        assert part in text
    assert "Authority Key Identifier" not in text
    assert re.search(r"Serial Number:\n +([0-9a-f]{2}:){15}[0-9a-f]{2}\n", text)
    assert re.search(r"Subject Key Identifier: \n +([0-9A-F]{2}:){19}[0-9A-F]{2}\n", text)


@pytest.mark.parametrize("name", [name for name, *_ in CAS])
def test_a_ca_differs_from_that_of_talos_own_tests_in_keys_numbers_and_times_only(
    name: str, tmp_path: Path
) -> None:
    ours, theirs = (shown(getattr(bundle, name), tmp_path) for bundle in (bundle_of("a"), GOLDEN))
    assert VARYING.sub("", ours) == VARYING.sub("", theirs)


@pytest.mark.parametrize("name", [name for name, *_ in CAS])
def test_openssl_takes_each_key_for_that_of_its_certificate(name: str, tmp_path: Path) -> None:
    pair: KeyPair = getattr(bundle_of("a"), name)
    (tmp_path / "ca.key").write_text(standard_pem(pair.key))
    (tmp_path / "ca.crt").write_text(pair.crt)
    public = openssl("pkey", "-in", str(tmp_path / "ca.key"), "-pubout")
    assert openssl("x509", "-in", str(tmp_path / "ca.crt"), "-noout", "-pubkey") == public
    own = ("-CAfile", str(tmp_path / "ca.crt"), "-attime", str(int(NOW.timestamp())))
    assert openssl("verify", *own, str(tmp_path / "ca.crt")).endswith(": OK\n")


def test_keys_have_the_labels_that_talos_looks_for() -> None:
    bundle = bundle_of("a")
    labels = {name: pair.key.partition("\n")[0] for name, pair in pairs(bundle)}
    assert labels == {name: pair.key.partition("\n")[0] for name, pair in pairs(GOLDEN)}
    assert bundle.service_account_key.startswith("-----BEGIN RSA PRIVATE KEY-----\n")


def test_the_same_randomness_makes_the_same_secrets_and_another_one_makes_no_secret_twice() -> None:
    key = service_account_key()
    first, same, other = (generate_bundle(seeded(seed), key, NOW) for seed in ("a", "a", "b"))
    assert dump_bundle(first) == dump_bundle(same)
    lines = [set(re.findall(r": (\S{20,})", dump_bundle(one))) for one in (first, other)]
    assert len(lines[0]) == 14
    service_account = base64.b64encode(key.encode()).decode()
    assert lines[0] & lines[1] == {service_account}


def test_new_secrets_pass_the_check_and_survive_the_file() -> None:
    bundle = bundle_of("a")
    check_bundle(bundle, NOW)
    check_bundle(bundle, NOW + timedelta(hours=87599))
    assert load_bundle(dump_bundle(bundle)) == bundle


@given(st.binary(min_size=1, max_size=64))
def test_tokens_have_talos_form_whatever_the_randomness(pattern: bytes) -> None:
    random = seeded(pattern.hex())
    bundle = generate_bundle(random, "", NOW)
    for token in (bundle.bootstrap_token, bundle.trustd_token):
        assert re.fullmatch(r"[0-9a-z]{6}\.[0-9a-z]{16}", token)


def test_bytes_that_would_make_some_digits_likelier_are_discarded() -> None:
    drawn = iter([*([b"\0" * 32] * 2), *(bytes([byte]) for byte in [252, 253, 254, 255, 251, *[0] * 21])])

    def random(size: int) -> bytes:
        found = next(drawn, None)
        return found if found and len(found) == size else seeded("rest")(size)

    assert generate_bundle(random, "", NOW).bootstrap_token == "z00000.0000000000000000"


def test_a_number_that_is_no_key_of_the_curve_is_discarded() -> None:
    numbers = iter([b"\0" * 32, b"\xff" * 32, bytes(31) + b"\1"])
    assert p256_key(lambda _: next(numbers)).private_numbers().private_value == 1


def test_openssl_reads_a_key_with_the_label_of_talos_once_it_is_relabelled() -> None:
    pem = bundle_of("a").os.key
    ended = subprocess.run(
        ["openssl", "pkey", "-noout", "-text"],
        input=standard_pem(pem),
        text=True,
        capture_output=True,
        check=True,
    )
    assert ended.stdout.startswith("ED25519 Private-Key:")
