"""Which boot files the applied fleet wants, with what is pinned of them."""

from collections.abc import Callable, Mapping

from iluvatar_pxe.boot.wanted import wishes_of
from iluvatar_pxe.catalogue.download import Download
from iluvatar_pxe.catalogue.lock import AssetsLock
from iluvatar_pxe.catalogue.model import Catalogue
from iluvatar_pxe.catalogue.packages import without_installed
from iluvatar_pxe.catalogue.resolve import downloads, unresolved
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
        self._unresolved: tuple[str, ...] = ()

    @property
    def downloads(self) -> tuple[Download, ...]:
        """Every file to download."""
        self._follow()
        return self._downloads

    @property
    def unresolved(self) -> tuple[str, ...]:
        """Entries of which ``stable`` is wanted, while nobody has said which version that is."""
        self._follow()
        return self._unresolved

    def _follow(self) -> None:
        """Leave out what the system's packages have."""
        fleet, lock = self._applied.fleet, self._lock()
        if self._seen and self._seen[0] is fleet and self._seen[1:] == (lock, self.installed):
            return
        overrides = fleet.settings.assets
        wishes = without_installed(wishes_of(fleet), self._catalogue, overrides, self.installed)
        self._downloads = downloads(self._catalogue, overrides, lock, wishes)
        self._unresolved = unresolved(lock, wishes)
        self._seen = fleet, lock, self.installed
