"""The stages of a boot, with the time that each took."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stage:
    """One stage. ``detail`` says what came of it; a stage that failed has no end."""

    name: str
    detail: str = ""
    milliseconds: float = 0.0


@dataclass(slots=True)
class Stages:
    """The stages until now; ``clock`` counts seconds."""

    clock: Callable[[], float]
    done: list[Stage] = field(default_factory=list)
    failed: str = ""
    """The stage that did not come to its end."""
    milliseconds: float = 0.0
    """From the first stage's beginning to the last one's end, with those that failed and were tried again."""
    _began: float | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Time a stage; the block may set its ``detail``."""
        stage, began = Stage(name), self.clock()
        self._began = began if self._began is None else self._began
        self.failed = name
        try:
            yield stage
        finally:
            ended = self.clock()
            self.milliseconds = (ended - self._began) * 1000
        self.failed = ""
        stage.milliseconds = (ended - began) * 1000
        self.done.append(stage)

    def by_name(self) -> dict[str, float]:
        """Return the milliseconds of each name, in order; what was done twice is added up."""
        sums: dict[str, float] = {}
        for stage in self.done:
            sums[stage.name] = sums.get(stage.name, 0.0) + stage.milliseconds
        return sums


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that ``percent`` of ``values``, of which there is at least one, do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
