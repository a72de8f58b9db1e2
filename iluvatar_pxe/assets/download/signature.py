"""OpenPGP signatures beside lists of checksums, checked against the certificates in ``boot_assets/keys``."""

from datetime import UTC, datetime

from pysequoia import Cert, Sig, verify
from pysequoia.packet import Packet, PacketPile, Tag

from iluvatar_pxe.errors import SumsError
from iluvatar_pxe.resources import data_directory


def read_certificate(key: str) -> Cert:
    """Return a publisher's certificate by the catalogue's name for it; blocks, raises SumsError."""
    path = data_directory("boot_assets") / "keys" / f"{key}.asc"
    try:
        return Cert.from_bytes(path.read_bytes())
    except OSError as error:
        raise SumsError(
            f"{path}: cannot be read: {error.strerror}; correct 'key', or add the certificate"
        ) from error
    except RuntimeError as error:
        raise SumsError(
            f"{path}: is not an OpenPGP certificate; export it with gpg --export --armor"
        ) from error


def check_signature(address: str, signed: bytes, signature: bytes, certificate: Cert) -> None:
    """Raise SumsError (one line) unless ``certificate`` made one of the detached signatures; ``address`` is theirs.

    The signature may be armored or not, and there may be several of different keys, as Ubuntu once had.
    """
    signer = _title(certificate)
    if certificate.expiration and certificate.expiration < datetime.now(UTC):
        raise SumsError(
            f"{address}: {signer} expired on {certificate.expiration:%Y-%m-%d}; install a newer version"
        )
    if certificate.is_revoked:
        raise SumsError(f"{address}: {signer} is revoked; install a newer version")
    signatures = _signatures(address, signature)
    own = [one for one in signatures if _issuer(one) in _keys(certificate)]
    if not own:
        others = ", ".join(sorted({_issuer(one).upper() for one in signatures}))
        raise SumsError(f"{address}: is signed by {others}, not by {signer}; do not use these files")
    if not any(_is_good(signed, one, certificate) for one in own):
        raise SumsError(
            f"{address}: the signature of {signer} does not match the list; it was altered, or fetch both again"
        )


def _signatures(address: str, signature: bytes) -> list[Packet]:
    try:
        found = [packet for packet in PacketPile.from_bytes(signature) if packet.tag == Tag.Signature]
    except RuntimeError:  # whatever the parser says of bytes that are none
        found = []
    if not found:
        raise SumsError(f"{address}: is not an OpenPGP signature; fetch it again, or correct its address")
    return found


def _issuer(signature: Packet) -> str:
    """Return the key ID of the key that a signature says it was made with."""
    return (signature.issuer_key_id or (signature.issuer_fingerprint or "nobody")[-16:]).lower()


def _keys(certificate: Cert) -> set[str | None]:
    return {packet.key_id for packet in PacketPile.from_bytes(bytes(certificate))}


def _is_good(signed: bytes, signature: Packet, certificate: Cert) -> bool:
    try:
        verify(bytes=signed, store=lambda _ids: [certificate], signature=Sig.from_bytes(bytes(signature)))
    except RuntimeError:  # the one error that it has
        return False
    return True


def _title(certificate: Cert) -> str:
    names = [str(user) for user in certificate.user_ids]
    return f"{names[0] if names else 'the key'} ({certificate.fingerprint.upper()})"
