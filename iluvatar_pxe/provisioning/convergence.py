"""Has machines of clusters run with the configurations that the fleet makes: one task for each layer.

Every look at a cluster does one thing, and what is under way is told by the cluster itself: by what machines run with,
and by notes in Kubernetes. So a daemon that is started again goes on where it was, and several daemons agree.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import TYPE_CHECKING, TypedDict, TypeVar

import structlog

from iluvatar_pxe.changed import Subscription
from iluvatar_pxe.errors import (
    IluvatarError,
    KubernetesError,
    TalosRebootError,
    TalosRefusedError,
)
from iluvatar_pxe.layers.arda.api.model import ApplyMode
from iluvatar_pxe.layers.arda.change_tables import ChangeKind
from iluvatar_pxe.layers.arda.changes import words
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.arda.documents import dump_documents
from iluvatar_pxe.layers.arda.restarts import (
    Apply,
    Await,
    Claim,
    Converged,
    Free,
    Prepare,
    Restart,
    Standing,
    Step,
    next_step,
)
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.kubernetes import client as kubernetes
from iluvatar_pxe.problem import Problem, first_of
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.cluster_survey import Surveyed, Surveyor
from iluvatar_pxe.provisioning.configurations import Configurations
from iluvatar_pxe.provisioning.layer_tasks import LayerTasks
from iluvatar_pxe.provisioning.reaching import opened
from iluvatar_pxe.values import replace

if TYPE_CHECKING:
    from iluvatar_pxe.layers.arda.api.client import TalosApi

REFUSED_SECONDS = 300.0
"""After which a machine is offered again what it has refused; a new commit is at once."""
LOST_SECONDS = 900.0
"""After which a machine that has not come back from its restart is a problem."""

Result = TypeVar("Result")


class Told(TypedDict):
    """What is told of a layer's changes."""

    waits: str | None
    machines: dict[str, list[str]]


_log = structlog.get_logger()


