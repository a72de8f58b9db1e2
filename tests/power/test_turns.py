"""Actions on one machine never overlap, and those on others do."""

import asyncio
from pathlib import Path

import pytest
from support.power import power_with
from support.waiting import until

from iluvatar_pxe.errors import PowerError
from iluvatar_pxe.fleet.power import Power as Declared
from iluvatar_pxe.power.action import Action
from iluvatar_pxe.power.power import Power

WAITS = "touch {0}/$MACHINE-$1; while [ ! -e {0}/go ]; do sleep 0.05; done; rm {0}/$MACHINE-$1; touch {0}/$MACHINE-$1-done"
WAY = Declared.model_validate({"command": {"program": "plug"}})


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    program = tmp_path / "plug"
    program.write_text(f"#!/bin/sh\n{WAITS.format(tmp_path)}\n")
    program.chmod(0o755)
    return tmp_path


async def ask(power: Power, name: str, action: Action) -> str:
    return await power.switch(name, WAY, (action,), "root", is_uefi=True)


async def test_a_second_action_waits_for_the_first(commands: Path) -> None:
    power = power_with({}, commands)
    async with asyncio.TaskGroup() as group:
        group.create_task(ask(power, "one", Action.OFF))
        await until((commands / "one-off").exists)
        group.create_task(ask(power, "one", Action.ON))
        group.create_task(ask(power, "two", Action.ON))
        await until((commands / "two-on").exists)
        assert not (commands / "one-on").exists()
        (commands / "go").touch()
    assert (commands / "one-on-done").exists()


async def test_the_wait_counts_and_what_waited_in_vain_did_nothing(commands: Path) -> None:
    power, hasty = power_with({}, commands), power_with({}, commands, seconds=0.2)
    hasty._turns = power._turns
    async with asyncio.TaskGroup() as group:
        group.create_task(ask(power, "one", Action.OFF))
        await until((commands / "one-off").exists)
        with pytest.raises(PowerError, match="did not end within"):
            await ask(hasty, "one", Action.ON)
        (commands / "go").touch()
    assert not (commands / "one-on-done").exists()
