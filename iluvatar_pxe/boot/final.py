"""What a machine that has its place boots: its chain."""

from iluvatar_pxe.boot.chains import CHAINS
from iluvatar_pxe.boot.chains.hold import hold_for
from iluvatar_pxe.boot.chains.subject import Subject
from iluvatar_pxe.boot.plan import BootLocal, Hold, RunScript
from iluvatar_pxe.boot.screens import unseen
from iluvatar_pxe.machines.states import LayerName

_CHAIN_OF_LAYER = {LayerName.ARDA: "talos"}


def chain_plan(subject: Subject) -> RunScript | BootLocal | Hold:
    """Plan the chain that the machine's file or rule names, else its layer's."""
    layer = subject.case.layer
    chain = subject.options.chain or (_CHAIN_OF_LAYER.get(layer) if layer else None)
    if chain is None:
        trouble = f"this version has no boot chain for layer {layer}"
        return hold_for(subject, trouble, "name another chain in its file or its rule")
    return CHAINS[chain](subject)


def guarded(plan: RunScript | BootLocal | Hold, doubt: str) -> RunScript | BootLocal | Hold:
    """Return the plan, or a wait in its place where it carries secrets and the asker is in doubt."""
    if not doubt or not isinstance(plan, RunScript) or plan.config is None:
        return plan
    return Hold(why=f"{plan.why}; but {doubt}", name=plan.name, screen=unseen(doubt), unseen=True)