class LayerConvergence:
    """Looks after the machines of one layer."""

    def __init__(self, layer: str, context: ClusterContext, configurations: Configurations) -> None:
        self.layer = layer
        self._context = context
        self._surveyor = Surveyor(layer, context, configurations)
        self.surveyed = Surveyed()
        self.step: Step = Converged()
        self._marks: dict[str, str] = {}
        """By machine, what it ran with when nothing was to be changed of it."""
        self._refused: dict[str, tuple[str, str, float]] = {}
        """By machine: what it has refused, why, and until when it is left alone."""
        self._not_live: dict[str, str] = {}
        """By machine: what its Talos does not take without a restart."""
        self._claimant: str | None = None
        """The machine whose turn it was when Kubernetes was asked last."""
        self._waits: tuple[tuple[str, ...], float] = ((), 0.0)
        """For which machines it is waited, and since when."""
        self._drained: tuple[str, float] = ("", 0.0)
        """What is drained for which change, and since when."""
        self._watched: tuple[str, float] = ("", 0.0)
        """The machine that runs with its change, and since when without a break."""
        self._told = Problem(self._tell)

    @property
    def line(self) -> str | None:
        """What the changes of the layer wait for, in one line; None if nothing does."""
        return f"{self.layer}: {self.step.why}" if isinstance(self.step, Await) else None

    @property
    def problem(self) -> str | None:
        """What does not go on without a person, in one line."""
        names, since = self._waits
        is_lost = bool(names) and time.monotonic() - since > LOST_SECONDS
        is_stuck = isinstance(self.step, Await) and self.step.is_stuck
        refused = [f"{self.layer}: {why}" for _, why, _ in self._refused.values()]
        return first_of([*([self.line] if self.line and (is_lost or is_stuck) else []), *refused])

    @property
    def changing(self) -> dict[str, list[str]]:
        """By machine, what is to be changed of it, and what keeps it from that, one line each."""
        held = {one.name: one.held for one in self.surveyed.cluster.machines}
        told = {name: (words(one.fields), held[name]) for name, one in sorted(self.surveyed.changes.items())}
        return {name: lines for name, one in told.items() if (lines := list(filter(None, one)))}

    async def run(self) -> None:
        """Look again and again, until cancelled; less often while nothing changes."""
        pace, pause = self._context.pace, 0.0
        with Subscription(self._context.changed) as news:
            await news.wait()
            while True:
                before = self.step
                await self.look()
                if isinstance(self.step, Converged):
                    pause = pace.converged
                else:
                    pause = min(pause * 2, pace.founded) if self.step == before and pause else pace.first
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await news.wait()

    async def look(self) -> None:
        """Look once, and do what is next."""
        record = self._context.fleet().clusters.get(self.layer)
        if record is None or not record.founded:
            self.step = Converged()
            return
        try:
            self.surveyed = self._remembered(await self._surveyor.survey())
            self.step = next_step(self.surveyed.cluster)
            if self._watched[0] != self._freed():
                self._watched = self._freed(), time.monotonic()
            if not self._context.observes:
                await self._try(self.step)
        except IluvatarError as error:
            self.step = Await(str(error))
        names = self.step.names if isinstance(self.step, Await) else ()
        if names != self._waits[0]:
            self._waits = names, time.monotonic()
        self._told.set(self.line)

    def _tell(self, why: str) -> None:
        if self.problem:
            _log.error("changes.stuck", why=why)
        else:
            _log.info("changes.wait", why=why)

    def _remembered(self, found: Surveyed) -> Surveyed:
        """Return it with what machines have refused before."""
        now = time.monotonic()
        marks = {one.name: one.mark for one in found.cluster.machines}
        self._marks = {name: mark for name, mark in self._marks.items() if name in marks}
        self._not_live = {name: mark for name, mark in self._not_live.items() if mark == marks.get(name)}
        self._refused = {
            name: told for name, told in self._refused.items() if told[0] == marks.get(name) and now < told[2]
        }
        if found.cluster.claimant is not None:
            self._claimant = found.cluster.claimant
        machines = [self._judged(one) for one in found.cluster.machines]
        return replace(found, cluster=replace(found.cluster, machines=machines, claimant=self._claimant))

    def _judged(self, one: Standing) -> Standing:
        if refused := self._refused.get(one.name):
            return replace(one, held=refused[1])
        if one.kind is ChangeKind.NONE and one.mark:
            self._marks[one.name] = one.mark
        if one.kind is ChangeKind.LIVE and self._not_live.get(one.name) == one.mark:
            return replace(one, kind=ChangeKind.RESTART)
        return one

    async def _try(self, step: Step) -> None:
        """Do what is next; where that fails, it is waited for, and the machine is named."""
        try:
            await self._carry_out(step)
        except IluvatarError as error:
            name = "" if isinstance(step, Await | Converged) else step.name
            self.step = Await(f"{name}: {error}" if name else str(error), (name,) if name else ())

    async def _carry_out(self, step: Step) -> None:
        match step:
            case Apply(name):
                await self._apply(name, ApplyMode.NO_REBOOT)
            case Claim(name):
                await self._in_kubernetes(lambda at, by: kubernetes.claim(at, by, name))
            case Prepare(name, note):
                if await self._apply(name, ApplyMode.STAGED):
                    await self._in_kubernetes(lambda at, by: kubernetes.cordon(at, by, name, note))
            case Restart(name, drains):
                await self._restart(name, drains=drains)
            case Free(name):
                await self._free(name)

    async def _apply(self, name: str, mode: ApplyMode) -> bool:
        """Give a machine its configuration, and say whether it took it; what it refuses is remembered."""
        found, mark = self.surveyed.changes[name], self._mark(name)
        try:
            async with self._api(name) as api:
                await api.apply(dump_documents(found.documents), mode)
        except TalosRebootError:
            self._not_live[name] = mark
            return False
        except TalosRefusedError as error:
            why = str(error)
            self._refused[name] = mark, why, time.monotonic() + REFUSED_SECONDS
            _log.error("machine.refuses", machine=name, layer=self.layer, why=why)
            return False
        is_drift = self._marks.get(name) == mark
        event = "machine.put-back" if is_drift else "machine.changed"
        if mode is ApplyMode.STAGED:
            event = "machine.staged"
        _log.info(event, machine=name, layer=self.layer, change=words(found.fields))
        return True

    async def _restart(self, name: str, *, drains: bool) -> None:
        """Restart a machine once no pod is left on it."""
        left = await self._in_kubernetes(lambda at, by: kubernetes.evict(at, by, name)) if drains else ()
        if left:
            self.step = self._drains(name, left)
            return
        async with self._api(name) as api:
            await api.reboot()
        _log.info("machine.restarted", machine=name, layer=self.layer)

    def _freed(self) -> str:
        """Return the name of the machine whose turn would end now, and what it runs with."""
        return f"{self.step.name} {self._mark(self.step.name)}" if isinstance(self.step, Free) else ""

    async def _unproved(self, one: Standing) -> str:
        """Say why a control plane may fail with its change yet; nothing where it runs with it, or did not get it."""
        if not one.is_control_plane or one.held:
            return ""
        seconds = self._context.pace.steady
        if time.monotonic() - self._watched[1] < seconds:
            return f"has its change, and is watched for {seconds:.0f} seconds"
        async with self._api(one.name) as api:
            wanted = await api.state.static_pods()
        running = await self._in_kubernetes(lambda at, by: kubernetes.static_pods(at, by, one.name))
        late = [pod for pod, version in wanted.items() if running.get(pod) != version]
        return f"its {late[0]} is not ready with its change" if late else ""

    def _standing(self, name: str) -> Standing | None:
        return next((one for one in self.surveyed.cluster.machines if one.name == name), None)

    def _mark(self, name: str) -> str:
        one = self._standing(name)
        return one.mark if one else ""

    def _drains(self, name: str, left: tuple[str, ...]) -> Await:
        what = f"{name} {self._mark(name)}"
        if self._drained[0] != what:
            self._drained = what, time.monotonic()
        is_late = time.monotonic() - self._drained[1] > kubernetes.DRAIN_SECONDS
        remedy = (
            "look at its PodDisruptionBudget, or restart the machine yourself" if is_late else "it is drained"
        )
        more = f" and {len(left) - 1} more pods" if left[1:] else ""
        return Await(f"{name}: {left[0]}{more} runs there still; {remedy}", (name,), is_stuck=is_late)

    async def _free(self, name: str) -> None:
        one = self._standing(name)
        if one and (why := await self._unproved(one)):
            self.step = Await(f"{name}: {why}", (name,))
            return
        if one and one.noted:
            await self._in_kubernetes(lambda at, by: kubernetes.uncordon(at, by, name))
            _log.info("machine.back", machine=name, layer=self.layer)
        turn = name or self._claimant or ""
        await self._in_kubernetes(lambda at, by: kubernetes.release(at, by, turn))

    def _api(self, name: str) -> "AbstractAsyncContextManager[TalosApi]":
        return opened(self.layer, name, ApiRole.ADMIN, self._context)

    async def _in_kubernetes(self, call: Callable[[str, Credentials], Awaitable[Result]]) -> Result:
        """Call the API server of the first control plane that answers."""
        credentials = await self._context.kubernetes(self.layer)
        why = KubernetesError(f"{self.layer}: no control plane answers; switch one on")
        for one in self.surveyed.planes:
            try:
                return await call(str(one.address), credentials)
            except KubernetesError as error:
                why = error
        raise why


class Convergence:
    """All layers whose configurations the daemon makes."""

    def __init__(self, context: ClusterContext, configurations: Configurations) -> None:
        self._tasks = LayerTasks(context, lambda layer: LayerConvergence(layer, context, configurations))

    @property
    def layers(self) -> Mapping[str, LayerConvergence]:
        """Those of the applied fleet, by their names."""
        return self._tasks.by_layer

    @property
    def problem(self) -> str | None:
        """What does not go on without a person, in one line; None if all is well."""
        stopped = [why for one in self.layers.values() if (why := one.problem)]
        return first_of([*self._tasks.failed.values(), *stopped])

    @property
    def lines(self) -> list[str]:
        """What changes wait for, one line each."""
        return [line for one in self.layers.values() if (line := one.line)]

    def told(self, layer: str) -> Told:
        """Return what a layer's changes wait for, and of which machines what is to be changed."""
        one = self.layers.get(layer)
        if one is None:
            return {"waits": None, "machines": {}}
        return {"waits": one.line, "machines": one.changing}

    async def run(self) -> None:
        """Look after the layers of the applied fleet, until cancelled."""
        await self._tasks.run()
