"""Secrets that do not fit together are refused, whatever is wrong with them, without being shown."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from support.secrets_of import NOW, bundle_of, seeded
from support.tls import Given

from iluvatar_pxe.errors import BundleError
from iluvatar_pxe.layers.arda.bundle import Bundle, load_bundle
from iluvatar_pxe.layers.arda.bundle_check import check_bundle
from iluvatar_pxe.layers.arda.certificates import new_authority
from iluvatar_pxe.layers.arda.keys import dump_key, ed25519_key
from iluvatar_pxe.layers.certificates import Validity
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.layers.keys import PrivateKey, p256_key, standard_pem
from iluvatar_pxe.values import replace

A, B = bundle_of("a"), bundle_of("b")
K1 = ec.generate_private_key(ec.SECP256K1())
VALID = Validity(NOW, NOW + timedelta(days=1))


def authority(key: PrivateKey) -> KeyPair:
    return new_authority(key, "x", VALID, seeded("x"))


def small() -> KeyPair:
    return authority(rsa.generate_private_key(65537, 1024))


def later() -> KeyPair:
    validity = Validity(NOW + timedelta(days=400), NOW + timedelta(days=4000))
    return new_authority(ed25519_key(seeded("x")), "x", validity, seeded("x"))


def given(directory: Path) -> KeyPair:
    """A certificate of OpenSSL's that is no CA's."""
    made = Given.make(
        directory, "leaf", "-newkey", "ed25519", "-noenc", "-addext", "basicConstraints=CA:FALSE"
    )
    key = made.key.read_text().replace("PRIVATE", "ED25519 PRIVATE")
    return KeyPair(made.certificate.read_text(), key)


def test_talos_own_bundle_passes() -> None:
    text = (Path(__file__).parents[2] / "replies" / "talos" / "secrets.yaml").read_text()
    check_bundle(load_bundle(text), NOW)


def test_the_cas_of_kubeadm_may_be_of_rsa() -> None:
    key = rsa.generate_private_key(65537, 2048)
    check_bundle(replace(A, kubernetes=authority(key), service_account_key=dump_key(key)), NOW)


@pytest.mark.parametrize(
    ("bundle", "error"),
    [
        (replace(A, os=KeyPair(A.os.crt, B.os.key)), "certs.os: its key is not the key of its certificate"),
        (replace(A, etcd=KeyPair(B.etcd.crt, A.etcd.key)), "certs.etcd: its key is not the key of"),
        (replace(A, kubernetes=KeyPair(A.etcd.crt, A.kubernetes.key)), "certs.k8s: its key is not"),
        (replace(A, aggregator=KeyPair(A.aggregator.crt, A.os.key)), "certs.k8saggregator: its key is not"),
        (replace(A, kubernetes=A.etcd), "certs.k8s: has the key of certs.etcd; "),
        (replace(A, os=KeyPair("", A.os.key)), "certs.os.crt: is a damaged certificate"),
        (replace(A, os=KeyPair(A.os.crt[:300], A.os.key)), "certs.os.crt: is a damaged certificate"),
        (replace(A, os=KeyPair(A.os.crt + A.os.key, A.os.key)), "certs.os.crt: holds more than a "),
        (replace(A, os=KeyPair(A.os.key + A.os.crt, A.os.key)), "certs.os.crt: holds more than a "),
        (replace(A, etcd=KeyPair(A.etcd.crt * 2, A.etcd.key)), "certs.etcd.crt: holds more than a "),
        (replace(A, os=KeyPair(A.os.crt, A.os.key + B.os.key)), "certs.os.key: holds more than a "),
        (replace(A, os=KeyPair(A.os.crt, "")), "certs.os.key: is no private key with a label of Talos"),
        (
            replace(A, os=KeyPair(A.os.crt, standard_pem(A.os.key))),
            "certs.os.key: is no private key with a label",
        ),
        (
            replace(A, os=KeyPair(A.os.crt, A.os.key.replace("MC4", "MC5"))),
            "certs.os.key: is a damaged private key",
        ),
        (
            replace(A, etcd=KeyPair(A.etcd.crt, A.os.key.replace("ED25519", "EC"))),
            "certs.etcd.key: is ",
        ),
        (replace(A, os=authority(p256_key(seeded("x")))), "certs.os.key: is not Ed25519"),
        (
            replace(A, etcd=authority(ed25519_key(seeded("x")))),
            "certs.etcd.key: must be on the curve",
        ),
        (
            replace(A, etcd=small()),
            "certs.etcd.key: must be on the curve P-256, P-384 or P-521, or RSA of 2048 bits",
        ),
        (
            replace(A, service_account_key=A.os.key),
            "certs.k8sserviceaccount.key: must be on the curve",
        ),
        (replace(A, kubernetes=authority(K1)), "certs.k8s.key: must be on the curve"),
        (replace(A, service_account_key=dump_key(K1)), "certs.k8sserviceaccount.key: must be on the curve"),
        (replace(A, os=later()), "certs.os.crt: begins on 2028-"),
        (replace(A, service_account_key="x"), "certs.k8sserviceaccount.key: is no private key"),
        (
            replace(A, bootstrap_token="A" * 6 + ".0123456789abcdef"),
            "secrets.bootstraptoken: must be 6 and 16",
        ),
        (replace(A, trustd_token="short.token"), "trustdinfo.token: must be 6 and 16"),
        (replace(A, cluster_secret="c2hvcnQ="), "cluster.secret: must be base64 of 32 bytes"),
        (replace(A, secretbox_key="!" * 44), "secrets.secretboxencryptionsecret: must be base64"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(bundle: Bundle, error: str) -> None:
    with pytest.raises(BundleError) as refused:
        check_bundle(bundle, NOW)
    text = str(refused.value)
    assert text.startswith(error)
    assert "\n" not in text
    assert "export the secrets again" in text


def test_a_certificate_that_is_no_ca_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"^certs\.os\.crt: is not the certificate of a CA; "):
        check_bundle(replace(A, os=given(tmp_path)), NOW)


@pytest.mark.parametrize("now", [NOW + timedelta(hours=87600), NOW + timedelta(days=9999)])
def test_a_ca_that_has_ended_is_refused(now: datetime) -> None:
    with pytest.raises(BundleError, match=r"^certs\.etcd\.crt: ended on 2036-11-28; renew that CA"):
        check_bundle(A, now)
