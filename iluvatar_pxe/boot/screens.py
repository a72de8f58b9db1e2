"""What the screens of machines that wait say, in plain words: what is the matter, and what to do."""

from iluvatar_pxe.boot.case import Case
from iluvatar_pxe.boot.rules import title
from iluvatar_pxe.fleet.models import Rule
from iluvatar_pxe.machines.states import Attempts

Screen = tuple[str, ...]

_TO_ITS_DISK = "To boot its own disk now, press d."


def unlisted(case: Case) -> Screen:
    """No file and no rule speaks of the machine."""
    return (
        "No file of the fleet lists this machine, and no rule matches it, so it waits.",
        "To let it in, write the file machines/NAME.yaml into the fleet with this line,",
        "or a rule that matches it into fleet.yaml:",
        "",
        f'  match: {{macs: ["{case.sighting.mac}"]}}',
        "",
        _TO_ITS_DISK,
        "To boot its own disk from now on, on the boot server:",
        f"  iluvatar-pxe machines set {case.sighting.mac} --intent local",
    )


def conflict(case: Case, why: str) -> Screen:
    """It is not clear which machine this is."""
    return (
        "It is not clear which machine this is, so nothing is done to it:",
        f"{why}.",
        "What to do, on the boot server: see 'iluvatar-pxe machines show', then settle it with",
        f"  iluvatar-pxe machines release {case.title}      (it is what it says now)",
        f"  iluvatar-pxe machines split {case.title} MAC    (a card belongs to another machine)",
        f"  iluvatar-pxe machines merge {case.title} OTHER  (both are one machine)",
    )


def circle(case: Case) -> str:
    """Say how a machine goes round in circles."""
    attempts = case.machine.attempts if case.machine else Attempts()
    times = case.fleet.settings.max_attempts
    return f"It booted {attempts.chain} {times} times within an hour and never passed '{attempts.best.label}'"


def failed(case: Case) -> Screen:
    """It booted again and again."""
    return (
        f"{circle(case)}.",
        "So it waits now. When the cause is mended, on the boot server:",
        f"  iluvatar-pxe machines release {case.title}",
        _TO_ITS_DISK,
    )


def let_in(case: Case, number: int, rule: Rule) -> Screen:
    """Return what the fleet would do with an unlisted machine."""
    return (
        f"This machine is new. By {title(number, rule)} it would become",
        f"{_role(case, rule)} of layer {rule.layer}, and an operating system would be installed.",
    )


def window_closed(case: Case, number: int, rule: Rule) -> Screen:
    """New machines are not let in at present."""
    return (
        *let_in(case, number, rule),
        "New machines are let in only while the enrolment window is open. It is closed.",
        "To let it in, on the boot server:",
        "  iluvatar-pxe enrol open 30m",
        _TO_ITS_DISK,
    )


def enrolment_held(case: Case, number: int, rule: Rule) -> Screen:
    """The fleet lets nobody in by itself."""
    return (
        *let_in(case, number, rule),
        "The fleet holds every new machine (fleet.yaml: enrolment mode hold).",
        "To let it in, list it: write machines/NAME.yaml into the fleet with this line:",
        f'  match: {{macs: ["{case.sighting.mac}"]}}',
        _TO_ITS_DISK,
    )


def counting_down(case: Case, number: int, rule: Rule) -> Screen:
    """It is going to be let in."""
    return (
        *let_in(case, number, rule),
        "THAT MAY ERASE ITS DISK.",
    )


def unseen(doubt: str) -> Screen:
    """The request may come from something else."""
    return (
        "This server is not sure that it is this machine that asks:",
        f"{doubt}.",
        "It asks for its address again, which shows it, and then what to boot.",
    )


def _role(case: Case, rule: Rule) -> str:
    if rule.role:
        return f"a {rule.role}"
    layer = case.fleet.layers.get(rule.layer or "")
    leading, following = layer.roles if layer else ("leader", "follower")
    return f"a {leading} or {following}"
