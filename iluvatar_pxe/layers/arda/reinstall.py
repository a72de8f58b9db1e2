"""How a machine of a cluster is installed anew without harm to the cluster. Pure: what machines say is given."""

from collections.abc import Mapping
from enum import Enum, auto

from msgspec import Struct, field

from iluvatar_pxe.layers.arda.absence import Absence, words


class Answer(Enum):
    """What the machine's own API says."""

    RUNS = auto()
    """Talos of this cluster."""
    MAINTENANCE = auto()
    """It waits for a configuration: there is nothing to wipe."""
    FOREIGN = auto()
    """Talos of another cluster."""
    ANOTHER = auto()
    """Another machine of this cluster is at its address."""
    SILENT = auto()
    """Nothing."""


class Target(Struct, frozen=True, kw_only=True):
    """The machine, and the cluster that it leaves."""

    name: str
    answer: Answer
    trouble: str = ""
    """Why it does not answer."""
    is_control_plane: bool = False
    is_founded: bool = True
    members: frozenset[str] = frozenset()
    """Names of etcd's members; none where nobody lists them."""
    healthy: frozenset[str] = frozenset()
    """Those that answer, and vote."""
    away: Mapping[str, Absence] = field(default_factory=dict)
    """Other machines of the cluster that are away, or on their way out."""
    last_replicas: tuple[str, ...] | None = ()
    """Volumes of Longhorn with no healthy replica on another node; None where nobody tells."""
    is_on_disk: bool = True
    """It has reported that Talos is on its disk."""
    wipes: bool = False
    """A person said that the disk may be erased, whatever is on it."""
    is_forced: bool = False

    @property
    def others(self) -> int:
        """How many healthy members stay besides it."""
        return len(self.healthy - self.away.keys() - {self.name})

    @property
    def ends_cluster(self) -> bool:
        """Say whether no healthy member of etcd is left without it, nor comes back by itself."""
        lost = {name for name, one in self.away.items() if one.is_lasting}
        return self.is_control_plane and self.is_founded and not self.healthy - lost - {self.name}

    @property
    def besides(self) -> str:
        """Which other machines are away, in words to append; empty where none is."""
        return f" ({'; '.join(words(self.away))})" if self.away else ""

    @property
    def quorum(self) -> int:
        """How many members have to be healthy."""
        return len(self.members) // 2 + 1


class Refused(Struct, frozen=True):
    """It is left alone; ``why`` is one line with the remedy."""

    why: str


class Reset(Struct, frozen=True):
    """Talos resets itself, now; ``graceful`` drains the node and leaves etcd first.

    ``forfeits``: another member of etcd is to lead before. ``ends_cluster``: the cluster's data is lost by it, so that
    it has to be founded again.
    """

    graceful: bool
    forfeits: bool = False
    ends_cluster: bool = False


class NextBoot(Struct, frozen=True):
    """It is installed when it boots next; ``wipes`` has an installed Talos wiped by one boot before.

    ``ends_cluster`` as of ``Reset``.
    """

    wipes: bool
    ends_cluster: bool = False


Step = Refused | Reset | NextBoot


def next_step(target: Target) -> Step:
    """Return how it is done."""
    if not target.is_forced and (why := _harm(target)):
        return Refused(f"{target.name}: {why}")
    match target.answer:
        case Answer.RUNS:
            graceful = not target.is_forced or _can_leave(target)
            return Reset(graceful, graceful and target.name in target.members, target.ends_cluster)
        case Answer.FOREIGN if not target.wipes:
            return Refused(
                f"{target.name}: Talos of another cluster runs there, which this one cannot reset; to erase it: "
                f"iluvatar-pxe machines reinstall {target.name} --wipe"
            )
        case Answer.ANOTHER if not target.is_forced:
            return Refused(
                f"{target.name}: {target.trouble}; if it is off, add --force, which wipes it at its next boot"
            )
        case Answer.SILENT | Answer.ANOTHER:
            return NextBoot(target.wipes or target.is_on_disk, target.ends_cluster)
        case _:
            return NextBoot(target.wipes, target.ends_cluster)


def _harm(target: Target) -> str:
    """Say what the cluster would lose, and what to do instead; nothing where that is nothing."""
    if not target.is_founded:
        return ""
    return (target.is_control_plane and _harm_to_etcd(target)) or _harm_to_volumes(target)


def _harm_to_etcd(target: Target) -> str:
    if not target.members:
        return "no control plane lists the members of etcd, so its data may be lost; switch them on, or add --force"
    if target.name not in target.members or target.others >= target.quorum:
        return ""
    if not target.others:
        return (
            f"it is the last healthy control plane{target.besides}, and the cluster's data would be lost; take a snapshot "
            "(iluvatar-pxe cluster snapshot), then add --force"
        )
    return (
        f"{target.others} healthy members would be left of etcd's {len(target.members)}, and {target.quorum} are needed"
        f"{target.besides}; "
        "mend the others first, or add --force"
    )


def _harm_to_volumes(target: Target) -> str:
    if (
        target.answer not in {Answer.RUNS, Answer.SILENT, Answer.ANOTHER}
        or not target.is_on_disk
        or target.last_replicas == ()
    ):
        return ""
    if target.last_replicas is None:
        return (
            "no control plane's Kubernetes API tells whether a volume of Longhorn has its last healthy replica there; "
            "switch them on, or add --force"
        )
    return (
        f"Longhorn's volumes {', '.join(target.last_replicas)} have their last healthy replica there, which may be lost{target.besides}; "
        "have Longhorn rebuild them on another node, or add --force"
    )


def _can_leave(target: Target) -> bool:
    """Say whether etcd can agree on its leaving; one that cannot leave would not be reset."""
    return not target.is_control_plane or (target.others > 0 and len(target.healthy) >= target.quorum)
