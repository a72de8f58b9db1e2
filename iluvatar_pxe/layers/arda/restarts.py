"""Which machine of a cluster gets its changed configuration next, and how. Pure: what machines say is given.

Machines that restart do so in turn, and so do control planes that are changed while they run: a change may be one that
the Kubernetes API does not start with. Control planes that are not ready, workers, and a control plane that is alone are
changed at once, for that may be what the cluster waits for.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field

from iluvatar_pxe.layers.arda.absence import FOR_RESTART, Absence, words
from iluvatar_pxe.layers.arda.change_tables import ChangeKind
from iluvatar_pxe.layers.kubernetes.node import Node


class Standing(Struct, frozen=True, kw_only=True):
    """How one machine of a cluster is, and what is to be changed of it."""

    name: str
    is_control_plane: bool = False
    leads_etcd: bool = False
    is_ready: bool = True
    """It answers, runs, and Kubernetes has its node ready."""
    is_ours: bool = True
    """This daemon changes it: it is the one that the machine reports to."""
    kind: ChangeKind = ChangeKind.NONE
    mark: str = ""
    """Differs with what it should run with."""
    held: str = ""
    """Why nothing is changed of it now; empty if nothing keeps it."""
    node: Node | None = None

    @property
    def note(self) -> str:
        """What its Node is cordoned with: in which boot, and for which configuration."""
        return f"{FOR_RESTART}{self.node.boot if self.node else ''}/{self.mark}"

    @property
    def noted(self) -> str:
        """What its Node was cordoned with for a restart; empty if it was not."""
        note = self.node.note if self.node else ""
        return note if note.startswith(FOR_RESTART) else ""

    @property
    def is_spoilt(self) -> bool:
        """Say whether it is a control plane that has its change, and is not ready with it."""
        return self.is_control_plane and self.kind is ChangeKind.NONE and not (self.held or self.is_ready)

    @property
    def is_live(self) -> bool:
        """Say whether this daemon can change it while it runs."""
        return self.kind is ChangeKind.LIVE and self.is_ours and not self.held

    @property
    def wants_restart(self) -> bool:
        """Say whether it has to restart for what is changed."""
        return self.kind is ChangeKind.RESTART and not self.held


class Apply(Struct, frozen=True):
    """It gets its configuration while it runs."""

    name: str


class Claim(Struct, frozen=True):
    """It is to be the one that is changed."""

    name: str


class Prepare(Struct, frozen=True):
    """It gets its configuration for the next start, and its node is cordoned."""

    name: str
    note: str


class Restart(Struct, frozen=True):
    """It is drained, and restarts once no pod is left."""

    name: str
    drains: bool
    """Another node can take its pods."""


class Free(Struct, frozen=True):
    """If it runs well, its node is uncordoned, and it is the next one's turn; without a name nobody's is."""

    name: str = ""


class Await(Struct, frozen=True):
    """Nothing is done now; ``why`` is one line. ``is_stuck``: not without a person."""

    why: str
    names: tuple[str, ...] = ()
    is_stuck: bool = False


class Converged(Struct, frozen=True):
    """There is nothing to do."""


Step = Apply | Claim | Prepare | Restart | Free | Await | Converged


class Standings(Struct, frozen=True, kw_only=True):
    """A cluster."""

    machines: Sequence[Standing]
    claimant: str | None = None
    """The machine whose turn it is to be changed; empty where it is nobody's, None where nobody says that."""
    troubles: Sequence[str] = ()
    """What is wrong with etcd, and why Kubernetes cannot be asked."""
    nodes: Mapping[str, Node] = field(default_factory=dict)
    """All Nodes by name."""
    away: Mapping[str, Absence] = field(default_factory=dict)
    """The machines that are away, or on their way out."""


def next_step(cluster: Standings) -> Step:
    """Return what is next."""
    if live := next(_live(cluster.machines), None):
        return live
    by_name = {one.name: one for one in cluster.machines}
    if cluster.claimant is None:
        return Await(next(iter(cluster.troubles), "Kubernetes was not asked yet"))
    if cluster.claimant:
        one = by_name.get(cluster.claimant)
        return _turn(one, cluster) if one else _unknown(cluster.claimant, cluster.nodes)
    if left := next((one for one in cluster.machines if one.noted and one.is_ours and one.is_ready), None):
        return Claim(left.name) if left.is_live or left.wants_restart else Free(left.name)
    return _begin(cluster)


