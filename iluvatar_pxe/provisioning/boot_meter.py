"""Counts boots by what became of them, and measures how long their stages took."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from iluvatar_pxe.boot.plan import BootLocal, Hold, Plan, RunScript, ServePiFiles
from iluvatar_pxe.bounded import Recent
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.meters import Histogram

STAGE_SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
DISK = "disk"
"""Chain of a boot that asked nobody: the machine's firmware started what is on its disk."""
MOST_MACHINES = 8192
"""Machines whose boot is followed; the one that was heard of least lately goes first."""
MOST_LAYERS = 64
"""Layers that are counted by name: who renames layers for years makes no more series than that."""


class BootOutcome(StrEnum):
    """What became of a boot; each is counted once, when that is known."""

    JOINED = "joined"
    INSTALLED = "installed"
    """It installed its operating system, and then the machine started anew, from its disk."""
    UNFINISHED = "unfinished"
    """The machine started anew before any of that."""
    LOOP = "loop"
    """The machine had failed too often before, so that it is held."""
    HELD = "held"
    """It waits. If it is let go on later, what then becomes of it counts as well."""
    LOCAL = "local"
    """It was told to boot its own disk."""
    SCRIPT = "script"
    """It got a script of the fleet; what that comes to, nobody reports."""
    FETCHED = "fetched"
    """A simulated machine has fetched all that it fetches: there its boot ends."""


_REPORTING = frozenset({"talos", "raspberry-pi", DISK})
"""Chains whose operating system reports how far it has come."""
_SCRIPTS = frozenset({Stage.SCRIPT, Stage.CONFIRM})
Key = tuple[str, str]
"""A boot's layer and chain."""


@dataclass(slots=True)
class _Boot:
    generation: int
    stage: Stage
    at: float
    """When it came to that stage."""
    began: float
    is_over: bool
    key: Key | None = None
    was_held: bool = False
    sending: list[Stage] = field(default_factory=list)
    """Stages whose files are being sent."""


class BootMeter:
    """The boots of real machines, or of simulated ones. ``started`` has those whose chain is known."""

    def __init__(self, clock: Callable[[], float], *, simulated: bool = False) -> None:
        """``clock`` is a monotonic one, in seconds."""
        self.simulated = simulated
        self.started: Counter[Key] = Counter()
        self.ended: Counter[tuple[str, str, BootOutcome]] = Counter()
        """By layer, chain and outcome."""
        self.stages: defaultdict[Stage, Histogram] = defaultdict(lambda: Histogram(STAGE_SECONDS))
        """Seconds from the stage before to each stage."""
        self.whole: defaultdict[Key, Histogram] = defaultdict(lambda: Histogram(STAGE_SECONDS))
        """Seconds from a boot's first stage to its cluster."""
        self._clock = clock
        self._boots: Recent[UUID, _Boot] = Recent(MOST_MACHINES)
        self._layers: set[str] = set()

    def reached(self, machine: Machine, stage: Stage, layer: Callable[[], str], plan: Plan | None) -> None:
        """Take in that a boot came to a stage: ``machine`` as known afterwards, ``plan`` where it was told what to do.

        ``layer`` returns the name of the machine's layer; empty where it has none.
        """
        boot, now = self._boots.get(machine.id), self._clock()
        if boot is None or boot.generation != machine.generation:
            boot = self._begin(machine, stage, now, boot)
        else:
            self._pass(boot, stage, now)
        if boot.is_over:
            return
        if stage in _SCRIPTS and isinstance(plan, Hold | BootLocal):
            self._halted(boot, plan, layer(), is_loop=machine.phase is Phase.FAILED)
        elif boot.key is None and (chain := _chain_of(stage, plan)):
            boot.key = self._named(layer()), chain
            self.started[boot.key] += 1
        if boot.key and (outcome := self._outcome(boot.key[1], stage)):
            if outcome is BootOutcome.JOINED:
                self.whole[boot.key].observe(now - boot.began)
            self._end(boot, boot.key, outcome)

    @contextmanager
    def sending(self, machine: Machine, stage: Stage) -> Iterator[None]:
        """Take in that a stage's file is being sent: a machine that comes to a later stage meanwhile has all of it."""
        if (boot := self._boots.get(machine.id)) is None:
            yield
            return
        boot.sending.append(stage)
        try:
            yield
        finally:
            boot.sending.remove(stage)

    def _pass(self, boot: _Boot, stage: Stage, now: float) -> None:
        """Time a stage, and before it those whose end is not known here yet."""
        for one in sorted({*boot.sending, stage}):
            if boot.stage < one <= stage:
                self.stages[one].observe(now - boot.at)
                boot.stage, boot.at = one, now

    def _begin(self, machine: Machine, stage: Stage, now: float, before: _Boot | None) -> _Boot:
        """Follow another boot of a machine; one whose beginning was missed, by a restart of the daemon, is not counted."""
        if before and before.key and not before.is_over:
            installed = before.stage >= Stage.INSTALLED
            self._end(before, before.key, BootOutcome.INSTALLED if installed else BootOutcome.UNFINISHED)
        missed = stage > Stage.CONFIRM and stage is not Stage.STARTED
        boot = _Boot(machine.generation, stage, now, now, is_over=missed)
        self._boots.put(machine.id, boot)
        return boot

    def _halted(self, boot: _Boot, plan: Hold | BootLocal, layer: str, *, is_loop: bool) -> None:
        """Count a boot that is not let go on, or not from here."""
        key = self._named(layer), ""
        if isinstance(plan, BootLocal):
            self._end(boot, key, BootOutcome.LOCAL)
        elif not boot.was_held:
            boot.was_held = True
            self.ended[*key, BootOutcome.LOOP if is_loop else BootOutcome.HELD] += 1

    def _outcome(self, chain: str, stage: Stage) -> BootOutcome | None:
        if chain not in _REPORTING:
            return BootOutcome.SCRIPT
        if stage is Stage.JOINED:
            return BootOutcome.JOINED
        last = Stage.INITRAMFS if chain == "raspberry-pi" else Stage.CONFIG
        return BootOutcome.FETCHED if self.simulated and stage is last else None

    def _end(self, boot: _Boot, key: Key, outcome: BootOutcome) -> None:
        boot.is_over = True
        self.ended[*key, outcome] += 1

    def _named(self, layer: str) -> str:
        if layer not in self._layers and len(self._layers) >= MOST_LAYERS:
            return ""
        self._layers.add(layer)
        return layer


class BootMeters:
    """The two meters of a daemon."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.real = BootMeter(clock)
        self.simulated = BootMeter(clock, simulated=True)


def _chain_of(stage: Stage, plan: Plan | None) -> str:
    """Return the chain that a boot turns out to have; empty while that is open."""
    if stage in _SCRIPTS and isinstance(plan, RunScript | ServePiFiles):
        return plan.chain
    return DISK if stage is Stage.STARTED else ""
