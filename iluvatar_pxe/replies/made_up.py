"""Plans with made-up values of the same shape and size: what a simulated machine on another host gets.

Any client can claim to be simulated, so no text of the fleet or the inventory is used. Boot files keep their names:
they hold no secrets, and any client on this network may fetch them.
"""

import re

from iluvatar_pxe.boot.chains.talos import KERNEL_ARGS, KERNEL_ARGS_TO_1_13
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
)
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.replies.public_words import TALOS_KEYS
from iluvatar_pxe.replies.raspberry_pi import CGROUPS, PLAIN_CMDLINE
from iluvatar_pxe.values import replace

NAME = "simulated"
WHY = "details are shown only on the server's own host: run simulate there, or iluvatar-pxe plan"
_BEGINNING = "#!ipxe\n"
_END = "exit 1\n"
_SAID = f"echo This script is made up, {WHY}\n"
_ENTRY = re.compile(r"(?P<indent>\s*(?:- )*)(?P<key>[A-Za-z0-9_.-]+)(?P<mark>: *)(?P<value>.*)", re.DOTALL)
_OWN_ARGUMENTS = frozenset((*KERNEL_ARGS, *KERNEL_ARGS_TO_1_13, *CGROUPS, *PLAIN_CMDLINE.split()))
"""What the daemon itself puts into every command line."""
_NOT_BLANK = re.compile(r"[^\s]")


def made_up(plan: Plan) -> Plan:
    """Return the plan with made-up values, but for its configuration: see ``made_up_configuration``."""
    match plan:
        case Ignore() | Chainload() | AssignFirst():
            return replace(plan, why=WHY)
        case BootLocal():
            return replace(plan, why=WHY, name=NAME)
        case Hold() | CountDown():
            return replace(plan, why=WHY, name=NAME, screen=(f"The reason is not shown: {WHY}.",))
        case ShowMenu():
            return replace(plan, why=WHY, name=NAME, own="Boot", entries=())
        case ServePiFiles():
            return _pi(plan)
        case RunScript():
            return _script(plan)


def with_made_up_script(plan: Plan) -> Plan:
    """Return the plan with a made-up script in place of one that the fleet gives: no script can be masked and still run."""
    if not isinstance(plan, RunScript) or "script" not in plan.values:
        return plan
    return replace(plan, values=dict(plan.values) | {"script": made_up_script(str(plan.values["script"]))})


def stranger(sighting: Sighting) -> Sighting:
    """Return a sighting without what is known of the machine besides its address."""
    return replace(sighting, uuid=None, serial="", manufacturer="", product="", board="")


def made_up_arguments(line: str) -> str:
    """Return a kernel's command line with the daemon's own arguments; all others are made up, of the same size."""
    return " ".join(map(_argument, line.split()))


def made_up_configuration(text: str) -> str:
    """Return a text with the lines, the indents, and the size in bytes of a machine configuration; only Talos' keys are its own."""
    return "".join(map(_configuration_line, text.splitlines(keepends=True)))


def made_up_script(text: str) -> str:
    """Return a script of the same size in bytes, if that is not too small for one; it ends the boot."""
    size = len(text.encode())
    said = _SAID if len(_BEGINNING + _SAID + _END) <= size else ""
    left = size - len(_BEGINNING + said + _END)
    return _BEGINNING + said + _END + "#" * left


def _script(plan: RunScript) -> RunScript:
    edits = {"script": made_up_script, "kernel_args": made_up_arguments}
    values = {key: edits[key](str(value)) if key in edits else value for key, value in plan.values.items()}
    return replace(plan, why=WHY, name=NAME, values=values, notes=())


def _pi(plan: ServePiFiles) -> ServePiFiles:
    return replace(
        plan,
        why=WHY,
        name=NAME,
        config_lines=tuple(f"#{_filled(line[1:])}" for line in plan.config_lines),
        kernel_args=tuple(map(_argument, plan.kernel_args)),
    )


def _argument(argument: str) -> str:
    return argument if argument in _OWN_ARGUMENTS else _filled(argument)


def _configuration_line(line: str) -> str:
    if line.rstrip() == "---":
        return line
    entry = _ENTRY.fullmatch(line)
    if entry is None:
        return _filled(line)
    key = entry["key"] if entry["key"] in TALOS_KEYS else _filled(entry["key"])
    return f"{entry['indent']}{key}{entry['mark']}{_filled(entry['value'])}"


def _filled(text: str) -> str:
    """Return as many bytes, each an ``x`` but for white space."""
    return _NOT_BLANK.sub(lambda found: "x" * len(found[0].encode()), text)
