"""Opens the fleet's sealed texts with this host's key, for those who have to read them."""

from collections.abc import Callable, Mapping
from functools import partial

from pyrage.x25519 import Identity

from iluvatar_pxe.errors import SealError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.gitops.secrets.first_keys import KEY_FILE
from iluvatar_pxe.gitops.secrets.sealing import known_key, unseal
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.values import replace


class Opener:
    """Remembers what it opened last: most of a fleet stays as it is from one commit to the next."""

    def __init__(self, key: Callable[[], Identity | None]) -> None:
        """``key`` returns this host's key, None where there is none; may block, raises SealError."""
        self._key = key
        self.recipient = ""
        """The public part of this host's key, once it was needed."""
        self._known: dict[str, str | None] = {}

    def open(self, texts: Mapping[str, str]) -> dict[str, str]:
        """Return texts by path, opened where this host's key opens them; others stay sealed. Blocks.

        Raises SealError when one is sealed and the key cannot be read.
        """
        sealed = {text for text in texts.values() if is_sealed(text)}
        key = self._key() if sealed else None
        self.recipient = str(key.to_public()) if key else self.recipient
        self._known = {text: self._known.get(text) or _content(text, key) for text in sealed}
        return {
            path: text if (known := self._known.get(text)) is None else known for path, text in texts.items()
        }


def with_opened(fleet: Fleet, settings: Settings) -> Fleet:
    """Return a fleet as a command on this host may read it; blocks, raises SealError."""
    opener = Opener(partial(known_key, settings.state_directory / KEY_FILE))
    return replace(fleet, texts=opener.open(fleet.texts))


def _content(text: str, key: Identity | None) -> str | None:
    """Return what a sealed text holds, None where that cannot be read."""
    try:
        return unseal("", text.encode(), [key]).decode() if key else None
    except (SealError, UnicodeDecodeError):
        return None
