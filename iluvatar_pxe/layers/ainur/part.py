"""What a machine's k3s is told to do: initialise the cluster, join it as a server, or run as an agent. Pure."""

from enum import StrEnum

from msgspec import Struct

from iluvatar_pxe.layers.founding import Founded, Refuse, Step, TellFounder
from iluvatar_pxe.machines.states import Role


class K3sPart(StrEnum):
    """What a machine's k3s does when it is started for the first time."""

    INIT = "init"
    """It initialises the cluster."""
    JOIN_SERVER = "join-server"
    AGENT = "agent"


class NotYet(Struct, frozen=True):
    """A machine that gets no secrets now; ``why`` is one line."""

    why: str


def part_of(name: str, role: Role, step: Step, why: str, *, has_data: bool, joining: str) -> K3sPart | NotYet:
    """Return what a machine that asks for its secrets is told.

    ``step`` is what is next for its cluster, and ``why`` that in words. ``has_data``: its disk has the data of an etcd,
    with which k3s starts whatever it is told. ``joining`` is another server that was told to join and is not ready yet,
    or empty: etcd takes one new member at a time.
    """
    if not role.leads:
        return K3sPart.AGENT
    if isinstance(step, TellFounder) and step.founder == name:
        return K3sPart.INIT
    if has_data and not isinstance(step, Refuse):
        return K3sPart.JOIN_SERVER
    if isinstance(step, Founded):
        return _joins(name, step, joining)
    return NotYet(why)


def _joins(name: str, step: Founded, joining: str) -> K3sPart | NotYet:
    if name in step.servers:
        return NotYet(f"the cluster still has {name} as a member, whose data is lost; that is removed first")
    return NotYet(f"{joining} joins first") if joining else K3sPart.JOIN_SERVER
