"""Which boot files the applied fleet wants, with what is pinned of them."""

from collections.abc import Callable, Mapping

from iluvatar_pxe.boot.wanted import wishes_of
from iluvatar_pxe.catalogue.download import Download
from iluvatar_pxe.catalogue.lock import AssetsLock
from iluvatar_pxe.catalogue.model import Catalogue
from iluvatar_pxe.catalogue.packages import without_installed
from iluvatar_pxe.catalogue.resolve import downloads, unresolved
from iluvatar_pxe.catalogue.wish import Wish
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.provisioning.applied import Applied


class Wants:
    """Worked out anew only when the fleet, the pins or the packages have changed."""

    def __init__(
        self,
        applied: Applied,
        catalogue: Catalogue,
        lock: Callable[[], AssetsLock],
    ) -> None:
        self.installed: Mapping[str, str] = {}
        """Versions of the system's packages that have boot files."""
        self._applied = applied
        self._catalogue = catalogue
        self._lock = lock
        self._seen: tuple[Fleet, AssetsLock, Mapping[str, str]] | None = None
        self._downloads: tuple[Download, ...] = ()

    @property
    def downloads(self) -> tuple[Download, ...]:
        """Every file to download."""
        fleet, lock = self._applied.fleet, self._lock()
        if self._seen is None or self._seen[0] is not fleet or self._seen[1:] != (lock, self.installed):
            self._downloads = downloads(self._catalogue, fleet.settings.assets, lock, self._wishes(fleet))
            self._seen = fleet, lock, self.installed
        return self._downloads

    @property
    def unresolved(self) -> tuple[str, ...]:
        """Entries of which ``stable`` is wanted, while nobody has said which version that is."""
        return unresolved(self._lock(), self._wishes(self._applied.fleet))

    def _wishes(self, fleet: Fleet) -> tuple[Wish, ...]:
        """Leave out what the system's packages have."""
        return without_installed(wishes_of(fleet), self._catalogue, fleet.settings.assets, self.installed)
