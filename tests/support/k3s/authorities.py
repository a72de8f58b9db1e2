"""The cluster's CA files below ``server/tls``: taken as they lie there, made where they are missing (facts of k3s, deps.go)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from support.k3s.fatal import FatalError

AUTHORITIES = ("server-ca", "client-ca", "request-header-ca", "etcd/server-ca", "etcd/peer-ca")
SERVICE_KEY = "service.key"
FILES = (*(f"{name}.{kind}" for name in AUTHORITIES for kind in ("crt", "key")), SERVICE_KEY)
"""The eleven files that a first server takes instead of making its own."""
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
_AUTHORITY_LIFE, _LEAF_LIFE = timedelta(days=3650), timedelta(days=365)
_RENEWED_BELOW = timedelta(days=120)
Key = EllipticCurvePrivateKey | RSAPrivateKey


@dataclass(frozen=True)
class Authority:
    chain: list[x509.Certificate]
    key: Key

    @classmethod
    def load(cls, tls: Path, name: str) -> "Authority":
        """Return a CA from its two files; raises FatalError."""
        try:
            chain = x509.load_pem_x509_certificates((tls / f"{name}.crt").read_bytes())
            key = load_pem_private_key((tls / f"{name}.key").read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise FatalError(f"failed to load {name}: {error}") from error
        if not isinstance(key, Key):
            raise FatalError(f"{name}.key: data does not contain a valid RSA or ECDSA private key")
        if key.public_key() != chain[0].public_key():
            raise FatalError(f"{name}: tls: private key does not match public key")
        return cls(chain, key)

    def sign(self, request: "Request", public_key: object, now: datetime) -> bytes:
        """Return a certificate and the CA's chain in PEM, valid from the CA's own beginning as k3s' are."""
        name = [x509.NameAttribute(NameOID.COMMON_NAME, request.name)]
        name += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, one) for one in request.organizations]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(name))
            .issuer_name(self.chain[0].subject)
            .public_key(public_key)  # type: ignore[arg-type]  # any that a client may have
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.chain[0].not_valid_before_utc)
            .not_valid_after(now + _LEAF_LIFE)
            .add_extension(x509.ExtendedKeyUsage(request.usages), critical=False)
            .add_extension(_identifier_of(self.chain[0]), critical=False)  # as Go adds it by itself
        )
        if request.sans:
            sans = [_general(san) for san in sorted({*request.sans})]
            builder = builder.add_extension(x509.SubjectAlternativeName(sans), critical=False)
        signed = builder.sign(self.key, hashes.SHA256())
        return b"".join(one.public_bytes(Encoding.PEM) for one in (signed, *self.chain))


@dataclass(frozen=True)
class Request:
    """What a leaf certificate is to say."""

    name: str
    usages: list[x509.ObjectIdentifier]
    organizations: tuple[str, ...] = ()
    sans: tuple[str, ...] = ()


def make_missing(tls: Path, now: datetime) -> list[str]:
    """Make each CA of which a file is missing, as k3s' first start does, and return what was made."""
    made = []
    for name in AUTHORITIES:
        crt, key = tls / f"{name}.crt", tls / f"{name}.key"
        if not (crt.exists() and key.exists()):
            crt.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _make_authority(name.replace("/", "-").removesuffix("-ca"), crt, key, now)
            made.append(name)
    if not (tls / SERVICE_KEY).exists():
        write_private(tls / SERVICE_KEY, pem(generate_rsa(65537, 2048)))
        made.append(SERVICE_KEY)
    return made


def issue(tls: Path, authority: str, request: Request, at: Path, now: datetime) -> None:
    """Have a key and its certificate at ``at`` with ``.key`` and ``.crt``: new ones, where those there do not do for long."""
    signer = Authority.load(tls, authority)
    if at.with_suffix(".crt").exists() and _is_good(at.with_suffix(".crt"), signer, request, now):
        return
    key = generate_private_key(SECP256R1())
    at.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(at.with_suffix(".key"), pem(key))
    at.with_suffix(".crt").write_bytes(signer.sign(request, key.public_key(), now))


def _is_good(file: Path, signer: Authority, request: Request, now: datetime) -> bool:
    """Say whether k3s keeps a certificate when it starts."""
    found = x509.load_pem_x509_certificates(file.read_bytes())[0]
    sans = {one.value for one in _sans_of(found)}
    return (
        found.not_valid_after_utc - now >= _RENEWED_BELOW
        and found.issuer == signer.chain[0].subject
        and sans == {_general(san).value for san in request.sans}
    )


def _sans_of(certificate: x509.Certificate) -> Iterable[x509.GeneralName]:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()


def pem(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def write_private(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content)


def _make_authority(kind: str, crt: Path, key_file: Path, now: datetime) -> None:
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"k3s-{kind}-ca@{int(now.timestamp())}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + _AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(key_file, pem(key))
    crt.write_bytes(certificate.public_bytes(Encoding.PEM))


def _identifier_of(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def names(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value}))
