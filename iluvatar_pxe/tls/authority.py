"""The daemon's own CA: created once, and never replaced automatically, because clients trust it. These functions block."""

import re
import shutil
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from msgspec import Struct

from iluvatar_pxe.errors import TlsError
from iluvatar_pxe.host.durable import put_directory_in_place, write_file
from iluvatar_pxe.host.owner import make_directory
from iluvatar_pxe.tls.names import is_host_name
from iluvatar_pxe.tls.pem import fingerprint, read_certificates, read_key, write_key

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""From when every certificate is valid: a Raspberry Pi has no clock, and begins there or at some date of the past.

Where notBefore is after July 1, 2019, Apple's systems refuse more than 825 days (support.apple.com/103769).
"""
_EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
"""Clocks before this date are wrong; certificates must outlive them."""
_LIFE = timedelta(days=20 * 365)
_LONGEST_NAME = 64
"""Characters of a common name: RFC 5280, appendix A.1, ub-common-name."""
_PRIVATE_DOMAINS = ("localhost", "local", "home.arpa", "internal")
"""That nobody has in the DNS of the internet (RFC 6761, 6762, 8375; ICANN for ``internal``)."""
_PRIVATE_NETWORKS = tuple(
    map(
        IPv4Network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "127.0.0.0/8"),
    )
)
"""RFC 1918, 3927, 6598."""
_UNUSUAL = re.compile("[^!-~]")
CERTIFICATE, KEY = "ca.crt", "ca.key"


class Authority(Struct, frozen=True):
    """A CA that can sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def name(self) -> str:
        """Whose CA it is."""
        return self.certificate.subject.rfc4514_string().removeprefix("CN=")

    def permits(self, name: x509.GeneralName) -> bool:
        """Say whether clients accept a certificate of this CA for a name: one that is not permitted spoils all of it."""
        permitted = self.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        return any(_is_within(name, subtree) for subtree in permitted.permitted_subtrees or ())

    @property
    def expires(self) -> datetime:
        """The end of its certificate's validity."""
        return self.certificate.not_valid_after_utc

    @property
    def fingerprint(self) -> str:
        """The SHA-256 fingerprint of its certificate."""
        return fingerprint(self.certificate)

    @property
    def document(self) -> bytes:
        """Its certificate for clients, in PEM, which readers of PEM find below what is said of it to people."""
        lines = (
            f"{self.name}: signs the certificate of this daemon's TLS port.",
            f"SHA-256 {self.fingerprint}",
            "Trust it only if the daemon's log shows the same fingerprint.",
        )
        words = "".join(f"# {line}\n" for line in lines)
        return words.encode() + self.certificate.public_bytes(Encoding.PEM)


def open_authority(directory: Path, host: str, domain: str, now: datetime) -> Authority:
    """Return the CA in ``directory``, made and stored for the host and the fleet's domain where there is none yet.

    Raises TlsError where one half of it is missing, or anything cannot be read or written.
    """
    if not _is_there(directory):
        _store(make_authority(host, domain, now), directory)
    remedy = (
        "make it readable, or restore it from a backup; "
        f"without {directory} a new CA is created, which every client has to trust again"
    )
    certificate = read_certificates(directory / CERTIFICATE, remedy)[0]
    key = read_key(directory / KEY, certificate, remedy)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TlsError(f"{directory / KEY}: is not on an elliptic curve, as keys made here are; {remedy}")
    return Authority(certificate, key)


def known_fingerprint(directory: Path) -> str | None:
    """Return the fingerprint of the CA in ``directory``; None if there is none, or the daemon has to say why not."""
    try:
        return fingerprint(read_certificates(directory / CERTIFICATE, "")[0])
    except TlsError:
        return None


def valid_until(now: datetime, life: timedelta) -> datetime:
    """Return the end of a validity that begins now, whatever the clock thinks when that is."""
    return max(now, _EARLIEST) + life


def _is_there(directory: Path) -> bool:
    """Say whether there is a CA, or half of one."""
    try:
        return any(path.name in {CERTIFICATE, KEY} for path in directory.iterdir())
    except FileNotFoundError:
        return False
    except OSError as error:
        remedy = "make it a directory of the user that the service runs as"
        raise TlsError(f"{directory}: cannot be read: {error.strerror}; {remedy}") from error


def make_authority(
    host: str, domain: str, now: datetime, key: ec.EllipticCurvePrivateKey | None = None
) -> Authority:
    """Make a CA, of a given key or a new one, by RFC 5280: basic constraints (4.2.1.9), key usage (4.2.1.3) and key identifiers (4.2.1.1, 4.2.1.2).

    Its name constraints (4.2.1.10) let it vouch for nobody on the internet, whoever gets hold of its key.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    text = f"iluvatar-pxe CA of {_UNUSUAL.sub('?', host)}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:_LONGEST_NAME])])
    builder = (
        x509.CertificateBuilder(name, name, public, x509.random_serial_number())
        .not_valid_before(BEGINNING)
        .not_valid_after(valid_until(now, _LIFE))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs_certificates=True), critical=True)
        .add_extension(_constraints(host, domain), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    return Authority(builder.sign(key, hashes.SHA256()), key)


def _constraints(host: str, domain: str) -> x509.NameConstraints:
    hosts = [host] if is_host_name(host) else []
    names = dict.fromkeys([*_PRIVATE_DOMAINS, domain, *hosts])
    permitted = [*map(x509.DNSName, names), *map(x509.IPAddress, _PRIVATE_NETWORKS)]
    return x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None)


def _is_within(name: x509.GeneralName, subtree: x509.GeneralName) -> bool:
    if isinstance(name, x509.DNSName) and isinstance(subtree, x509.DNSName):
        return f".{name.value.lower()}".endswith(f".{subtree.value.lower()}")
    if isinstance(name, x509.IPAddress) and isinstance(subtree, x509.IPAddress):
        return isinstance(subtree.value, IPv4Network) and name.value in subtree.value
    return False


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Return what a key is for: a CA's, or a server's."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _store(authority: Authority, directory: Path) -> None:
    """Put both files in place at once, as one directory: no loss of power leaves one of them alone."""
    whole = directory.with_name(f".{directory.name}.new")
    try:
        shutil.rmtree(whole, ignore_errors=True)
        make_directory(whole)
        write_file(whole / KEY, write_key(authority.key))
        write_file(whole / CERTIFICATE, authority.document, 0o644)
        put_directory_in_place(whole, directory)
    except OSError as error:
        remedy = "make room, correct the permissions, or remove what is there"
        raise TlsError(f"{directory}: the CA cannot be stored: {error.strerror}; {remedy}") from error
