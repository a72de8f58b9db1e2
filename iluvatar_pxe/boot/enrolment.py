"""Whether an unlisted machine may join, and what its screen shows meanwhile."""

from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.boot.case import Case
from iluvatar_pxe.boot.chains.choice import plans_in
from iluvatar_pxe.boot.chains.hold import hold_in_doubt
from iluvatar_pxe.boot.plan import AssignFirst, CountDown, Hold, Plan
from iluvatar_pxe.boot.rules import title
from iluvatar_pxe.boot.screens import counting_down, enrolment_held, window_closed
from iluvatar_pxe.fleet.models import EnrolmentMode, Rule


def enrol(case: Case, number: int, rule: Rule, layer: str) -> Plan:
    """Decide about a machine that ``rule`` would put into ``layer``, and that has no place yet."""
    why = f"{title(number, rule)} would assign it to layer {layer}"
    mode = case.fleet.settings.enrolment.mode
    if mode is EnrolmentMode.HOLD:
        return Hold(
            why=f"{why}, but fleet.yaml holds new machines",
            name=case.title,
            screen=enrolment_held(case, number, rule),
            wanted=True,
        )
    if trouble := case.context.no_assignment:
        screen = ("No name can be assigned to it now:", f"{trouble}.")
        return Hold(why=f"{why}, but {trouble}", name=case.title, screen=screen)
    leads = rule.role is not None and rule.role.leads
    if not case.context.window_open and (mode is EnrolmentMode.WINDOW or leads):
        return Hold(
            why=f"{why}, but the enrolment window is closed",
            name=case.title,
            screen=window_closed(case, number, rule),
        )
    held = next((plan for plan in plans_in(case, layer) if isinstance(plan, Hold)), None)
    if held:  # no name is spent on a machine that could not boot then
        return held
    return _admit(case, why, number, rule, layer)


def _admit(case: Case, why: str, number: int, rule: Rule, layer: str) -> Plan:
    context = case.context
    if context.doubt:
        return hold_in_doubt(case, why)
    place = PlaceRequest(
        layer=layer,
        role=rule.role,
        may_lead=context.window_open and rule.may_lead,
        rule=title(number, rule),
        options=rule,
    )
    if case.is_pi:  # it has no screen for a countdown: it is let in when it asks for its files
        return AssignFirst(why=why, name=case.title, place=place)
    if not context.confirmed:
        seconds = case.fleet.settings.enrolment.countdown
        text = f"{why}, unless a key is pressed within {seconds} s"
        return CountDown(why=text, name=case.title, screen=counting_down(case, number, rule), seconds=seconds)
    return AssignFirst(why=f"{why}, and no key was pressed", name=case.title, place=place)
