"""The screens of waiting machines: the problem and the remedy."""

from iluvatar_pxe.boot.case import Case
from iluvatar_pxe.boot.rules import title
from iluvatar_pxe.fleet.models import Rule
from iluvatar_pxe.fleet.nics import nic_warnings
from iluvatar_pxe.machines.states import Attempts

Screen = tuple[str, ...]

_TO_ITS_DISK = "To boot its own disk now, press d."


def unlisted(case: Case) -> Screen:
    """No file and no rule speaks of the machine."""
    return (
        "No file of the fleet lists this machine, and no rule matches it, so it waits.",
        "To enrol it, add machines/NAME.yaml to the fleet with this line,",
        "or add a matching rule to fleet.yaml:",
        "",
        f'  match: {{macs: ["{case.sighting.mac}"]}}',
        "",
        _TO_ITS_DISK,
        "To always boot its own disk, run on the boot server:",
        f"  iluvatar-pxe machines set {case.sighting.mac} --intent local",
    )


def conflict(case: Case, why: str) -> Screen:
    """The identity of the machine is unclear."""
    return (
        "The identity of this machine is unclear, so it does not boot:",
        f"{why}.",
        "On the boot server, check 'iluvatar-pxe machines show', then run one of",
        f"  iluvatar-pxe machines release {case.title}      (it is what it reports now)",
        f"  iluvatar-pxe machines split {case.title} MAC    (a NIC belongs to another machine)",
        f"  iluvatar-pxe machines merge {case.title} OTHER  (both are the same machine)",
    )


def listed_twice(case: Case, why: str) -> Screen:
    """Several files list NICs of the machine, as of two that counted as one before the files listed them."""
    macs = case.machine.macs if case.machine else ()
    others = (mac for file in case.files[1:] for mac in file.file.match.macs if mac in macs)
    return (
        f"{why}.",
        "If it is one machine, remove it from all files but one.",
        "If there are several, run on the boot server:",
        *(f"  iluvatar-pxe machines split {case.title} {mac}" for mac in others),
    )


def circle(case: Case) -> str:
    """Describe a boot loop."""
    attempts = case.machine.attempts if case.machine else Attempts()
    times = case.fleet.settings.max_attempts
    return f"Boot loop detected: {attempts.chain} booted {times} times within an hour, never past '{attempts.best.label}'"


def failed(case: Case) -> Screen:
    """It booted again and again."""
    return (
        f"{circle(case)}.",
        *nic_notes(case),
        "The machine waits. Once the cause is fixed, run on the boot server:",
        f"  iluvatar-pxe machines release {case.title}",
        _TO_ITS_DISK,
    )


def disk_notes(case: Case) -> Screen:
    """Say why Talos, whose configuration the daemon makes, will wait in maintenance mode instead of being installed."""
    why = case.context.no_disk(case.machine, case.fleet) if case.machine else ""
    return (
        (f"Talos is not installed yet: {why}.", "It waits, and goes on by itself when that is resolved.")
        if why
        else ()
    )


def nic_notes(case: Case) -> Screen:
    """Of which NICs only the owner can tell whether they are the machine's."""
    return tuple(f"{why}." for why in nic_warnings(case.machine, case.fleet)) if case.machine else ()


def let_in(case: Case, number: int, rule: Rule) -> Screen:
    """Return what the fleet would do with an unlisted machine."""
    new = f"This machine is new. By {title(number, rule)} it would"
    if rule.chain == "hold":
        return (f"{new} be held.",)
    return (
        f"{new} become",
        f"{_role(case, rule)} of layer {rule.layer}, and {_what_runs(rule)}.",
    )


def window_closed(case: Case, number: int, rule: Rule) -> Screen:
    """New machines are not let in at present."""
    return (
        *let_in(case, number, rule),
        "New machines can enrol only while the enrolment window is open. It is closed.",
        "To enrol it, run on the boot server:",
        "  iluvatar-pxe enrol open 30m",
        _TO_ITS_DISK,
    )


def enrolment_held(case: Case, number: int, rule: Rule) -> Screen:
    """The fleet holds all new machines."""
    return (
        *let_in(case, number, rule),
        "The fleet holds every new machine (fleet.yaml: enrolment mode hold).",
        "To enrol it, add machines/NAME.yaml to the fleet with this line:",
        f'  match: {{macs: ["{case.sighting.mac}"]}}',
        _TO_ITS_DISK,
    )


def counting_down(case: Case, number: int, rule: Rule) -> Screen:
    """It is going to be let in."""
    return (
        *let_in(case, number, rule),
        *(() if rule.chain == "local" else ("THAT MAY ERASE ITS DISK.",)),
    )


def unseen(doubt: str) -> Screen:
    """The request may come from something else."""
    return (
        "This server cannot verify that the request comes from this machine:",
        f"{doubt}.",
        "It repeats DHCP, which proves its identity, and then asks what to boot.",
    )


def routed(doubt: str) -> Screen:
    """There is a router in between, so the machine cannot prove who it is."""
    return (
        "This machine is behind a router or a relay, so nothing proves which machine it is:",
        f"{doubt}.",
        "From here it can boot its disk or a script, but gets no configuration and cannot join.",
        "Connect it, or the boot server by a VLAN, to a network that both share.",
    )


def _what_runs(rule: Rule) -> str:
    """Say what its chain would do; the layer's own installs an operating system."""
    if rule.chain == "ipxe":
        return f"{rule.script} would run"
    return "it would boot its own disk" if rule.chain == "local" else "an operating system would be installed"


def _role(case: Case, rule: Rule) -> str:
    """Say which role it would get: a role that is chosen leads only where the machine boots by its layer."""
    layer = case.fleet.layers.get(rule.layer or "")
    leading, following = layer.roles if layer else ("control plane", "worker")
    role = rule.role or ("" if rule.may_lead else following)
    if role:
        return f"an {role}" if role[0] in "aeiou" else f"a {role}"
    return f"a {leading} or {following}"
