"""Describes a machine's next boot under a fleet, and how two such summaries differ."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType

from msgspec import Struct

from iluvatar_pxe.boot.assign import Reservation
from iluvatar_pxe.boot.case import Case, Context
from iluvatar_pxe.boot.plan import BootLocal, Chainload, Hold, Ignore, Plan, RunScript, ServePiFiles, ShowMenu
from iluvatar_pxe.boot.preview.asker import asking, listed_sighting
from iluvatar_pxe.boot.preview.next_boot import Holders, PreviewStep, next_boot
from iluvatar_pxe.fleet.models import Fleet, ListedMachine
from iluvatar_pxe.machines.model import Machine, Snapshot, sighting_of
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.machines.states import Intent, Role
from iluvatar_pxe.values import replace

MADE = "made by the daemon"
"""What is told in place of the path of a configuration."""
_WAITS: Mapping[type[Plan], str] = MappingProxyType({Hold: "is held", Ignore: "gets no answer"})


class Summary(Struct, frozen=True, kw_only=True):
    """What a boot comes to: ``case`` is the machine as its firmware asks, ``plan`` the last one.

    ``essence`` is ``words`` without who says so. ``told`` are further facts, each by what it is and what it is of: two
    facts of different things are not compared. ``untold`` are those of which only that they changed may be said:
    configurations have secrets in them.
    """

    case: Case
    plan: Plan
    words: str
    essence: str
    told: Mapping[tuple[str, str], str]
    untold: Mapping[str, object]

    @property
    def stays(self) -> bool:
        """Say whether it is installed and boots its disk, whatever else the fleet says of it."""
        return self.case.is_installed and isinstance(self.plan, BootLocal)


class Preview:
    """What any machine's next boot comes to under one fleet.

    Of all others only those that lead bear upon what a machine boots, and only where its role is to be chosen; the names
    that new machines would be given are not chosen here. That keeps it quick where 10,000 are listed.
    """

    def __init__(
        self, fleet: Fleet, snapshot: Snapshot, context: Context, retired: Sequence[Reservation] = ()
    ) -> None:
        """``snapshot`` has the machines that hold a place now; ``retired`` are places that are nobody's."""
        self._fleet = fleet
        self._snapshot = snapshot
        self._context = context
        self._retired = retired
        self._listed_leaders = tuple(one for one in fleet.listed if one.file.role and one.file.role.leads)
        machines = snapshot.by_id.values()
        self._leaders = Snapshot.of(one for one in machines if one.assignment and one.assignment.role.leads)

    def of(self, machine: Machine | None, listed: ListedMachine | None) -> Summary | None:
        """Return the summary of a machine's next boot; the machine may be otherwise than the inventory has it.

        Of one that was not seen ``listed`` is all that is known; None where nothing is.
        """
        if machine := machine or self._owner(listed):
            own = self._fleet.machines((*machine.macs, *machine.claimed), machine.serial, machine.uuid)
            return self._summary(sighting_of(machine), [machine], own)
        return self._summary(listed_sighting(listed, self._fleet), [], (listed,)) if listed else None

    def _owner(self, listed: ListedMachine | None) -> Machine | None:
        """Return the machine that was seen with a MAC of this file: another file may list it, too."""
        macs = listed.file.match.macs[:1] if listed else ()
        return next((machine for mac in macs if (machine := self._snapshot.machine(mac))), None)

    def _summary(self, known: Sighting, own: Iterable[Machine], files: Sequence[ListedMachine]) -> Summary:
        asks_leaders = not files or files[0].file.role is None
        near = {one.name: one for one in (*(self._listed_leaders if asks_leaders else ()), *files)}
        fleet = replace(self._fleet, listed=tuple(near.values()))
        snapshot = self._leaders if asks_leaders else Snapshot()
        for machine in own:
            snapshot = snapshot.with_machine(machine)
        holders = Holders(snapshot, fleet, self._retired)
        return _summary(next_boot(asking(known), snapshot, fleet, self._context, holders))


