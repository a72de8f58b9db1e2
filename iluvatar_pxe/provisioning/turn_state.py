"""What decides about messages of one turn, looked up once, and whether it is still what it was in an earlier turn."""

from collections.abc import Callable

from iluvatar_pxe.boot.basis import State
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.provisioning.booter import Booter


class TurnState:
    """Follows what a booter goes by. Fleet and machines may change in the middle of a turn; the rest counts as of its begin."""

    def __init__(self, booter: Booter, look_up: Callable[[], Context]) -> None:
        """``look_up`` is one of the booter's methods that return a context."""
        self._booter = booter
        self._look_up = look_up
        self._context: Context | None = None
        self._is_of_turn = False
        self._last: State | None = None

    def next_turn(self) -> None:
        """Look it up again when it is needed."""
        self._is_of_turn = False
        if self._last and self._last.fleet is not self._booter.applied.fleet:
            self._last = None  # nothing keeps an earlier fleet in memory

    def now(self) -> State:
        """Return it: the same object as before, if nothing of it has changed."""
        context, last = self._of_turn(), self._last
        fleet, era = self._booter.applied.fleet, self._booter.inventory.snapshot.era
        if last and last.fleet is fleet and last.era is era and last.context is context:
            return last
        self._last = State(fleet, context, era)
        return self._last

    def _of_turn(self) -> Context:
        """Return the context, for which an equal one of an earlier turn is taken."""
        if self._context is None or not self._is_of_turn:
            context = self._look_up()
            self._context = self._context if context == self._context else context
            self._is_of_turn = True
        return self._context
