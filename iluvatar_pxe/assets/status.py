"""What is told of the wanted boot files, and of those that nobody wants any more."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from iluvatar_pxe.catalogue.download import Download
from iluvatar_pxe.catalogue.progress import Progress


class AssetStatus(Struct, frozen=True, kw_only=True):
    """One download that the fleet wants; ``progress`` also tells why it is not there.

    ``source`` is where it came from, or is fetched from: an address, another daemon, an import, the system's package.
    ``checked_at`` is when it was last checked (UTC), None before the first time. ``fault`` is what the last
    ``assets verify`` or ``import`` of it found wrong, in one line, until the next one begins. ``failures`` is how often
    it could not be fetched since it is wanted, or since the last ``assets fetch`` of it; 1 if its check came to no end.
    """

    download: Download
    progress: Progress
    source: str = ""
    checked_at: datetime | None = None
    fault: str = ""
    failures: int = 0


class Part(StrEnum):
    """What of a name is left; the values are told to people."""

    WHOLE = ""
    BEGUN = "unfinished download"
    ASIDE = "set aside"


class Leftover(Struct, frozen=True, kw_only=True):
    """Files that the applied commit does not want; ``size`` is bytes.

    ``kept_for`` says why ``assets gc --yes`` keeps them, and is empty for what it removes. ``only_named``: they are
    removed if they are named, since their publisher may not offer them any more.
    """

    name: str
    part: Part = Part.WHOLE
    version: str = ""
    size: int
    kept_for: str = ""
    only_named: bool = False
