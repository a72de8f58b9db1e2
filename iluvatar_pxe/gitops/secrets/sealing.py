"""Secrets in Git, sealed with age: to the owner's recovery key, and to each daemon's own."""

from collections.abc import Sequence
from pathlib import Path

import pyrage
from pyrage.x25519 import Identity, Recipient

from iluvatar_pxe.errors import SealError
from iluvatar_pxe.host.durable import write_file


def new_key() -> Identity:
    """Return a new age key; its text is the secret."""
    return Identity.generate()


def key_of(text: str, name: str) -> Identity:
    """Return the key in a text: the first line that is one, as ``age-keygen`` writes it. Raises SealError."""
    for line in text.splitlines():
        if line.strip().startswith("AGE-SECRET-KEY-"):
            try:
                return Identity.from_str(line.strip())
            except pyrage.IdentityError as error:
                raise SealError(f"{name}: its age key is damaged; copy it again, in full") from error
    raise SealError(f"{name}: contains no age key; it begins with AGE-SECRET-KEY-1")


def known_key(file: Path) -> Identity | None:
    """Return this daemon's own key, None where there is none; blocks. Raises SealError."""
    try:
        return key_of(file.read_text(encoding="ascii", errors="replace"), str(file))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SealError(f"{file}: cannot be read: {error.strerror}; try it with sudo") from error


def daemon_key(file: Path) -> Identity:
    """Return this daemon's own key, made where there is none; blocks. Raises SealError."""
    if known := known_key(file):
        return known
    key = new_key()
    try:
        write_file(file, f"{key}\n".encode())
    except OSError as error:
        raise SealError(
            f"{file}: cannot be written: {error.strerror}; make its directory writable"
        ) from error
    return key


def recipients_of(keys: Sequence[str]) -> list[Recipient]:
    """Return those to whom something is sealed; raises SealError when there are none."""
    if not keys:
        raise SealError("recipients.yaml has no recipients; first run: iluvatar-pxe fleet init")
    return [Recipient.from_str(one) for one in keys]


def seal(content: bytes, recipients: Sequence[str]) -> bytes:
    """Return ``content`` for the holders of these public keys alone, as ASCII; raises SealError when there are none."""
    sealed: bytes = pyrage.encrypt(content, recipients_of(recipients), armored=True)
    return sealed


def unseal(name: str, sealed: bytes, keys: Sequence[Identity]) -> bytes:
    """Return what a sealed file holds; raises SealError, which says nothing of it, when none of the keys opens it."""
    try:
        content: bytes = pyrage.decrypt(sealed, list(keys))
    except pyrage.DecryptError as error:
        remedy = "on a new host: iluvatar-pxe fleet recover --key FILE"
        raise SealError(f"{name}: no available key decrypts it, or it is damaged; {remedy}") from error
    return content
