"""The commit for machines that join: a file for each, or a role in the file that lists one. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from iluvatar_pxe.boot.assign import PlaceRequest, Reservation, assignment_for, taken_by
from iluvatar_pxe.fleet.lookup import files_of, listed_as
from iluvatar_pxe.fleet.models import Fleet, ListedMachine, MachineFile, Match
from iluvatar_pxe.gitops.changes.machine_file import machine_path, new_machine_file, with_role
from iluvatar_pxe.gitops.repository.bare import Changes
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.machines.hardware import telling_serial, telling_uuid
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.values import replace


class Joining(Struct, frozen=True):
    """A machine that gets an assignment, as it is known now."""

    machine: Machine
    place: PlaceRequest


@dataclass(slots=True)
class Draft:
    """A commit in the making, on top of a revision: ``fleet`` is what it would declare so far.

    ``refused`` says by machine why it gets no file.
    """

    revision: Revision
    taken: Sequence[Reservation]
    """Retired names, and names of machines without a file."""
    now: datetime
    fleet: Fleet = field(init=False)
    files: dict[str, bytes | None] = field(default_factory=dict)
    refused: dict[UUID, str] = field(default_factory=dict)
    _told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fleet = self.revision.fleet

    @property
    def changes(self) -> Changes | None:
        """What is to be committed, or None where the branch has it all."""
        if not self.files:
            return None
        names = sorted(path.removeprefix("machines/").removesuffix(".yaml") for path in self.files)
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        verb = "joins" if len(names) == 1 else "join"
        return Changes(f"{shown} {verb}\n\n" + "\n".join(self._told) + "\n", self.files)

    def add(self, joining: Joining) -> None:
        """Give one machine its place; what the branch says of it already is left as it is."""
        machine, place = joining.machine, joining.place
        listed = files_of(machine, self.fleet)
        if len(listed) > 1:
            files = " and ".join(machine_path(one.name) for one in listed)
            self.refused[machine.id] = f"{files} list NICs of the same machine; remove it from one of them"
        elif listed:
            self._give_role(machine, listed[0], place)
        elif place.name in self.fleet.names:
            self.refused[machine.id] = f"{machine_path(place.name)} lists another machine; that name is taken"
        elif place.layer not in self.fleet.layers:
            self.refused[machine.id] = f"the fleet has no layers/{place.layer}.yaml any more"
        else:
            self._write_file(machine, place)

    def _give_role(self, machine: Machine, listed: ListedMachine, place: PlaceRequest) -> None:
        if listed.file.role is not None or listed.layer is None:
            return
        wanted = replace(place, layer=listed.layer, name=listed.name)
        given = assignment_for(wanted, self.fleet, self._others(machine), self.now)
        path = machine_path(listed.name)
        text = self.files.get(path) or self.revision.tree.texts[path].encode()
        try:
            self.files[path] = with_role(text.decode(), given.role)
        except ValueError as error:
            self.refused[machine.id] = f"{path}: {error}"
            return
        self._told.append(f"{listed.name}: {given.role} of {given.layer}")
        file = listed.file.model_copy(update={"role": given.role})
        others = tuple(one for one in self.fleet.listed if one.name != listed.name)
        self.fleet = replace(self.fleet, listed=(*others, replace(listed, file=file)))

    def _write_file(self, machine: Machine, place: PlaceRequest) -> None:
        given = assignment_for(place, self.fleet, self._others(machine), self.now)
        by_hardware = self._is_told_apart(machine)
        self.files[machine_path(given.name)] = new_machine_file(
            machine, given, place.options, by_hardware=by_hardware
        )
        what = " ".join(filter(None, (machine.manufacturer, machine.product)))
        known = ", ".join(filter(None, (machine.macs[0], what, machine.serial)))
        self._told.append(f"{given.name}: {given.role} of {given.layer}; {known}; {given.rule}")
        hardware = {"serial": machine.serial, "uuid": machine.uuid} if by_hardware else {}
        match = Match.model_validate({"macs": machine.macs, **hardware})
        file = MachineFile(match=match, layer=given.layer, role=given.role)
        listed = ListedMachine(given.name, file, given.layer)
        self.fleet = replace(self.fleet, listed=(*self.fleet.listed, listed))

    def _is_told_apart(self, machine: Machine) -> bool:
        """Say whether serial number and UUID are this machine's alone, as far as files tell."""
        if not (telling_serial(machine.serial) and telling_uuid(machine.uuid)):
            return False
        serials = {
            serial for one in self.fleet.listed for serial in (one.file.match.serial, one.file.seen.serial)
        }
        return machine.serial not in serials

    def _others(self, machine: Machine) -> list[Reservation]:
        return [one for one in self.taken if one.machine_id != machine.id]


def taken_names(
    machines: Iterable[Machine], fleet: Fleet, retired: Sequence[Reservation]
) -> list[Reservation]:
    """Return the names that a fleet's files do not show: of machines that none lists, and those that stay taken."""
    return [*retired, *taken_by(one for one in machines if not listed_as(one, fleet))]
