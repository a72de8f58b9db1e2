"""The daemon's part that switches machines, with files that are opened already and without its pauses."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iluvatar_pxe.fleet.power import Power as Declared
from iluvatar_pxe.power.action import Action
from iluvatar_pxe.power.power import Power

LOGIN = {"bmc": "username: ada\npassword: s3cret\n"}


def power_with(
    texts: Mapping[str, str] = LOGIN, commands: Path = Path("/nowhere"), *, seconds: float = 60.0
) -> Power:
    """Return it; ``seconds`` for each request."""
    return Power(lambda: (), lambda: texts, commands, seconds=seconds, pause=0.0)


async def switch(power: Power, declared: Mapping[str, Any], *actions: Action, is_uefi: bool = True) -> str:
    """Switch the machine ``one``, of which ``declared`` is its file's ``power``."""
    return await power.switch("one", Declared.model_validate(declared), actions, "root", is_uefi=is_uefi)
