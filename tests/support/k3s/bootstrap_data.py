"""The CA files as servers hand them on: to a joiner over HTTPS, and in etcd, encrypted with the server token's password."""

import base64
import hashlib
import json
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from support.k3s.authorities import FILES, write_private
from support.k3s.etcd import Etcd
from support.k3s.fatal import FatalError

_PREFIX = "/bootstrap/"
OTHER_TOKEN = "bootstrap data already found and encrypted with different token"
NEWER = (
    "newer than datastore and could cause a cluster outage. Remove the file(s) from disk and restart to be recreated from "
    "datastore."
)


def pack(tls: Path) -> bytes:
    """Return all CA files as ``/v1-k3s/server-bootstrap`` has them: JSON, with a time for each."""
    files = {
        name: {
            "Content": base64.b64encode((tls / name).read_bytes()).decode(),
            "Timestamp": (tls / name).stat().st_mtime,
        }
        for name in FILES
    }
    return json.dumps(files).encode()


def unpack(packed: bytes, tls: Path) -> None:
    """Overwrite the CA files with those of the cluster."""
    for name, file in json.loads(packed).items():
        assert name in FILES
        (tls / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(tls / name, base64.b64decode(file["Content"]))


async def take(etcd: Etcd, tls: Path, password: str) -> None:
    """Overwrite the CA files with those that etcd has; raises FatalError for another token's."""
    found = await etcd.get(_PREFIX, is_prefix=True)
    if (key := _key_of(password)) not in found:
        raise FatalError(OTHER_TOKEN)
    unpack(_decrypted(password, found[key]), tls)


async def reconcile(etcd: Etcd, tls: Path, password: str) -> None:
    """Save the CA files in etcd, unless they are there; raises FatalError for other ones, and for another token's.

    K3s compares times, and takes files from etcd that are newer there.
    """
    key = _key_of(password)
    found = await etcd.get(_PREFIX, is_prefix=True)
    if not found:
        await etcd.create(key, _encrypted(password, pack(tls)))
    elif key not in found:
        raise FatalError(OTHER_TOKEN)
    elif others := _others(json.loads(_decrypted(password, found[key])), tls):
        raise FatalError(f"{', '.join(others)} {NEWER}")


def _key_of(password: str) -> str:
    return _PREFIX + hashlib.sha256(password.encode()).hexdigest()[:12]


def _others(saved: dict[str, dict[str, str]], tls: Path) -> list[str]:
    """Return the files whose content is not the saved one."""
    return [
        name for name, file in saved.items() if base64.b64decode(file["Content"]) != (tls / name).read_bytes()
    ]


def _encrypted(password: str, plain: bytes) -> bytes:
    """Encrypt as k3s does: ``salt:base64(nonce + AES-GCM)`` with PBKDF2-SHA1 of 4096 rounds (pkg/cluster/encrypt.go)."""
    salt, nonce = secrets.token_hex(8).encode(), secrets.token_bytes(12)
    sealed = AESGCM(_key(password, salt)).encrypt(nonce, plain, None)
    return salt + b":" + base64.b64encode(nonce + sealed)


def _decrypted(password: str, found: bytes) -> bytes:
    salt, _, text = found.partition(b":")
    sealed = base64.b64decode(text)
    try:
        return AESGCM(_key(password, salt)).decrypt(sealed[:12], sealed[12:], None)
    except InvalidTag as error:
        raise FatalError("cipher: message authentication failed") from error


def _key(password: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 4096, 32)
