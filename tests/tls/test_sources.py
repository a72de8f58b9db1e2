"""Files that are given: every fault is one line that names file and remedy, and a change is seen."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.rights import directory_for_nobody, without_root
from support.tls import Given, fingerprint_of

from iluvatar_pxe.errors import TlsError
from iluvatar_pxe.settings.model import HttpSettings
from iluvatar_pxe.tls.credential import Credential
from iluvatar_pxe.tls.names import LOOPBACK
from iluvatar_pxe.tls.sources import GivenSource, OwnSource, Source, open_source

NOW = datetime(2026, 7, 1, tzinfo=UTC)
KINDS = {
    "rsa": ("-newkey", "rsa:2048", "-noenc"),
    "p-384": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp384r1", "-noenc"),
    "ed25519": ("-newkey", "ed25519", "-noenc"),
}


def source_of(given: Given) -> Source:
    return open_source(
        HttpSettings.model_validate(given.settings), given.key.parent / "tls", "pi", "lab.home.arpa", NOW
    )


def read(given: Given) -> Credential:
    return source_of(given).make(LOOPBACK, NOW)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_any_kind_of_key_is_taken(tmp_path: Path, options: tuple[str, ...]) -> None:
    given = Given.make(tmp_path, "given", *options)
    credential = read(given)
    assert credential.fingerprint == fingerprint_of(given.certificate)
    assert source_of(given).authority is None
    assert not (tmp_path / "tls").exists(), "no CA is made that nobody asks for"


def test_without_files_there_is_the_own_authority(tmp_path: Path) -> None:
    source = open_source(HttpSettings(), tmp_path / "tls", "pi", "lab.home.arpa", NOW)
    assert isinstance(source, OwnSource)
    credential = source.make(LOOPBACK, NOW)
    assert source.authority.fingerprint == credential.fingerprint
    assert source.is_good(credential, LOOPBACK, NOW)


def test_a_change_of_either_file_is_seen(tmp_path: Path) -> None:
    given = Given.make(tmp_path)
    source = GivenSource(given.certificate, given.key)
    first = source.make(LOOPBACK, NOW)
    assert source.is_good(first, LOOPBACK, NOW)
    for path in (given.certificate, given.key):
        copy = tmp_path / "copy"
        copy.write_bytes(path.read_bytes())
        copy.replace(path)
        assert not source.is_good(first, LOOPBACK, NOW)
        first = source.make(LOOPBACK, NOW)
        assert source.is_good(first, LOOPBACK, NOW)


def _make_directory(given: Given) -> None:
    given.certificate.unlink()
    given.certificate.mkdir()


FAULTS: dict[str, tuple[str, Callable[[Given], object], str]] = {
    "no certificate": ("given.crt", lambda given: given.certificate.unlink(), "cannot be read: No such file"),
    "no key": ("given.key", lambda given: given.key.unlink(), "cannot be read: No such file"),
    "a directory": ("given.crt", _make_directory, "cannot be read: Is a directory"),
    "an empty certificate": (
        "given.crt",
        lambda given: given.certificate.write_text(""),
        "holds no certificate",
    ),
    "the files are exchanged": (
        "given.crt",
        lambda given: given.certificate.write_bytes(given.key.read_bytes()),
        "holds no certificate in PEM",
    ),
    "nonsense": ("given.key", lambda given: given.key.write_bytes(bytes(range(256))), "holds no private key"),
    "an encrypted key": (
        "given.key",
        lambda given: Given.make(given.key.parent, "given", "-newkey", "rsa:2048", "-passout", "pass:secret"),
        "the key is encrypted",
    ),
    "another key": (
        "given.key",
        lambda given: Given.make(given.key.parent, "other").key.replace(given.key),
        "is not the key of the certificate",
    ),
    "a weak key": (
        "given.crt",
        lambda given: Given.make(given.key.parent, "given", "-newkey", "rsa:1024", "-noenc"),
        "cannot be used for TLS: EE_KEY_TOO_SMALL",
    ),
}


@pytest.mark.parametrize(("name", "fault", "why"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_line(tmp_path: Path, name: str, fault: Callable[[Given], object], why: str) -> None:
    given = Given.make(tmp_path)
    fault(given)
    with pytest.raises(TlsError) as raised:
        read(given)
    line = str(raised.value)
    assert line.startswith(f"{tmp_path}/{name}: {why}")
    assert "[http] tls_" in line.partition("; ")[2]
    assert line.isprintable()


def test_a_key_that_the_service_may_not_read() -> None:
    with directory_for_nobody() as directory:
        given = Given.make(directory)
        given.certificate.chmod(0o644)
        given.key.chmod(0o600)
        with (
            without_root(),
            pytest.raises(TlsError, match=r"/given\.key: cannot be read: Permission denied; "),
        ):
            read(given)
