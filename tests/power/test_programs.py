"""Programs of the owner: what they get, what they may say, and who may have written them."""

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.power import power_with, switch

from iluvatar_pxe.errors import PowerError
from iluvatar_pxe.power.action import Action
from iluvatar_pxe.power.power import Power

WAY = {"command": {"program": "plug", "arguments": ["port", "7"], "credentials": "key"}}
TEXTS = {"key": "s3cret"}


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return tmp_path


def write(commands: Path, script: str) -> Path:
    program = commands / "plug"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def is_running(pid: str) -> bool:
    """Say whether a process has not ended; one that nobody has waited for yet has."""
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


async def test_it_gets_the_action_its_arguments_and_the_secret_as_standard_input(commands: Path) -> None:
    write(commands, f'read key; echo "$* $MACHINE $key" >{commands}/got; env >>{commands}/got; echo on')
    with capture_logs() as lines:
        assert await switch(power_with(TEXTS, commands), WAY, Action.ON) == ""
    got = (commands / "got").read_text().splitlines()
    assert got[0] == "on port 7 one s3cret"
    assert not [line for line in got[1:] if "s3cret" in line or line.startswith("HOME=")]
    assert [line["event"] for line in lines] == ["power.switched"]
    assert await switch(power_with(TEXTS, commands), WAY, Action.STATUS) == "on"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("cat >&2; echo >&2; echo no s3cret port >&2; exit 3", r"plug: no \*\*\* port$"),
        ("exit 4", "plug: ended with status 4"),
        ("kill -9 $$", "plug: ended with status -9"),
        ("echo maybe", "has to print on or off for status"),
        ("yes", "prints more than 64 KiB, and was ended"),
        ("yes >&2", "prints more than 64 KiB, and was ended"),
        ("printf '\\033]0;x\\007\\n' >&2; exit 1", r"\\x1b\]0;x\\x07$"),
    ],
)
async def test_what_it_says_is_one_short_line(commands: Path, script: str, why: str) -> None:
    write(commands, script)
    with capture_logs() as lines, pytest.raises(PowerError, match=why) as failed:
        await switch(power_with(TEXTS, commands), WAY, Action.STATUS)
    assert str(failed.value).startswith("one: power status by command: ")
    assert [line["event"] for line in lines] == ["power.failed"]
    assert "s3cret" not in str(lines) + str(failed.value)


async def test_one_that_hangs_is_killed_with_what_it_began(commands: Path) -> None:
    write(commands, f"sleep 1000 & echo $! >{commands}/pid; wait")
    with pytest.raises(PowerError, match="did not end within 1 s, and may have been done or not"):
        await switch(power_with(TEXTS, commands, seconds=1.0), WAY, Action.ON)
    assert not is_running((commands / "pid").read_text().strip())


def having(commands: Path, *, program: int, directory: int = 0o755, owner: int = 0) -> Power:
    """Return the daemon's part where program and directory have these modes, and the program this owner."""
    (commands / "plug").chmod(program)
    commands.chmod(directory)
    os.chown(commands / "plug", owner or os.geteuid(), -1)
    return power_with(TEXTS, commands)


async def refused(power: Power, why: str) -> None:
    with pytest.raises(PowerError, match=why):
        await switch(power, WAY, Action.ON)


async def test_one_that_others_may_have_written_is_not_run(commands: Path) -> None:
    write(commands, f"touch {commands}/ran")
    await refused(having(commands, program=0o775), "plug: others may write it")
    await refused(having(commands, program=0o644), "is no program; run: chmod 755")
    await refused(having(commands, program=0o755, directory=0o777), f"{commands}: others may write it")
    if os.geteuid() == 0:
        await refused(having(commands, program=0o755, owner=65534), "plug: others may write it")
    (commands / "plug").unlink()
    await refused(power_with(TEXTS, commands), "no such program")
    assert not (commands / "ran").exists()
