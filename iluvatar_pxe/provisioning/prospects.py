"""What keeps machines from booting now: boot files and configurations that are missing or damaged."""

from collections.abc import Callable, Iterator, Sequence

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.preview.lacking import Shortage, shortages
from iluvatar_pxe.catalogue.choosing import choices, key_of, line
from iluvatar_pxe.catalogue.coming import Coming, words
from iluvatar_pxe.catalogue.names import TALOS
from iluvatar_pxe.catalogue.progress import State
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.problem import first_of
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.values import replace


class Prospects:
    """Looked at anew only when the fleet or the boot files have changed; how far a download is, each time."""

    def __init__(self, applied: Applied, store: AssetStore, coming: Callable[[], Coming] = dict) -> None:
        self._applied = applied
        self._store = store
        self._coming = coming
        self._seen: tuple[Fleet, Context] | None = None
        self._found: tuple[Shortage, ...] = ()

    @property
    def lines(self) -> list[str]:
        """Everything, each in one line."""
        shortages = dict.fromkeys(one.text for one in self._shortages())
        unchosen = (line(entry, one) for entry, one in choices(self._coming()) if entry != TALOS)
        told = [*self._store.problems, *shortages, *unchosen]
        return [*told, *self._failed(told)]

    def _failed(self, told: Sequence[str]) -> Iterator[str]:
        """Return what else the fleet wants and cannot be had for now, a reason once."""
        coming = self._coming()
        unchosen = {key_of(entry) for entry, _ in choices(coming)}
        reasons = {
            one.trouble: words(name.rstrip("/"), one)
            for name, one in coming.items()
            if one.state is State.WAITING and name not in unchosen
        }
        yield from (text for text in reasons.values() if not any(text in line for line in told))

    @property
    def problem(self) -> str | None:
        """What keeps listed machines from booting, in one line, or None."""
        return first_of(list(dict.fromkeys(one.text for one in self._shortages() if one.listed)))

    @property
    def context(self) -> Context:
        """The boot files that are here, and those that are coming."""
        return Context(ready=self._store.ready, links=self._store.links, coming=self._coming())

    def _shortages(self) -> tuple[Shortage, ...]:
        fleet, now = self._applied.fleet, self.context
        context = replace(now, coming={key_of(entry): one for entry, one in choices(now.coming)})
        if self._seen is None or self._seen[0] is not fleet or self._seen[1] != context:
            self._seen, self._found = (fleet, context), shortages(fleet, context)
        return tuple(one.told_by(now) for one in self._found)
