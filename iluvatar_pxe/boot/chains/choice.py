"""What an assigned machine boots: its chain."""

from iluvatar_pxe.boot.case import Case, Subject
from iluvatar_pxe.boot.chains import CHAINS, Final
from iluvatar_pxe.boot.chains.hold import hold_for, hold_in_doubt, hold_without_layer
from iluvatar_pxe.boot.plan import RunScript
from iluvatar_pxe.machines.states import LayerKind

_CHAIN_OF_KIND = {LayerKind.TALOS: "talos", LayerKind.K3S: "raspberry-pi"}
RUN_BY_IPXE = frozenset({"talos", "ipxe", "menu"})
"""Chains that need iPXE."""


def chain_plan(subject: Subject) -> Final:
    """Plan the chain that the machine's file or rule names, else its layer's; of a menu the machine's own."""
    case, named = subject.case, subject.options.chain
    chain = _own_chain(case, named)
    if case.is_pi and not RUN_BY_IPXE.isdisjoint({named, chain}):
        trouble = f"a Raspberry Pi's own firmware cannot run chain {named or chain}"
        return hold_for(
            subject, trouble, f"assign it to {subject.layers_of(LayerKind.K3S)} in its file or rule"
        )
    return CHAINS[chain](subject) if chain else hold_without_layer(subject)


def plans_in(case: Case, layer: str) -> tuple[Final, ...]:
    """Plan the machine's chain for each role that it could get in ``layer``."""
    roles = (case.role,) if case.role else case.fleet.layers[layer].roles
    return tuple(chain_plan(Subject(case, role)) for role in roles)


def _own_chain(case: Case, named: str | None) -> str | None:
    """Return what a machine boots by itself, after a menu, if it has one; None where its layer has no file."""
    if named not in {None, "menu"}:
        return named
    kind = case.fleet.kind(case.layer)
    if kind:
        return _CHAIN_OF_KIND[kind]
    return "local" if named == "menu" and case.layer is None else None


def guarded(plan: Final, case: Case) -> Final:
    """Return the plan, or a wait in its place where it carries secrets and the asker is in doubt."""
    if not case.context.doubt or not isinstance(plan, RunScript) or plan.config is None:
        return plan
    return hold_in_doubt(case, plan.why)
