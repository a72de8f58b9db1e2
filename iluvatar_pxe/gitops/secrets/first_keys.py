"""Shown to the owner once and stored nowhere else: the push token, and the recovery key for all secrets."""

import asyncio
import os
from dataclasses import dataclass, field

from iluvatar_pxe.gitops.origin import Origin
from iluvatar_pxe.gitops.publish import publish
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.gitops.secrets.recipients import Enlisting
from iluvatar_pxe.gitops.secrets.sealing import daemon_key, new_key
from iluvatar_pxe.gitops.secrets.tokens import Right, Tokens
from iluvatar_pxe.settings.model import HOSTED, Settings

OWNER = "owner"
"""The first token's name."""
KEY_FILE = "age.key"
"""The daemon's own age key, in the state directory."""


@dataclass(frozen=True, slots=True)
class FirstKeys:
    """Those that did not exist before; None for one that did."""

    token: str | None = field(default=None, repr=False)
    recovery: str | None = field(default=None, repr=False)

    def lines(self) -> list[str]:
        """Return what the owner has to read now, or never."""
        lines = []
        if self.token:
            lines += ["Write token for the fleet's repository, shown only once:", "", f"  {self.token}", ""]
        if self.recovery:
            lines += [
                "Recovery key, shown only once: with it and the repository, a new Pi can decrypt all secrets of the fleet.",
                "Keep it on paper:",
                "",
                f"  {self.recovery}",
                "",
            ]
        return lines


async def make_first_keys(
    settings: Settings, origin: Origin, *, shown: bool, known: Revision | None = None
) -> FirstKeys:
    """Have this daemon among those who open sealed files, and make the keys that the owner lacks if they are ``shown``.

    Raises RepositoryError, SealError and FleetError; then no key was made that nobody has seen, but perhaps a token.
    """
    recovery = None if origin.read_only else await _enlist(settings, origin, known, shown=shown)
    is_owners = shown and settings.fleet.source == HOSTED
    token = await asyncio.to_thread(_owner_token, settings) if is_owners else None
    return FirstKeys(token, recovery)


async def enlisting_of(settings: Settings, recovery: str | None = None) -> Enlisting:
    """Return this daemon as a recipient of what is sealed; raises SealError."""
    key = await asyncio.to_thread(daemon_key, settings.state_directory / KEY_FILE)
    return Enlisting(os.uname().nodename, str(key.to_public()), recovery)


async def _enlist(settings: Settings, origin: Origin, known: Revision | None, *, shown: bool) -> str | None:
    """Return the recovery key, where that was made now."""
    key = new_key() if shown else None
    recovery = str(key.to_public()) if key else None
    enlisting = await enlisting_of(settings, recovery)
    revision = await publish(origin, lambda newest: enlisting.changes(newest.fleet.recipients), known)
    return str(key) if key and not revision.fleet.recipients.recovery else None


def _owner_token(settings: Settings) -> str | None:
    tokens = Tokens(settings.repositories)
    return None if any(one.right is Right.WRITE for one in tokens.all()) else tokens.add(OWNER, Right.WRITE)