def changes(old: Summary | None, new: Summary | None, *, but_for: type[Plan] | tuple[()] = ()) -> list[str]:
    """Say what differs, each in a few words; nothing where one is not known, or has a plan of type ``but_for``."""
    if old is None or new is None or isinstance(old.plan, but_for) or isinstance(new.plan, but_for):
        return []
    found = [] if old.essence == new.essence else [f"{old.words} → {new.words}"]
    differing = [(key, fact) for key, fact in old.told.items() if new.told.get(key, fact) != fact]
    found += [f"{key[0]} {fact} → {new.told[key]}" for key, fact in differing]
    changed = [what for what, fact in old.untold.items() if new.untold.get(what, fact) != fact]
    return found + [f"{what} changed" for what in changed]


def role_words(role: Role | None) -> str:
    """Return what a role is called; None is one that is to be chosen."""
    return role.words if role else "auto"


def keys_of(listed: ListedMachine) -> dict[str, str]:
    """Return what a file says that does not show by what its machine boots, each by the words to tell it with."""
    file, match = listed.file, listed.file.match
    cards = [*sorted(match.macs), *([f"serial {match.serial}"] if match.serial else [])]
    return {
        "": file.intent or Intent.BOOT,
        "matched by": " and ".join(cards),
        "address": str(file.address or "none"),
        "patches": " and ".join(file.patches) or "none",
    }


def _summary(steps: Sequence[PreviewStep]) -> Summary:
    first, last = steps[0].decision, steps[-1].decision
    case, plan = last.case, last.plan
    menu = next((one.decision.plan for one in steps if isinstance(one.decision.plan, ShowMenu)), None)
    words = f"{'shows a menu, then ' if menu else ''}{_words(plan)}"
    told = {("program", ""): first.plan.program} if isinstance(first.plan, Chainload) else {}
    if any(one.given for one in steps) and not (case.listed and case.listed.file.role):
        told["probably", ""] = role_words(case.role)  # other machines may come first
    return Summary(
        case=first.case,
        plan=plan,
        words=words,
        essence=words.replace(f": {case.source}", ":", 1),
        told=told | _told(plan, case),
        untold=_untold(plan, case) | ({"its menu": _offered(menu, case)} if menu else {}),
    )


def _offered(menu: ShowMenu, case: Case) -> object:
    return menu.entries, menu.seconds, [case.fleet.texts[script] for script, _ in menu.entries]


def _words(plan: Plan) -> str:
    if isinstance(plan, BootLocal):
        return "boots its own disk"
    if isinstance(plan, ServePiFiles):
        return f"boots image {PurePosixPath(plan.folder).name}"
    if not isinstance(plan, RunScript):
        return f"{_WAITS[type(plan)]}: {plan.why}"
    if plan.chain == "ipxe":
        return f"runs script {plan.values['path']}"
    return f"boots Talos {plan.values['version']}" if plan.chain == "talos" else f"boots chain {plan.chain}"


def _told(plan: Plan, case: Case) -> dict[tuple[str, str], str]:
    if isinstance(plan, BootLocal):
        return {("local", ""): plan.method or "default"}
    if isinstance(plan, RunScript) and plan.config is not None:
        return {("configuration", str(case.role)): _configuration(case)}
    return {}


def _untold(plan: Plan, case: Case) -> dict[str, object]:
    if isinstance(plan, ServePiFiles):
        image = PurePosixPath(plan.folder).name
        return {
            f"its boot files of image {image}": plan.files,
            "its config.txt": plan.config_lines,
            "its kernel arguments": plan.kernel_args,
        }
    if not isinstance(plan, RunScript):
        return {}
    layer = case.fleet.talos(case.layer)
    if plan.chain != "talos" or layer is None:
        return {f"its script {plan.values.get('path')}": plan.values.get("script")}
    return {
        f"its configuration {_configuration(case)}": plan.config,
        "its schematic": layer.talos.schematic,
        "its kernel arguments": (*layer.talos.extra_kernel_args, *(case.options.kernel_args or ())),
    }


def _configuration(case: Case) -> str:
    """Return the path of the machine configuration; see ``chains.talos``. Where the fleet has none, say who makes it."""
    layer = case.fleet.talos(case.layer)
    of_layer = layer.config.get(case.role) if layer and case.role else None
    return case.options.config or of_layer or MADE
