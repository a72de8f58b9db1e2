"""Whether the secrets of a k3s cluster fit together and can be used. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa

from iluvatar_pxe.errors import BundleError
from iluvatar_pxe.layers.ainur.bundle import AUTHORITIES, ROOT, SERVICE_KEY, K3sBundle
from iluvatar_pxe.layers.ainur.keys import load_chain, load_key
from iluvatar_pxe.layers.authority_check import (
    AHEAD,
    KUBERNETES_KEY,
    SMALLEST_RSA,
    first_twice,
    is_authority,
    is_kubernetes_key,
    public_key_of,
)
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.layers.keys import UNREADABLE, PrivateKey

_PASSWORD = re.compile(r"(?!K10)(?![a-z0-9]{6}\.[a-z0-9]{16}\Z)[!-~]+")
"""What k3s takes for a password: neither a full token, nor a bootstrap token."""
_AGAIN = "take the files from a server of the cluster again"

Chain = tuple[x509.Certificate, ...]


def check_k3s_bundle(bundle: K3sBundle, now: datetime) -> None:
    """Raise BundleError for the first thing that is wrong with a bundle; its text shows no secret."""
    check_k3s_form(bundle)
    for path, chain in _chains(bundle).items():
        if (begin := max(one.not_valid_before_utc for one in chain)) > now + AHEAD:
            raise BundleError(f"{path}.crt: begins on {begin:%Y-%m-%d} only; compare the clocks, or {_AGAIN}")
    for path, end in k3s_ends_of(bundle).items():
        if now >= end:
            raise BundleError(f"{path}.crt: ended on {end:%Y-%m-%d}; renew that CA in its cluster first")


def check_k3s_form(bundle: K3sBundle) -> None:
    """Raise BundleError as ``check_k3s_bundle``, except for what time alone makes wrong."""
    for path, pair in _pairs(bundle).items():
        _check_pair(path, pair)
    _check_roots(bundle)
    _check_service_key(bundle)
    _check_tokens(bundle)
    if twice := first_twice(_authority_keys(bundle)):
        raise BundleError(f"{twice[0]}.crt: has the key of {twice[1]}.crt; {_AGAIN}")


def k3s_ends_of(bundle: K3sBundle) -> Mapping[str, datetime]:
    """Return when each CA of a bundle ends, or one above it, by its path; raises BundleError."""
    chains = _chains(bundle)
    return {path: min(one.not_valid_after_utc for one in chain) for path, chain in chains.items()}


def unshared(bundle: K3sBundle) -> Mapping[str, bytes]:
    """Return, by path, what no two clusters may share: the CAs' and the root's public keys, and the tokens.

    Clients of one cluster would be those of the other, and k3s encrypts what it keeps in etcd by the token. Raises
    BundleError.
    """
    tokens = {"token": bundle.server_token.encode(), "agent-token": bundle.agent_token.encode()}
    return _authority_keys(bundle) | tokens


def _authority_keys(bundle: K3sBundle) -> dict[str, bytes]:
    chains = _chains(bundle)
    keys = {path: public_key_of(chain[0]) for path, chain in chains.items()}
    above = chains[AUTHORITIES["server"]][1:]
    return keys | ({ROOT: public_key_of(above[-1])} if above else {})


def _pairs(bundle: K3sBundle) -> Mapping[str, KeyPair]:
    authorities = {path: getattr(bundle, field) for field, path in AUTHORITIES.items()}
    return authorities | ({ROOT: bundle.root} if bundle.root else {})


def _chains(bundle: K3sBundle) -> Mapping[str, Chain]:
    return {path: _chain(path, pair) for path, pair in _pairs(bundle).items()}


def _chain(path: str, pair: KeyPair) -> Chain:
    try:
        return load_chain(pair.crt)
    except BundleError as error:
        raise BundleError(f"{path}.crt: {error}; {_AGAIN}") from error


def _key(path: str, pem: str) -> PrivateKey:
    try:
        return load_key(pem)
    except BundleError as error:
        raise BundleError(f"{path}: {error}; {_AGAIN}") from error


def _check_pair(path: str, pair: KeyPair) -> None:
    chain, key = _chain(path, pair), _key(f"{path}.key", pair.key)
    if chain[0].public_key() != key.public_key():
        raise BundleError(f"{path}: its key is not the key of its first certificate; {_AGAIN}")
    if not is_kubernetes_key(key):
        raise BundleError(f"{path}.key: {KUBERNETES_KEY}; {_AGAIN}")
    if not all(is_authority(certificate) for certificate in chain):
        raise BundleError(f"{path}.crt: is not the certificate of a CA; {_AGAIN}")
    if not all(_has_signed(*both) for both in pairwise((*chain, chain[-1]))):
        raise BundleError(
            f"{path}.crt: each certificate must be signed by the next, the last by itself; {_AGAIN}"
        )


def _has_signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _check_roots(bundle: K3sBundle) -> None:
    """Check that all CAs are below one root, or that each is its own one, as k3s makes them.

    Those of etcd may be their own ones in any case.
    """
    chains = dict(_chains(bundle))
    for path in (AUTHORITIES["etcd_server"], AUTHORITIES["etcd_peer"]):
        if len(chains[path]) == 1:
            del chains[path]
    own = chains.pop(ROOT, ())
    if not own and all(len(chain) == 1 for chain in chains.values()):
        return
    if len(own) > 1:
        raise BundleError(f"{ROOT}.crt: must be one certificate; {_AGAIN}")
    root = (own or chains[AUTHORITIES["server"]])[-1]
    for path, chain in chains.items():
        if len(chain) == 1 or chain[-1] != root:
            raise BundleError(f"{path}.crt: must end with the root of all CAs; {_AGAIN}")


def _check_service_key(bundle: K3sBundle) -> None:
    key = _key(SERVICE_KEY, bundle.service_key)
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < SMALLEST_RSA:
        raise BundleError(f"{SERVICE_KEY}: must be RSA of {SMALLEST_RSA} bits; {_AGAIN}")


def _check_tokens(bundle: K3sBundle) -> None:
    for path, password in (("token", bundle.server_token), ("agent-token", bundle.agent_token)):
        if not _PASSWORD.fullmatch(password):
            raise BundleError(
                f"{path}: is no password that k3s takes: printable ASCII without spaces, not begun with K10, and no "
                f"bootstrap token; {_AGAIN}"
            )
    if bundle.server_token == bundle.agent_token:
        raise BundleError(
            "agent-token: is the servers' own, so that every agent could become a server; first give all servers of "
            "the cluster another agent-token in /etc/rancher/k3s/config.yaml"
        )
