"""What was said already: firmware repeats itself, and a machine that is held asks every half minute, for weeks."""

from uuid import UUID

from iluvatar_pxe.bounded import Recent

MOST_MACHINES = 8192
"""Machines remembered; the one that repeated itself least lately goes first. What is forgotten is said twice."""
MOST_OF_ONE = 64
"""Different things remembered of one machine's boot; the rest counts as said."""


class Repeats:
    """Remembers, for each machine's boot under way, what was said of it."""

    def __init__(self) -> None:
        self._said: Recent[UUID, tuple[int, set[object]]] = Recent(MOST_MACHINES)

    def __contains__(self, key: tuple[UUID, int, object]) -> bool:
        """Say whether (machine, boot, thing) was said."""
        machine_id, generation, thing = key
        boot, said = self._said.get(machine_id) or (0, set())
        return boot == generation and thing in said

    def first(self, machine_id: UUID, generation: int, thing: object) -> bool:
        """Say whether ``thing`` is said for the first time in this boot, and remember it."""
        boot, said = self._said.get(machine_id) or (generation, set())
        if boot != generation:
            said = set()
        if thing in said or len(said) >= MOST_OF_ONE:
            return False
        said.add(thing)
        self._said.put(machine_id, (generation, said))
        return True
