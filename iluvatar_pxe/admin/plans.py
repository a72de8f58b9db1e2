"""The plan of a boot as plain data, for JSON and for pages."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.boot.case import Case, asker_of
from iluvatar_pxe.boot.chains.raspberry_pi import LARGEST_FILE
from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.boot.plan import (
    AssignFirst,
    BootLocal,
    Chainload,
    CountDown,
    Hold,
    Ignore,
    Plan,
    RunScript,
    ServePiFiles,
    ShowMenu,
    ToBeMade,
)
from iluvatar_pxe.boot.preview.next_boot import PreviewStep, with_boot_files
from iluvatar_pxe.boot.rules import Asker, title, why_not
from iluvatar_pxe.catalogue.coming import find, words
from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.nics import nics_of
from iluvatar_pxe.layers.ainur.shown import shown_documents
from iluvatar_pxe.layers.arda.configuration.shown import shown_configuration
from iluvatar_pxe.layers.arda.install import disk_for
from iluvatar_pxe.layers.arda.machine_facts import Node, Surroundings
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment
from iluvatar_pxe.replies.ipxe import Scripts, Shown
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.replies.masking import mask_configuration, masked
from iluvatar_pxe.replies.raspberry_pi import PiTexts

SizeOf = Callable[[str], int | None]
"""Returns the bytes of a boot file by its logical name, or None where it is missing."""
_WORDS: Mapping[type[Plan], str] = MappingProxyType(
    {
        Ignore: "gets no answer",
        BootLocal: "boots its own disk",
        Hold: "waits",
        AssignFirst: "gets its place, then boots",
    }
)


class Server(Struct, frozen=True):
    """This server as a machine meets it: its addresses, its boot files and what its scripts are made from."""

    links: Links
    size_of: SizeOf
    scripts: Scripts
    pi_texts: PiTexts
    around: Surroundings
    """Its networks, as far as they are in machines' configurations."""


def plan_data(steps: Sequence[PreviewStep], server: Server) -> Data:
    """Return everything that ``plan`` shows of a boot: the machine, the rules, every decision, and what is served."""
    first, last = steps[0].decision, steps[-1].decision
    asker = asker_of(first.case.sighting, first.case.machine, first.case.arch)
    return {
        "machine": _machine(first.case, asker),
        "rules": _rules(first.case, asker),
        "stages": [_stage(one, server) for one in steps],
        "files": [_file(name, server.size_of(name), last) for name in _boot_files(last, server)],
        "config": _config(last, server),
        "boots": isinstance(last.plan, RunScript | ServePiFiles | BootLocal),
    }


def plan_summary(decision: Decision) -> Data:
    """Return what a machine would be served, why, and what each step of the decision found."""
    plan = decision.plan
    return {"what": plan_words(plan), "why": plan.why, "steps": _steps(decision)}


def plan_words(plan: Plan) -> str:
    """Say in a few words what a plan does."""
    if isinstance(plan, Chainload):
        return f"runs {plan.program}"
    if isinstance(plan, RunScript | ServePiFiles):
        return f"boots chain {plan.chain}"
    if isinstance(plan, CountDown):
        return f"counts down {plan.seconds} s, then joins unless a key is pressed"
    if isinstance(plan, ShowMenu):
        return f"shows a menu, and goes on after {plan.seconds} s without a key press"
    return _WORDS[type(plan)]


def _steps(decision: Decision) -> list[Data]:
    return [{"step": step, "found": found} for step, found in decision.findings]


def _machine(case: Case, asker: Asker) -> Data:
    machine, listed, given = case.machine, case.listed, case.assignment
    return {
        "title": case.title,
        "macs": list(machine.macs if machine else (case.sighting.mac,)),
        "seen": machine is not None,
        "boots": machine.generation if machine else 0,
        "phase": machine.phase.value if machine else None,
        "intent": machine.directive.intent.value if machine else None,
        "manufacturer": asker.manufacturer or None,
        "product": asker.product or None,
        "serial": asker.serial or None,
        "listed": listed is not None,
        "layer": case.layer if listed or given else None,
        "role": case.role if listed or given else None,
        "given_by": case.source if listed else (given.rule if given else None),
        "firmware": case.sighting.firmware.value,
        "arch": case.arch.value,
    }


