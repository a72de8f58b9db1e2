"""The certificate that the own CA signs: OpenSSL accepts it for every name, and it is good for as long as it should."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from support.tls import openssl, run

from iluvatar_pxe.tls.authority import Authority, open_authority
from iluvatar_pxe.tls.credential import Credential, issue
from iluvatar_pxe.tls.names import LOOPBACK, Names, names_of

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
NO_CLOCK = datetime(1970, 1, 1, tzinfo=UTC)
ADDRESSES = (IPv4Address("192.168.1.2"), IPv4Address("10.0.0.1"))
NAMES = names_of("pi.example.org", "lab.home.arpa", ADDRESSES)
HOSTS = ["localhost", "git.lab.home.arpa", "pxe.lab.home.arpa", "pi.example.org", "pi.local"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def authority(directory: Path) -> Authority:
    return open_authority(directory / "tls", "pi.example.org", "lab.home.arpa", NOW)


@pytest.fixture(scope="module")
def credential(authority: Authority) -> Credential:
    return issue(authority, NAMES, NOW)


@pytest.fixture(scope="module")
def file(directory: Path, credential: Credential) -> Path:
    path = directory / "server.crt"
    path.write_bytes(credential.certificate.public_bytes(Encoding.PEM))
    return path


def verified(file: Path, *options: str) -> bool:
    authority = file.parent / "tls" / "ca.crt"
    strict = ("-x509_strict", "-purpose", "sslserver")
    return run("openssl", "verify", *strict, "-CAfile", str(authority), *options, str(file)).returncode == 0


def test_openssl_accepts_every_name_and_no_other(file: Path) -> None:
    at = ("-attime", str(int(NOW.timestamp())))
    assert all(verified(file, *at, "-verify_hostname", host) for host in HOSTS)
    assert all(verified(file, *at, "-verify_ip", str(ip)) for ip in (*ADDRESSES, "127.0.0.1"))
    assert not verified(file, *at, "-verify_hostname", "lab.home.arpa")
    assert not verified(file, *at, "-verify_ip", "192.168.1.3")


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        (x509.DNSName("bank.example"), False),
        (x509.DNSName("evil-lab.home.arpa.example"), False),
        (x509.DNSName("xhome.arpa"), False),
        (x509.DNSName("arpa"), False),
        (x509.DNSName("pi.example.org"), True),
        (x509.DNSName("example.org"), False),
        (x509.DNSName("nas.local"), True),
        (x509.IPAddress(IPv4Address("1.1.1.1")), False),
        (x509.IPAddress(IPv4Address("172.32.0.1")), False),
        (x509.IPAddress(IPv4Address("172.31.0.1")), True),
        (x509.IPAddress(IPv6Address("2001:db8::1")), False),
    ],
)
def test_openssl_accepts_nobody_on_the_internet_whoever_has_the_key(
    authority: Authority, directory: Path, name: x509.GeneralName, *, accepted: bool
) -> None:
    forged = directory / "forged.crt"
    forged.write_bytes(issue(authority, (name,), NOW).certificate.public_bytes(Encoding.PEM))
    assert verified(forged, "-attime", str(int(NOW.timestamp()))) == accepted
    assert authority.permits(name) == accepted, "we know what clients will say"


@pytest.mark.parametrize(
    ("when", "accepted"),
    [
        (NO_CLOCK + timedelta(seconds=1), True),
        (datetime(2020, 2, 2, tzinfo=UTC), True),
        (NOW + timedelta(days=89), True),
        (NOW + timedelta(days=91), False),
    ],
)
def test_a_clock_that_is_behind_does_no_harm(file: Path, when: datetime, *, accepted: bool) -> None:
    assert verified(file, "-attime", str(int(when.timestamp()))) == accepted


def test_openssl_reads_what_it_is_for(file: Path) -> None:
    text = openssl("x509", "-in", str(file), "-noout", "-text")
    for part in (
        "Issuer: CN = iluvatar-pxe CA of pi.example.org\n",
        "NIST CURVE: P-256",
        "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Server Authentication\n",
        "X509v3 Subject Key Identifier: \n",
        "X509v3 Authority Key Identifier: \n",
    ):
        assert part in text


def test_it_is_what_the_authority_vouches_for(authority: Authority, credential: Credential) -> None:
    assert credential.fingerprint == authority.fingerprint
    other = issue(authority, NAMES, NOW)
    assert other.certificate.serial_number != credential.certificate.serial_number
    assert other.certificate.public_key() != credential.certificate.public_key()


@pytest.mark.parametrize(
    ("issued", "now", "good"),
    [
        (NOW, NOW, True),
        (NOW, NOW + timedelta(days=60) - timedelta(seconds=1), True),
        (NOW, NOW + timedelta(days=60), False),
        (NOW, NOW + timedelta(days=3650), False),
        (NOW, NOW - timedelta(days=3650), True),
        (NOW, NO_CLOCK, True),
        (NO_CLOCK, NO_CLOCK, True),
        (NO_CLOCK, NO_CLOCK + timedelta(days=365), True),
        (NO_CLOCK, NOW, False),
    ],
)
def test_it_is_renewed_when_a_third_is_left_or_the_clock_has_jumped(
    authority: Authority, issued: datetime, now: datetime, *, good: bool
) -> None:
    assert issue(authority, NAMES, issued).is_good(NAMES, now) == good
    assert issue(authority, NAMES, now).is_good(NAMES, now)


@pytest.mark.parametrize(
    ("names", "good"),
    [
        (NAMES, True),
        (NAMES[:3], True),
        (NAMES[::-1], True),
        ((*NAMES, x509.DNSName("new.example")), False),
        (names_of("pi.example.org", "lab.home.arpa", [IPv4Address("192.168.1.3")]), False),
        (names_of("pi.example.org", "other.example", ADDRESSES), False),
    ],
)
def test_it_is_renewed_when_a_name_is_missing(credential: Credential, names: Names, *, good: bool) -> None:
    assert credential.is_good(names, NOW) == good


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("pi", ["pi", "pi.local"]),
        ("pi.example.org", ["pi.example.org", "pi.local"]),
        ("pi.local", ["pi.local"]),
        ("localhost", ["localhost.local"]),
        ("my_pi", ["my_pi", "my_pi.local"]),
        ("", []),
        ("two words", []),
        ("pi..org", []),
        ("bäd", []),
        ("line\n", []),
        ("x" * 64, []),
    ],
)
def test_names_of_a_host(host: str, names: list[str]) -> None:
    found = [name.value for name in names_of(host, "d", [IPv4Address("10.0.0.1"), IPv4Address("127.0.0.1")])]
    assert found == ["localhost", IPv4Address("127.0.0.1"), "git.d", "pxe.d", *names, IPv4Address("10.0.0.1")]
    assert tuple(LOOPBACK) == names_of(host, "d", [])[:2]


def test_a_domain_may_be_long(authority: Authority) -> None:
    names = names_of("pi", ".".join(["d" * 63] * 5), [])
    assert issue(authority, names, NOW).is_good(names, NOW)
