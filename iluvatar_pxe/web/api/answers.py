"""What the API answers, as models: only its description is made of them, and tests compare real answers with it."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict

from iluvatar_pxe.admin.command import Command
from iluvatar_pxe.admin.registry import COMMANDS
from iluvatar_pxe.catalogue.progress import State
from iluvatar_pxe.machines.states import Intent, Phase, Role


class Answer(BaseModel):
    """An answer; times are UTC, ISO 8601, and what is not known is null."""

    model_config = ConfigDict(defer_build=True)


class Machine(Answer):
    """Everything that is known of a machine."""

    id: str
    name: str | None
    layer: str | None
    role: Role | None
    rule: str | None
    """What gave it its place: a file of the fleet, or one of its rules."""
    assigned_at: datetime | None
    listed: bool
    """Whether a file of the fleet lists it."""
    phase: Phase
    intent: Intent
    intent_by: str | None
    intent_why: str | None
    conflict: str | None
    """Why it may be two machines."""
    faults: list[str]
    warnings: list[str]
    address: str | None
    macs: list[str]
    claimed: list[str]
    """MACs that it says are its own, and that were not seen."""
    manufacturer: str | None
    product: str | None
    board: str | None
    serial: str | None
    serial_is_bogus: bool
    uuid: str | None
    uuid_is_bogus: bool
    arch: str | None
    firmware: str
    boots: int
    reached: str
    """The stage that this boot has reached."""
    furthest: str
    first_seen: datetime
    last_seen: datetime
    transient: bool
    """Whether it only asked for an address."""
    power: str | None
    """What switches it, as its file says."""


class BootEvent(Answer):
    at: datetime
    stage: str
    detail: str | None
    cause: str | None
    bytes: int | None
    milliseconds: float | None


class Boot(Answer):
    boot: int
    started_at: datetime
    reached: str
    events: list[BootEvent]


class OneMachine(Machine):
    """A machine with what was read of its hardware, its next boot and why, and its last boots, the latest last."""

    cluster_waits: str | None
    """Why its cluster waits for it."""
    changes: list[str]
    """What is to be changed of what it runs with."""
    troubles: list[str]
    plan: dict[str, Any] | None
    disk: str | None
    disks: list[dict[str, Any]] | None
    nics: list[dict[str, Any]] | None
    last_boots: list[Boot]


class Machines(Answer):
    machines: list[Machine]
    total: int
    next: str | None
    """The ``cursor`` of the next page; null on the last one."""


class BootInParts(Answer):
    boot: int
    started_at: datetime
    reached: str
    current: bool
    milliseconds: float
    parts: list[dict[str, Any]]
    """Each with its length, transfers included, and what is usual, in milliseconds."""
    missing: list[str]
    """Parts that most earlier boots had."""
    to_come: list[str]


class BootsInParts(Answer):
    """The latest first."""

    boots: list[BootInParts]


class Done(Answer):
    message: str
    """What was done, in one line."""


class Changed(Done):
    machine: Machine


class Named(Done):
    names: list[str]


class Health(Answer):
    ready: bool
    parts: dict[str, str]
    """By the names of parts, ``ok`` or what is wrong."""
    boot: list[str]
    clusters: list[str]
    time: list[str]
    network: list[str]
    programs: dict[str, str]
    dns: dict[str, Any]


class Enrolment(Answer):
    mode: str
    open: bool
    remaining: int
    """Seconds for which the window stays open."""
    opened_by: str | None
    waiting: list[Machine]
    refused: list[Machine]


class Window(Enrolment, Done):
    """The enrolment window after it was opened or closed."""


class Commit(Answer):
    commit: str
    author: str
    committed_at: str
    subject: str


class MachineChange(Answer):
    machine: str
    change: str


class PastCommit(Commit):
    number: int
    at: datetime
    outcome: str
    problem: str | None
    rewritten: bool
    changed: int
    changes: list[MachineChange]


class Commits(Answer):
    in_force: Commit | None
    refused: str | None
    commits: list[PastCommit]
    earlier: int | None
    """``before`` of the next page; null on the last one."""


class File(Answer):
    """A boot file that the fleet wants."""

    name: str
    version: str
    wanted_by: list[str]
    ready: bool
    state: State
    before: int
    bytes: int
    size: int | None
    percent: int | None
    rate: int
    seconds_left: int | None
    trouble: str | None
    failures: int
    source: str | None
    check: str
    unpack: str
    checked_at: datetime | None
    fault: str | None
    urls: list[str]
    sums_urls: list[str]


class Files(Answer):
    files: list[File]


class Leftover(Answer):
    """A file that the applied commit does not want."""

    name: str
    part: str | None
    version: str | None
    size: int
    goes: bool
    kept_for: str | None


class Leftovers(Answer):
    files: list[Leftover]


class Removed(Leftovers, Done):
    """What was removed, and what is kept."""


class ArgoCd(Answer):
    namespace: str
    follows: str
    """A folder of the fleet's repository."""