def _file(name: str, octets: int | None, last: Decision) -> Data:
    too_large = isinstance(last.plan, ServePiFiles) and (octets or 0) > LARGEST_FILE
    coming = find(name, last.case.context.coming) if octets is None else None
    return {"name": name, "bytes": octets, "too_large": too_large, "coming": coming and words(*coming)}


def _rules(case: Case, asker: Asker) -> list[Data]:
    return [
        {"rule": title(number, rule), "why_not": why_not(rule, asker) or None}
        for number, rule in enumerate(case.fleet.settings.rules, 1)
    ]


def _stage(step: PreviewStep, server: Server) -> Data:
    decision = step.decision
    plan, sighting = decision.plan, decision.case.sighting
    program = plan.program if isinstance(plan, Chainload) else None
    return {
        "asks": sighting.firmware.value,
        "steps": _steps(decision),
        "plan": type(plan).__name__,
        "answer": plan_words(plan),
        "why": plan.why,
        "program": program and {"name": program, "bytes": server.size_of(program)},
        "given": _given(plan, step.given),
        "script": _script(masked(plan), sighting, server) or None,
    }


def _given(plan: Plan, given: Assignment | None) -> Data | None:
    """Other machines may come first, and take the name or the role."""
    if given is None or not isinstance(plan, AssignFirst):
        return None
    certain = plan.place.name is not None and plan.place.role is not None
    return {"name": given.name, "layer": given.layer, "role": given.role.value, "certain": certain}


def _script(plan: Plan, sighting: Sighting, server: Server) -> str:
    """Return the script that iPXE would be served, with ``TICKET`` for the ticket, or a Pi's ``config.txt``."""
    if isinstance(plan, ServePiFiles):
        return server.pi_texts.config_txt(plan)
    if sighting.firmware is not Firmware.IPXE or not isinstance(plan, Shown):
        return ""
    return server.scripts.machine_script(plan, sighting, server.links, "TICKET")


def _boot_files(last: Decision, server: Server) -> list[str]:
    """Return the boot files that the last script fetches, or would fetch if they were there; a Pi's but for overlays."""
    if isinstance(last.plan, ServePiFiles):
        return [path for file, path in sorted(last.plan.files.items()) if not file.startswith("overlays/")]
    wanted = last if isinstance(last.plan, RunScript) else with_boot_files(last)
    if not isinstance(wanted.plan, RunScript):
        return []
    script = _script(wanted.plan, wanted.case.sighting, server)
    names = re.findall(re.escape(server.links.asset("")) + r"(\S+)", script)
    return list(dict.fromkeys(names))


def _config(last: Decision, server: Server) -> Data | None:
    text = last.plan.config if isinstance(last.plan, RunScript | ServePiFiles) else None
    if text is None:
        return None
    if isinstance(text, ToBeMade):
        return _made(text, last, server)
    texts = last.case.fleet.texts
    file = next(path for path, known in texts.items() if known is text)
    return {"file": file, "bytes": len(text.encode()), "text": mask_configuration(text)}


def _made(wanted: ToBeMade, last: Decision, server: Server) -> Data:
    """Return a configuration that the daemon makes, without secrets, or why it cannot; with its disk, if that is chosen."""
    try:
        text = _shown(wanted, last.case, server)
    except ConfigurationError as error:
        text = f"cannot be made: {error}\n"
    return {"file": None, "bytes": len(text.encode()), "text": text}


def _shown(wanted: ToBeMade, case: Case, server: Server) -> str:
    macs = nics_of(case.machine, case.fleet) if case.machine else (case.sighting.mac,)
    if case.fleet.k3s(wanted.layer):
        return shown_documents(case.title, wanted.layer, wanted.role, macs, case.fleet, server.links.base)
    disk = disk_for(case.machine, case.fleet) if case.machine else None
    node = Node(name=case.title, layer=wanted.layer, role=wanted.role, macs=macs, disk=disk)
    return shown_configuration(node, case.fleet, server.around)
