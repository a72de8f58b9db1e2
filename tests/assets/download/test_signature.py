"""Signatures of lists: made by GnuPG's and Sequoia's keys of the test, and checked as the publishers' are."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysequoia import Cert, Sig, SignatureMode, Tsk, sign

from iluvatar_pxe.assets.download.signature import check_signature, read_certificate
from iluvatar_pxe.errors import SumsError

ADDRESS = "http://here/SHA256SUMS.gpg"
LIST = f"{'a1' * 32} *pi.img.xz\n".encode()
UBUNTU = "843938DF228D22F7B3742BC0D94AA3F0EFE21092"


@pytest.fixture(scope="module")
def publisher() -> Tsk:
    return Tsk.generate("Publisher <publisher@here>")


@pytest.fixture(scope="module")
def stranger() -> Tsk:
    return Tsk.generate("Stranger <stranger@there>")


def signed(key: Tsk, text: bytes = LIST) -> bytes:
    return sign(key.signer(), text, mode=SignatureMode.DETACHED)


def fault_of(certificate: Cert, signature: bytes, text: bytes = LIST) -> str:
    with pytest.raises(SumsError) as raised:
        check_signature(ADDRESS, text, signature, certificate)
    assert "\n" not in str(raised.value)
    return str(raised.value).removeprefix(f"{ADDRESS}: ")


def binary(signature: bytes) -> bytes:
    return bytes(Sig.from_bytes(signature))


def test_a_good_signature_passes_armored_or_not_and_beside_those_of_others(
    publisher: Tsk, stranger: Tsk
) -> None:
    certificate = publisher.extract_certificate()
    check_signature(ADDRESS, LIST, signed(publisher), certificate)
    check_signature(ADDRESS, LIST, binary(signed(publisher)), certificate)
    own, foreign = binary(signed(publisher)), binary(signed(stranger))
    check_signature(ADDRESS, LIST, foreign + own, certificate)
    check_signature(ADDRESS, LIST, own + foreign, certificate)


def test_a_changed_list_is_told_from_a_foreign_signer(publisher: Tsk, stranger: Tsk) -> None:
    certificate = publisher.extract_certificate()
    title = f"Publisher <publisher@here> ({certificate.fingerprint.upper()})"
    key = (Sig.from_bytes(signed(stranger)).issuer_key_id or "").upper()
    changed = LIST.replace(b"a1", b"b2")
    assert (
        fault_of(certificate, signed(publisher), changed)
        == f"the signature of {title} does not match the list; it was altered, or fetch both again"
    )
    assert (
        fault_of(certificate, signed(stranger))
        == f"is signed by {key}, not by {title}; do not use these files"
    )


def test_a_key_that_has_expired_is_refused_also_for_older_signatures(publisher: Tsk) -> None:
    past = datetime.now(UTC) - timedelta(seconds=5)
    certificate = publisher.extract_certificate().set_expiration(past, publisher.certifier())
    fault = fault_of(certificate, signed(publisher))
    assert fault.endswith(f" expired on {past:%Y-%m-%d}; install a newer version")


def test_a_revoked_key_is_refused(publisher: Tsk) -> None:
    certificate = publisher.extract_certificate()
    revocation = bytes(certificate.revoke(publisher.certifier()))
    revoked = Cert.from_bytes(bytes(certificate) + revocation)
    assert fault_of(revoked, signed(publisher)).endswith(" is revoked; install a newer version")


@pytest.mark.parametrize("junk", [b"", b"<html></html>", LIST, b"-----BEGIN PGP SIGNATURE-----\n\nAAAA\n"])
def test_what_is_no_signature_is_told_so(publisher: Tsk, junk: bytes) -> None:
    assert (
        fault_of(publisher.extract_certificate(), junk)
        == "is not an OpenPGP signature; fetch it again, or correct its address"
    )


def test_a_signature_inside_a_message_does_not_stand_for_a_detached_one(publisher: Tsk) -> None:
    message = sign(publisher.signer(), b"another list")
    assert fault_of(publisher.extract_certificate(), message)


@settings(max_examples=50)
@given(at=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_no_altered_signature_passes_for_another_list(publisher: Tsk, at: float, change: int) -> None:
    altered = bytearray(binary(signed(publisher)))
    altered[int(at * len(altered))] ^= change
    assert fault_of(publisher.extract_certificate(), bytes(altered), LIST + b"more\n")


def test_the_key_of_ubuntus_images_is_shipped() -> None:
    certificate = read_certificate("ubuntu-cdimage")
    assert certificate.fingerprint.upper() == UBUNTU
    assert [str(user) for user in certificate.user_ids] == [
        "Ubuntu CD Image Automatic Signing Key (2012) <cdimage@ubuntu.com>"
    ]
    assert certificate.expiration is None
    assert not certificate.is_revoked


def test_a_name_without_a_certificate_is_told() -> None:
    with pytest.raises(
        SumsError, match=r"nobody\.asc: cannot be read: No such file or directory; correct 'key'"
    ):
        read_certificate("nobody")


@pytest.mark.interop
def test_signatures_of_gnupg_are_understood(tmp_path: Path) -> None:
    """Ubuntu signs with GnuPG and RSA."""
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--batch", "--quiet", "--pinentry-mode=loopback", "--passphrase="]
    environment = {**os.environ, "GNUPGHOME": str(home)}

    def run(*words: str, text: bytes = b"") -> bytes:
        done = subprocess.run([*gpg, *words], input=text, capture_output=True, check=True, env=environment)
        return done.stdout

    try:
        run("--quick-generate-key", "images@here", "rsa2048", "sign", "never")
        certificate = Cert.from_bytes(run("--export", "--armor"))
        signature = run("--armor", "--detach-sign", "--digest-algo=SHA512", text=LIST)
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=False, env=environment)
    check_signature(ADDRESS, LIST, signature, certificate)
    assert "does not match the list" in fault_of(certificate, signature, LIST + LIST)
