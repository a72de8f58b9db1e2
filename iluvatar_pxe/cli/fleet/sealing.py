"""``iluvatar-pxe fleet seal`` and ``unseal``: files of a fleet that only its daemons and its owner can read."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from pyrage.x25519 import Identity

from iluvatar_pxe.cli.fleet.keys import owners_key
from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.errors import FleetError, SealError
from iluvatar_pxe.fleet.daemon_files import RecipientsFile
from iluvatar_pxe.fleet.reading import read_text
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.fleet.source import APPLICATIONS, RECIPIENTS_FILE, is_declaration, is_read
from iluvatar_pxe.gitops.secrets.first_keys import KEY_FILE
from iluvatar_pxe.gitops.secrets.sealing import known_key, seal, unseal
from iluvatar_pxe.host.durable import write_file

KeyOption = Annotated[
    Path | None,
    typer.Option("--key", help="File with the recovery key; - for standard input. Default: this host's key."),
]
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files in a clone of the fleet.")]


def seal_files(files: Files) -> None:
    """Encrypt files of the fleet in place, to the recovery key and every daemon in recipients.yaml."""
    for file in files:
        text = _text(file)
        if is_sealed(text):
            say([f"{file}: is sealed already"])
            continue
        root = _fleet_of(file)
        _refuse(file, file.resolve().relative_to(root).as_posix(), text)
        recipients = _recipients(root / RECIPIENTS_FILE)
        _write(file, seal(text.encode(), recipients.keys), 0o644)
        say([f"{file}: sealed to {_readers(recipients)}"])


def unseal_files(files: Files, key: KeyOption = None, config: ConfigOption = None) -> None:
    """Decrypt files of the fleet in place, to edit them: by this host's key, or by the owner's recovery key.

    Seal them again before you commit.
    """
    opener = _opener(key, config)
    for file in files:
        text = _text(file)
        if is_sealed(text):
            _write(file, unseal(str(file), text.encode(), [opener()]), 0o600)
            say([f"{file}: unsealed; before you commit it: iluvatar-pxe fleet seal {file}"])
        else:
            say([f"{file}: is not sealed"])


def _opener(key: Path | None, config: Path | None) -> Callable[[], Identity]:
    if key:
        owner = owners_key(key)
        return lambda: owner

    def own() -> Identity:
        file = settings_of_daemon(config).state_directory / KEY_FILE
        if found := known_key(file):
            return found
        raise SealError(f"{file}: this host has no key; pass the recovery key with --key FILE")

    return own


def _fleet_of(file: Path) -> Path:
    """Return the directory of the fleet that a file belongs to."""
    for directory in file.resolve().parents:
        if (directory / RECIPIENTS_FILE).is_file():
            return directory
    raise SealError(
        f"{file}: no {RECIPIENTS_FILE} in its directory or above; run 'iluvatar-pxe fleet init' where the daemon runs, and pull"
    )


def _refuse(file: Path, path: str, text: str) -> None:
    """Refuse what would be unreadable for those who need it; ``path`` is in the fleet."""
    if is_declaration(path):
        raise SealError(f"{file}: declares a part of the fleet, which stays readable; seal what it names")
    if not is_read(path):
        raise SealError(f"{file}: is not read by the daemon: {APPLICATIONS} is Argo CD's; use sealed-secrets")
    if text.startswith("#!ipxe"):
        raise SealError(f"{file}: an iPXE script is sent to whoever asks; keep secrets out of it")


def _recipients(file: Path) -> RecipientsFile:
    reading = read_text(_text(file), RecipientsFile)
    if isinstance(reading.model, RecipientsFile):
        return reading.model
    raise FleetError([f"{file}:{line}: {text}" for line, text in reading.faults])


def _readers(recipients: RecipientsFile) -> str:
    owner = ["the recovery key"] if recipients.recovery else []
    return ", ".join([*owner, *recipients.daemons])


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except OSError as error:
        raise SealError(f"{file}: cannot be read: {error.strerror}; name a file of the fleet") from error
    except UnicodeDecodeError as error:
        raise SealError(f"{file}: is not UTF-8 text; only text can be sealed") from error


def _write(file: Path, content: bytes, mode: int) -> None:
    try:
        write_file(file.resolve(), content, mode)
    except OSError as error:
        raise SealError(f"{file}: cannot be written: {error.strerror}; make it writable") from error
