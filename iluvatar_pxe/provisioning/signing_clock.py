"""The time by which certificates are signed."""

from collections.abc import Callable
from datetime import datetime

from iluvatar_pxe.errors import ClockError
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.layers.arda.clock import ClockGuard
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.tls.certificates import Clock, utc_now


class SigningClock:
    """Gives the time, and refuses to while the clock is before anything that this host knows to have happened.

    It remembers the newest row of the inventory: what a machine does under a wrong clock gets a row with that time.
    """

    def __init__(
        self,
        revision: Callable[[], Revision | None],
        snapshot: Callable[[], Snapshot],
        clock: Clock = utc_now,
    ) -> None:
        self._revision = revision
        self._snapshot = snapshot
        self._clock = clock
        self._recorded: datetime | None = None
        self._remember()

    def now(self) -> datetime:
        """Return the time; raises ClockError."""
        self._remember()
        revision, now = self._revision(), self._clock()
        commit = revision.commit if revision else None
        if commit and commit.time is None:
            raise ClockError(
                f"the fleet's newest commit {commit.id[:8]} is of {commit.at}, which is no time; no certificate is "
                "signed; push another commit: git commit --allow-empty"
            )
        ClockGuard(
            committed=commit.time if commit else None,
            commit=commit.id[:8] if commit else "",
            recorded=self._recorded,
        ).check(now)
        return now

    def _remember(self) -> None:
        seen = [machine.last_seen for machine in self._snapshot().by_id.values()]
        self._recorded = max([*seen, *([self._recorded] if self._recorded else [])], default=None)
