"""What the daemon is going to do on a network, in words, before it answers anybody there."""

from collections.abc import Iterable, Iterator
from typing import Literal

from iluvatar_pxe.boot.rules import title
from iluvatar_pxe.fleet.models import EnrolmentMode, Fleet
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.spans import span


def intentions(
    dhcp: Literal["proxy", "observe", "off"],
    interfaces: Iterable[Interface],
    fleet: Fleet,
    window_seconds: float,
) -> list[str]:
    """Return a line for each thing that will happen; ``window_seconds`` are left of the enrolment window."""
    where = ", ".join(f"{one.name} ({one.address})" for one in interfaces) or "no interface yet"
    if dhcp == "off":
        return [f"On {where}, no machine gets an answer to DHCP (dhcp = off)."]
    if dhcp == "proxy":
        heading = f"On {where}, machines that boot from the network are answered."
        return [heading, *_answers(fleet, window_seconds)]
    return [
        f"On {where}, no machine gets an answer to DHCP (dhcp = observe).",
        "Those that boot are recorded; the log says what each would get. Otherwise:",
        *_answers(fleet, window_seconds),
    ]


def _answers(fleet: Fleet, window_seconds: float) -> Iterator[str]:
    enrolment = fleet.settings.enrolment
    yield f"- Machines that the fleet lists ({len(fleet.listed)}) boot what it says."
    yield f"- Others {_enrolment(enrolment.mode, window_seconds)}."
    for number, rule in enumerate(fleet.settings.rules, 1):
        wanted = f"layer {rule.layer}" if rule.layer else f"intent {rule.intent}"
        yield f"  {title(number, rule)}: {wanted}"
    if enrolment.mode is EnrolmentMode.HOLD:
        yield f"- A machine that no rule gives a layer waits for {enrolment.wait} s, then boots its disk."
    elif enrolment.mode is not EnrolmentMode.IGNORE:
        yield f"- A machine that cannot join waits for {enrolment.wait} s, and then boots its own disk."


def _enrolment(mode: EnrolmentMode, window_seconds: float) -> str:
    if mode is EnrolmentMode.IGNORE:
        return "get no answer (mode ignore)"
    if mode is EnrolmentMode.HOLD:
        return "wait until they are listed, if a rule gives them a layer (mode hold)"
    if mode is EnrolmentMode.JOIN:
        role = "" if window_seconds else " as worker or agent"
        return f"may join{role}, by the rules (mode join)"
    if window_seconds:
        return f"may join, for {span(round(window_seconds))} more, by the rules"
    return "cannot join: the enrolment window is closed"
