"""The secrets of a k3s cluster: read, written, and as the servers' files. Pure."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml
from cryptography.hazmat.primitives import hashes

from iluvatar_pxe.errors import BundleError
from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.fleet.yaml.document import parse_documents
from iluvatar_pxe.layers.ainur.keys import load_chain
from iluvatar_pxe.layers.key_pair import KeyPair

LARGEST = 64 * 1024
"""Characters of a bundle; ours have about 9,000."""
ROOT = "root-ca"
AUTHORITIES: Mapping[str, str] = {
    "server": "tls/server-ca",
    "client": "tls/client-ca",
    "request_header": "tls/request-header-ca",
    "etcd_server": "tls/etcd/server-ca",
    "etcd_peer": "tls/etcd/peer-ca",
}
"""By field, where k3s has a CA below ``/var/lib/rancher/k3s/server``, without ``.crt`` and ``.key``."""
SERVICE_KEY = "tls/service.key"

_REMEDY = "give a file as cluster secrets export writes it"
_FULL_TOKEN = re.compile(r"K10([0-9a-f]{64})::([a-z]+):(.+)")

User = Literal["server", "node"]


@dataclass(frozen=True, slots=True, repr=False)
class K3sBundle:
    """All secrets of one cluster. Its ``repr`` shows none of them."""

    server_token: str
    """The password of the user ``server``, without what ``full_token`` puts in front of it."""
    agent_token: str
    """The password of the user ``node``."""
    root: KeyPair | None
    """What has signed the CAs; it is on no node.

    None where a cluster that was made elsewhere keeps its key there, or has five CAs that signed themselves. etcd's CAs
    have signed themselves, unless the cluster was made elsewhere.
    """
    server: KeyPair
    """The certificates of a CA are its own, and those above it up to the root."""
    client: KeyPair
    request_header: KeyPair
    etcd_server: KeyPair
    etcd_peer: KeyPair
    service_key: str
    """The RSA key in PEM that signs the tokens of service accounts."""


def is_k3s_bundle(text: str) -> bool:
    """Say whether a text is meant for the secrets of a k3s cluster, and not for Talos'."""
    return f"{SERVICE_KEY}:" in text


def load_k3s_bundle(text: str) -> K3sBundle:
    """Return the bundle that a text holds; raises BundleError, which shows no secret.

    Tokens may be full ones: they must then be of this cluster.
    """
    found = _values(text)
    pairs = {field: _pair(found, path) for field, path in AUTHORITIES.items()}
    has_root = f"{ROOT}.crt" in found or f"{ROOT}.key" in found
    bundle = K3sBundle(
        server_token=_password(found, "token", "server", pairs["server"]),
        agent_token=_password(found, "agent-token", "node", pairs["server"]),
        root=_pair(found, ROOT) if has_root else None,
        service_key=_text(found, SERVICE_KEY),
        **pairs,
    )
    if found:
        raise BundleError(f"{_shown(min(found))}: is not known in the secrets of a k3s cluster; remove it")
    return bundle


def dump_k3s_bundle(bundle: K3sBundle) -> str:
    """Return a bundle as a YAML mapping of files below ``/var/lib/rancher/k3s/server``; the root is in no such file."""
    values = {"token": bundle.server_token, "agent-token": bundle.agent_token}
    values |= _files(ROOT, bundle.root) if bundle.root else {}
    values |= {f"tls/{path}": text for path, text in tls_files(bundle).items()}
    text: str = yaml.dump(values, Dumper=_Dumper, sort_keys=False, width=LARGEST)
    return text


def tls_files(bundle: K3sBundle) -> Mapping[str, str]:
    """Return the texts of all files that a server needs below ``/var/lib/rancher/k3s/server/tls``, by their paths."""
    files = {SERVICE_KEY: bundle.service_key}
    for field, path in AUTHORITIES.items():
        files |= _files(path, getattr(bundle, field))
    return {path.removeprefix("tls/"): text for path, text in files.items()}


def ca_hash(bundle: K3sBundle) -> str:
    """Return what a full token says of the cluster's CA, in 64 hexadecimal digits (k3s, pkg/clientaccess/token.go)."""
    return _hash(bundle.server.crt)


def token_mark(bundle: K3sBundle) -> str:
    """Return what tells a server token from others, and nothing of it: k3s calls by this what is encrypted with it in etcd."""
    return hashlib.sha256(bundle.server_token.encode()).hexdigest()[:12]


def full_token(bundle: K3sBundle, user: User) -> str:
    """Return a token by which its user trusts no other cluster's servers."""
    password = bundle.server_token if user == "server" else bundle.agent_token
    return f"K10{ca_hash(bundle)}::{user}:{password}"


def _hash(crt: str) -> str:
    """Return the hash of a server CA: of the root's DER, or of the very file where there is one certificate only."""
    chain = load_chain(crt)
    return (
        chain[-1].fingerprint(hashes.SHA256()) if chain[1:] else hashlib.sha256(crt.encode()).digest()
    ).hex()


def _values(text: str) -> dict[str, Any]:
    if len(text) > LARGEST:
        raise BundleError(f"has more than {LARGEST} characters; {_REMEDY}")
    try:
        documents = parse_documents(text, str, "is no mapping")
    except DocumentError as error:  # whose text may quote a secret
        raise BundleError(f"line {error.line} is no YAML with keys; {_REMEDY}") from error
    if len(documents) != 1:
        raise BundleError(f"holds {len(documents)} documents in place of one; {_REMEDY}")
    return dict(documents[0].value)


def _text(found: dict[str, Any], path: str) -> str:
    if isinstance(text := found.pop(path, ""), str) and text.isascii():
        if text:
            return text
        raise BundleError(f"{path}: is missing; {_REMEDY}")
    raise BundleError(f"{path}: must be text of ASCII; {_REMEDY}")


def _pair(found: dict[str, Any], path: str) -> KeyPair:
    return KeyPair(crt=_text(found, f"{path}.crt"), key=_text(found, f"{path}.key"))


def _password(found: dict[str, Any], path: str, user: User, server: KeyPair) -> str:
    text = _text(found, path).strip()
    token = _FULL_TOKEN.fullmatch(text)
    if token is None:
        return text
    if token[2] != user:
        raise BundleError(f"{path}: is a token of {token[2]}, not of {user}; {_REMEDY}")
    try:
        is_ours = token[1] == _hash(server.crt)
    except BundleError as error:
        raise BundleError(f"{AUTHORITIES['server']}.crt: {error}; {_REMEDY}") from error
    if not is_ours:
        raise BundleError(
            f"{path}: is the token of another cluster than {AUTHORITIES['server']}.crt; {_REMEDY}"
        )
    return token[3]


def _files(path: str, pair: KeyPair) -> dict[str, str]:
    return {f"{path}.crt": pair.crt, f"{path}.key": pair.key}


def _shown(key: str) -> str:
    """Return a key for people. It may hold anything."""
    return ascii(key[:80])[1:-1]


class _Dumper(yaml.SafeDumper):
    """Writes PEM as literal blocks."""


def _scalar(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _scalar)
