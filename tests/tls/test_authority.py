"""The daemon's own CA: OpenSSL finds nothing wrong with it, it is made once, and no fault replaces it."""

import errno
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import NameOID
from support.rights import NOBODY, directory_for_nobody, without_root
from support.tls import Given, fingerprint_of, openssl

from iluvatar_pxe.errors import TlsError
from iluvatar_pxe.tls.authority import Authority, open_authority

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def opened(directory: Path, host: str = "pi", now: datetime = NOW) -> Authority:
    return open_authority(directory / "tls", host, "lab.home.arpa", now)


def test_openssl_reads_what_it_is(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    file = tmp_path / "tls" / "ca.crt"
    text = openssl("x509", "-in", str(file), "-noout", "-text")
    for part in (
        "Subject: CN = iluvatar-pxe CA of pi\n",
        "Issuer: CN = iluvatar-pxe CA of pi\n",
        "NIST CURVE: P-256",
        "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0\n",
        "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n",
        "X509v3 Subject Key Identifier: \n",
        "X509v3 Authority Key Identifier: \n",
    ):
        assert part in text
    assert openssl("verify", "-x509_strict", "-CAfile", str(file), str(file)) == f"{file}: OK\n"
    assert authority.fingerprint == fingerprint_of(file)


def test_what_is_handed_out_says_to_people_what_it_is(tmp_path: Path) -> None:
    authority = opened(tmp_path)
    comment = authority.document.decode().partition("-----BEGIN")[0].splitlines()
    assert all(line.startswith("# ") for line in comment)
    assert "iluvatar-pxe CA of pi" in comment[0]
    assert comment[1] == f"# SHA-256 {authority.fingerprint}"
    (tmp_path / "handed-out").write_bytes(authority.document)
    assert fingerprint_of(tmp_path / "handed-out") == authority.fingerprint


def test_it_is_made_once_and_kept_closed(tmp_path: Path) -> None:
    first = opened(tmp_path)
    again = opened(tmp_path, "renamed", NOW + timedelta(days=3650))
    assert again.certificate == first.certificate
    assert again.key.private_numbers() == first.key.private_numbers()
    directory = tmp_path / "tls"
    modes = {path.name: path.stat().st_mode & 0o777 for path in (directory, *directory.iterdir())}
    assert modes == {"tls": 0o700, "ca.crt": 0o644, "ca.key": 0o600}
    assert list(tmp_path.iterdir()) == [directory]


@pytest.mark.parametrize(
    ("now", "end"),
    [
        (NOW, NOW + timedelta(days=7300)),
        (datetime(1970, 1, 1, tzinfo=UTC), datetime(2045, 12, 27, tzinfo=UTC)),
    ],
    ids=["a clock", "no clock"],
)
def test_it_outlives_a_clock_that_was_wrong(tmp_path: Path, now: datetime, end: datetime) -> None:
    certificate = opened(tmp_path, now=now).certificate
    assert certificate.not_valid_before_utc == datetime(1970, 1, 1, tzinfo=UTC)
    assert certificate.not_valid_after_utc == end


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("", "iluvatar-pxe CA of "),
        ("h" * 64, "iluvatar-pxe CA of " + "h" * 45),
        ("bäd\n\udcffhost", "iluvatar-pxe CA of b?d??host"),
    ],
)
def test_a_host_may_have_any_name(tmp_path: Path, host: str, name: str) -> None:
    (attribute,) = opened(tmp_path, host).certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert attribute.value == name