class Places(Answer):
    """Where things of a cluster are."""

    api: str
    applications: str | None
    """Names that the fleet's DNS resolves to ``ingress``."""
    ingress: list[str]
    argocd: ArgoCd


class Progress(Answer):
    """How many machines that say what they run have the version that is wanted."""

    version: str
    done: int
    of: int


class Cluster(Answer):
    """A cluster; the other keys differ by its kind."""

    model_config = ConfigDict(extra="allow")
    layer: str
    kind: str
    state: str
    why: str
    generation: int | None
    founder: str | None
    machines: list[dict[str, Any]]
    leaving: dict[str, str]
    authorities: dict[str, datetime]
    """When each of its CAs ends."""
    places: Places
    progress: Progress | None


class Clusters(Answer):
    clusters: list[Cluster]


class Awaited(Answer):
    awaited: dict[str, str]
    changes: dict[str, list[str]]
    refused: dict[str, str]
    troubles: dict[str, list[str]]


class Coming(Answer):
    coming: dict[str, dict[str, Any]]


class DnsAnswer(Answer):
    name: str
    type: str
    rcode: str
    records: list[str]
    """As lines of a zone file."""
    origin: str
    remembered: bool
    stale: bool
    age: float | None


class DhcpServer(Answer):
    address: str
    interface: str
    gives_addresses: bool
    boots: bool
    """It offered something to boot."""
    boot_file: str | None
    boot_server: str | None
    is_ours: bool
    """It is another daemon of the fleet."""
    first_heard: datetime
    last_heard: datetime
    problem: str | None
    """Why it is one too many."""


class UnknownClient(Answer):
    id: str
    macs: list[str]
    address: str | None
    manufacturer: str | None
    product: str | None
    firmware: str
    reached: str
    last_seen: datetime
    transient: bool


class Network(Answer):
    dhcp_servers: list[DhcpServer]
    unknown: list[UnknownClient]
    """Machines without a name, the last ones."""
    unknown_in_all: int


class Anything(Answer):
    model_config = ConfigDict(extra="allow")


class Event(Answer):
    """The data of an event of ``/api/v1/events``."""

    at: datetime
    kind: str
    subject: str
    words: str
    facts: dict[str, str | int | float | bool | None]


class Problem(Answer):
    """Why a request is not served (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    """One line that names the thing and the remedy."""


_BY_NAME: Mapping[str, type[Answer]] = MappingProxyType(
    {
        **dict.fromkeys(("SetPlace", "Hold", "Release", "Reinstall", "Forget", "Merge", "Split"), Changed),
        "ShowEnrolment": Enrolment,
        "OpenWindow": Window,
        "CloseWindow": Window,
        "AssetsStatus": Files,
        "AssetsFetch": Named,
        "AssetsVerify": Named,
        "AssetsLeftovers": Leftovers,
        "AssetsGc": Removed,
        "ClustersStatus": Clusters,
        "ShowAwaited": Awaited,
        "ShowComing": Coming,
        "DnsQuery": DnsAnswer,
        "ShowMachines": Machines,
        "ShowMachine": OneMachine,
        "ShowBoots": BootsInParts,
        "ShowHealth": Health,
        "ShowCommits": Commits,
        "ShowNetwork": Network,
    }
)
ANSWERS: Mapping[type[Command], type[Answer]] = MappingProxyType(
    {one: _BY_NAME.get(one.__name__, Anything if one.method == "GET" else Done) for one in COMMANDS}
)
"""Of each command; of one that has no model here, what all of its method have."""
