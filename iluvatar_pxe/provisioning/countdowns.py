"""Countdowns on the screens of machines that are about to join."""

from collections.abc import Callable
from uuid import UUID

from iluvatar_pxe.bounded import Recent

AT_THE_SCREEN = "somebody at its screen"
"""Who refuses; nobody knows the name."""
MOST = 1024
"""Countdowns remembered at once; the oldest goes first, and its machine counts down once more."""
_EARLY = 1.0
"""Seconds by which a machine's clock may be ahead of this one's."""


class Countdowns:
    """Knows which countdowns have run out: an earlier confirmation did not come from a shown countdown."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends: Recent[tuple[UUID, int], float] = Recent(MOST)

    def start(self, machine_id: UUID, generation: int, seconds: float) -> None:
        """Note that this boot of a machine was told to count down from now; of several times the first counts."""
        boot = machine_id, generation
        if boot not in self._ends:
            self._ends.put(boot, self._clock() + seconds - _EARLY)

    def has_run_out(self, machine_id: UUID, generation: int) -> bool:
        """Say whether this boot counted down to the end."""
        end = self._ends.get((machine_id, generation))
        return end is not None and self._clock() >= end
