"""Resets a machine as the command ``machines reinstall`` does."""

from iluvatar_pxe.layers.arda.reinstall import Reset
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.provisioning.reinstalling import Reinstaller
from iluvatar_pxe.values import replace


async def reset(reinstaller: Reinstaller, known: Machine, step: Reset) -> None:
    """Keep what is left to do then, and have it reset."""
    await reinstaller.reset(replace(known, clean_up=reinstaller.left_by(known, step)), step)
