"""The enrolment window as it is kept: resumed from the database, set as a commit says, and queued to be written."""

from collections.abc import Callable

import structlog

from iluvatar_pxe.changed import Changed
from iluvatar_pxe.fleet.daemon_files import EnrolmentFile
from iluvatar_pxe.inventory.database.pending import Pending
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.inventory.window import SavedWindow, Window, seconds_stated

_OPEN = "iluvatar-pxe enrol open 30m"
_log = structlog.get_logger()


class KeptWindow:
    """Closed until it is known what the database has of it."""

    def __init__(
        self, pending: Pending, clock: Callable[[], float], changed: Changed, wake: Callable[[], None]
    ) -> None:
        """``wake`` has what is ``pending`` written."""
        self.window = Window(clock)
        self._pending = pending
        self._clock = clock
        self._changed = changed
        self._wake = wake
        self._is_known = False
        self._is_saved_open = False
        self._fleet_is_new = True
        self._is_first = False
        """Whether the database was made by this start."""
        self._stated: EnrolmentFile | None = None
        self._stated_since = 0.0
        """The earliest moment, by ``clock``, at which that can have been committed."""

    def set(self, seconds: float, by: str) -> None:
        """Open it for so many seconds from now; 0 closes it."""
        self.window.open(seconds, by)
        self._changed.tell()
        self._queue()

    def follow(self, stated: EnrolmentFile | None, most_age: float) -> None:
        """Take in when a commit opened or closed it, ``most_age`` seconds ago at most; None says nothing."""
        if stated != self._stated:
            self._stated, self._stated_since = stated, self._clock() - most_age
            self._follow_stated()

    def follow_old_fleet(self) -> None:
        """Take in that the fleet is not new: an inventory that is new then opens no window, as it was lost."""
        self._fleet_is_new = False
        if self._is_first:
            self._refuse_first()
            self._queue()

    def resume(self, stored: SavedWindow | None) -> None:
        """Take in what the database has of it; only the first time counts."""
        if not self._is_known:
            self._is_known = True
            self._is_first = stored is None
            if stored or self._fleet_is_new:
                self.window.resume(stored, wall_clock())
            else:
                self._refuse_first()
            self._follow_stated()
        self._queue()

    def keep(self) -> None:
        """Take in that the next file of the database begins with what is known: it is no first start."""
        self._is_known = True

    def tick(self) -> None:
        """Follow a commit as soon as the clocks are right, and save the window."""
        self._follow_stated()
        self.save()

    def save(self) -> None:
        """Queue the window while it is open, and once after that."""
        if self.window.is_open or self._is_saved_open:
            self._queue()

    def _follow_stated(self) -> None:
        """Set the window as the commit says, once, and as soon as the clocks tell what is left of it."""
        stated = self._stated
        if stated is None or not self._is_known or stated.words == self.window.opened_by:
            return
        left = seconds_stated(stated, wall_clock(), self._clock() - self._stated_since)
        if left is None:
            return
        self._is_first = False
        self.set(left, stated.words)
        self._wake()
        _log.info("enrolment.set", seconds=round(left), by=stated.words)

    def _refuse_first(self) -> None:
        self._is_first = False
        self.window.close("the fleet is not new")
        _log.warning("enrolment.closed", why="the inventory is new and the fleet is not", open=_OPEN)

    def _queue(self) -> None:
        self._is_saved_open = self.window.is_open
        self._pending.save_window(self.window.saved(wall_clock()))