def _live(machines: Sequence[Standing]) -> Iterator[Apply]:
    """Yield the machines that are changed while they run, whoever's turn it is."""
    is_alone = sum(one.is_control_plane for one in machines) == 1
    wanted = [one for one in machines if one.is_live]
    for one in sorted(wanted, key=lambda each: (each.is_ready, each.name)):
        if is_alone or not (one.is_control_plane and one.is_ready):
            yield Apply(one.name)


def _begin(cluster: Standings) -> Step:
    """Choose who is changed first: without a restart, then control planes, the one that leads etcd last, then workers."""
    live = sorted(one.name for one in cluster.machines if one.is_live)
    if live and (gone := words(_gone(cluster))):
        return Await(f"{', '.join(live)}: to be changed, but {gone[0]}", tuple(live))
    if live and not any(one.is_spoilt for one in cluster.machines):
        return Claim(live[0])
    wanted = [one for one in cluster.machines if one.wants_restart]
    if not wanted:
        return _for_ready(cluster.machines, live) if live else Converged()
    troubles = [*cluster.troubles, *words(cluster.away)]
    names = tuple(sorted(one.name for one in wanted))
    if troubles:
        return Await(f"{', '.join(names)}: to be restarted for changes, but {troubles[0]}", names)
    ready = [one for one in wanted if one.is_ours and one.is_ready]
    if not ready:
        who = "once it is ready" if any(one.is_ours for one in wanted) else "by the daemon that it reports to"
        return Await(f"{', '.join(names)}: to be restarted for changes {who}", names)
    first = min(ready, key=lambda one: (not one.is_control_plane, one.leads_etcd, one.name))
    return Claim(first.name)


def _gone(cluster: Standings) -> dict[str, Absence]:
    """Return the control planes that leave, or are being reset."""
    planes = {one.name for one in cluster.machines if one.is_control_plane}
    return {name: one for name, one in cluster.away.items() if one.is_lasting and name in planes}


def _for_ready(machines: Sequence[Standing], waiting: Sequence[str]) -> Await:
    failed = [one.name for one in machines if one.is_spoilt]
    why = f"{', '.join(failed)}: has its change and is not ready; {', '.join(waiting)} waits for it"
    return Await(why, tuple(waiting))


def _unknown(name: str, nodes: Mapping[str, Node]) -> Step:
    """Return what is next while it is the turn of a machine that this daemon does not know: it may have left."""
    if name in nodes:
        return Await(f"{name}: is being changed; another daemon does that", (name,))
    return Free()


def _turn(one: Standing, cluster: Standings) -> Step:
    """Return what is next while it is a machine's turn."""
    if one.is_live:
        return Apply(one.name)
    if why := _why_not_on(one, cluster.troubles):
        return Await(f"{one.name}: {why}", (one.name,))
    return _on(one, cluster) if one.wants_restart else Free(one.name)


def _why_not_on(one: Standing, troubles: Sequence[str]) -> str:
    if not one.is_ours:
        return "is being changed; the daemon that it reports to does that"
    if not one.is_ready:
        return "is not ready, and it is its turn to be changed; the other machines wait for it"
    return f"is being changed, but {troubles[0]}" if troubles else ""


def _on(one: Standing, cluster: Standings) -> Step:
    """Return what is next of a machine that is to restart: all of it can be done again, but for the restart."""
    boot, _, mark = one.noted.removeprefix(FOR_RESTART).partition("/")
    is_prepared = bool(one.noted) and mark == one.mark
    if is_prepared and one.node and boot != one.node.boot:
        why = "has restarted, and does not run with its change; look at its log. The next commit that changes it tries again"
        return Await(f"{one.name}: {why}", (one.name,), is_stuck=True)
    if others := words({name: each for name, each in cluster.away.items() if name != one.name}):
        return Await(f"{one.name}: restarts for changes, but {others[0]}", (one.name,))
    if not is_prepared:
        return Prepare(one.name, one.note)
    nodes = (node for name, node in cluster.nodes.items() if name != one.name)
    return Restart(one.name, drains=any(node.is_ready and not node.is_unschedulable for node in nodes))
