"""Which NICs are a machine's: those that it has sent packets from, and those that its file lists."""

from collections.abc import Iterator

from iluvatar_pxe.fleet.lookup import listed_as, name_of, title_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Listed, Machine, Snapshot


def listed_with(mac: str, fleet: Fleet) -> Listed:
    """Return what the file that lists a NIC says: which NICs, this one among them, and that other files' are others'."""
    own = fleet.machine_with(mac)

    def anywhere(machine: Machine) -> bool:
        return listed_as(machine, fleet) is not None

    def elsewhere(machine: Machine) -> bool:
        other = listed_as(machine, fleet)
        return other is not None and own is not None and other.name != own.name

    return Listed(own.file.match.macs if own else (), elsewhere, anywhere)


def nics_of(machine: Machine, fleet: Fleet) -> tuple[str, ...]:
    """Return all NICs that are a machine's without a question: its owner's word counts as much as a packet from it."""
    listed = listed_as(machine, fleet)
    sure = (mac for mac in machine.macs if mac not in machine.unsure)
    return tuple(dict.fromkeys((*sure, *(listed.file.match.macs if listed else ()))))


def has_nic(machine: Machine, mac: str | None, fleet: Fleet) -> bool:
    """Say whether a NIC is a machine's without a question, see ``nics_of``."""
    return (mac in machine.macs and mac not in machine.unsure) or mac in nics_of(machine, fleet)


def machine_with(mac: str, snapshot: Snapshot, fleet: Fleet) -> Machine | None:
    """Return the machine that has a NIC, seen or listed with one that was seen; None where there is none."""
    listed = fleet.machine_with(mac)
    return snapshot.machine(mac, listed.file.match.macs if listed else ())


def owner_by(mac: str, snapshot: Snapshot, fleet: Fleet) -> Machine | None:
    """Return the machine that has a NIC without a question; None where there is none."""
    machine = machine_with(mac, snapshot, fleet)
    return machine if machine and has_nic(machine, mac, fleet) else None


def owner_of(mac: str, snapshot: Snapshot, fleet: Fleet) -> str:
    """Return what the machine is called that a file or a boot shows to have a NIC; empty where nothing does.

    A DHCP request for a boot shows nothing: firmware sends those from several NICs.
    """
    for listed in fleet.machines((mac,), "", None):
        return listed.name
    machine = snapshot.machine(mac)
    return "" if machine is None or machine.transient else title_of(machine, fleet)


def not_its_nic(machine: Machine, mac: str, snapshot: Snapshot, fleet: Fleet) -> str:
    """Return in words whose a NIC is instead of a machine's; where nothing shows that, what to do if it is its own."""
    if mac in machine.macs:
        return f"which is in question: {_taken_for_one(machine, mac, fleet)}"
    if owner := owner_of(mac, snapshot, fleet):
        return f"a NIC of {owner}, not of {title_of(machine, fleet)}"
    return _of_nobody(machine, mac, fleet)


def nic_warnings(machine: Machine, fleet: Fleet) -> Iterator[str]:
    """Yield a line for each NIC of which only the owner can tell whose it is, and has not."""
    for mac in (one for one in machine.unsure if not fleet.machines((one,), "", None)):
        if mac in machine.macs:
            yield _taken_for_one(machine, mac, fleet)
        else:
            dismissal = f"if not, run iluvatar-pxe machines release {title_of(machine, fleet)}"
            yield f"{mac} asked for the configuration, and is {_of_nobody(machine, mac, fleet)}; {dismissal}"


def _of_nobody(machine: Machine, mac: str, fleet: Fleet) -> str:
    return f"not a NIC of {title_of(machine, fleet)}; if it is one, {_line_to_add(machine, mac, fleet)}"


def _taken_for_one(machine: Machine, mac: str, fleet: Fleet) -> str:
    title = title_of(machine, fleet)
    others = " and ".join(one for one in machine.macs if one != mac)
    return (
        f"{mac} and {others} report the same UUID or serial number, so they count as NICs of one machine, {title}, which "
        f"gets no configuration by {mac}; if they are two machines, run iluvatar-pxe machines split {title} {mac}; "
        f"if they are one, {_line_to_add(machine, mac, fleet)}"
    )


def _line_to_add(machine: Machine, mac: str, fleet: Fleet) -> str:
    if listed := listed_as(machine, fleet):
        return f'add "{mac}" to match.macs in machines/{listed.name}.yaml'
    macs = ", ".join(f'"{one}"' for one in dict.fromkeys((*machine.macs, mac)))
    return f"add machines/{name_of(machine, fleet) or 'NAME'}.yaml with match: {{macs: [{macs}]}}"
