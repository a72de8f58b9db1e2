"""What an assigned machine boots: its chain."""

from iluvatar_pxe.boot.case import Case, Subject
from iluvatar_pxe.boot.chains import CHAINS, Final
from iluvatar_pxe.boot.chains.hold import hold_for, hold_in_doubt, hold_without_layer
from iluvatar_pxe.boot.plan import RunScript
from iluvatar_pxe.machines.states import LayerKind

_CHAIN_OF_KIND = {LayerKind.TALOS: "talos", LayerKind.K3S: "raspberry-pi"}
RUN_BY_IPXE = frozenset({"talos", "ipxe"})
"""Chains that need iPXE."""


def chain_plan(subject: Subject) -> Final:
    """Plan the chain that the machine's file or rule names, else its layer's."""
    case = subject.case
    kind = case.fleet.kind(case.layer)
    chain = subject.options.chain or (_CHAIN_OF_KIND[kind] if kind else None)
    if chain is None:
        return hold_without_layer(subject)
    if case.is_pi and chain in RUN_BY_IPXE:
        trouble = f"a Raspberry Pi's own firmware cannot run chain {chain}"
        return hold_for(
            subject, trouble, f"assign it to {subject.layers_of(LayerKind.K3S)} in its file or rule"
        )
    return CHAINS[chain](subject)


def guarded(plan: Final, case: Case) -> Final:
    """Return the plan, or a wait in its place where it carries secrets and the asker is in doubt."""
    if not case.context.doubt or not isinstance(plan, RunScript) or plan.config is None:
        return plan
    return hold_in_doubt(case, plan.why)