def test_what_root_makes_is_the_owners(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.chown(tmp_path, NOBODY, NOBODY)
    opened(tmp_path)
    directory = tmp_path / "tls"
    assert {path.stat().st_uid for path in (directory, *directory.iterdir())} == {NOBODY}


class PowerLossError(BaseException):
    """Nothing that comes after it is done."""


def lose_power(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let no change of the file system come through after so many."""
    calls = 0

    def breaking(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > step:
                raise PowerLossError
            return real(*args, **kwargs)

        return call

    for name in ("mkdir", "open", "fsync", "replace", "rename", "unlink"):
        monkeypatch.setattr(os, name, breaking(getattr(os, name)))


@pytest.mark.parametrize("step", range(11))
def test_a_loss_of_power_leaves_both_files_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    with monkeypatch.context() as patched:
        lose_power(patched, step)
        with pytest.raises(PowerLossError):
            opened(tmp_path)
    left = [sorted(path.name for path in found.iterdir()) for found in tmp_path.glob("tls")]
    assert left in ([], [["ca.crt", "ca.key"]])
    first = opened(tmp_path)
    assert opened(tmp_path).certificate == first.certificate
    assert [path.name for path in tmp_path.iterdir()] == ["tls"]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(TlsError) as raised:
            opened(tmp_path)
    assert str(raised.value).startswith(f"{tmp_path}/tls: the CA cannot be stored: No space left on device; ")
    assert not (tmp_path / "tls").exists()
    opened(tmp_path)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


def _replace_by(directory: Path, *options: str, both: bool = False) -> None:
    other = Given.make(directory.parent, "other", *options)
    other.key.replace(directory / "ca.key")
    if both:
        other.certificate.replace(directory / "ca.crt")


FAULTS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no certificate": ("ca.crt", lambda at: (at / "ca.crt").unlink(), "cannot be read: No such file"),
    "no key": ("ca.key", lambda at: (at / "ca.key").unlink(), "cannot be read: No such file"),
    "half a certificate": ("ca.crt", lambda at: _cut(at / "ca.crt"), "holds no certificate in PEM"),
    "half a key": ("ca.key", lambda at: _cut(at / "ca.key"), "holds no private key in PEM"),
    "an empty certificate": ("ca.crt", lambda at: (at / "ca.crt").write_bytes(b""), "holds no certificate"),
    "an empty key": ("ca.key", lambda at: (at / "ca.key").write_bytes(b""), "holds no private key"),
    "nonsense": ("ca.crt", lambda at: (at / "ca.crt").write_bytes(bytes(range(256))), "holds no certificate"),
    "another key": ("ca.key", _replace_by, "is not the key of the certificate"),
    "an encrypted key": (
        "ca.key",
        lambda at: _replace_by(at, "-newkey", "rsa:2048", "-passout", "pass:secret"),
        "the key is encrypted",
    ),
    "another kind of key": ("ca.key", lambda at: _replace_by(at, both=True), "is not on an elliptic curve"),
}


@pytest.mark.parametrize(("name", "fault", "why"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_line_and_replaces_nothing(
    tmp_path: Path, name: str, fault: Callable[[Path], object], why: str
) -> None:
    opened(tmp_path)
    directory = tmp_path / "tls"
    fault(directory)
    before = {path: path.read_bytes() for path in directory.iterdir()}
    with pytest.raises(TlsError) as raised:
        opened(tmp_path)
    line = str(raised.value)
    assert line.startswith(f"{directory}/{name}: {why}")
    assert line.endswith(f"without {directory} a new CA is created, which every client has to trust again")
    assert line.isprintable()
    assert {path: path.read_bytes() for path in directory.iterdir()} == before


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "tls").touch()
    with pytest.raises(TlsError, match=r"/tls: cannot be read: Not a directory; make it a directory of the "):
        opened(tmp_path)
    with directory_for_nobody() as directory:
        opened(directory)
        with (
            without_root(),
            pytest.raises(TlsError, match="/tls: cannot be read: Permission denied; make it"),
        ):
            opened(directory)
        (directory / "tls").chmod(0o755)
        with (
            without_root(),
            pytest.raises(TlsError, match=r"/ca\.key: cannot be read: Permission denied; make"),
        ):
            opened(directory)


def test_a_directory_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "mine").touch()
    with pytest.raises(
        TlsError, match=r"/tls: the CA cannot be stored: Directory not empty; .* remove what is"
    ):
        opened(tmp_path)
    assert [path.name for path in (tmp_path / "tls").iterdir()] == ["mine"]
