"""BMCs that speak IPMI 2.0, by the program ``ipmitool``."""

import asyncio
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from iluvatar_pxe.errors import PowerError
from iluvatar_pxe.fleet.power import Ipmi
from iluvatar_pxe.power.action import Action, one_line
from iluvatar_pxe.power.credentials import MOST_OF_IPMI, Login
from iluvatar_pxe.power.process import Ended, run

TOOL = "ipmitool"
_TRIES = ("-N", "2", "-R", "3")
"""Seconds for each answer, and how often it is asked for."""
_WORDS = {
    Action.ON: ("power", "on"),
    Action.OFF: ("power", "off"),
    Action.STATUS: ("power", "status"),
    Action.NETWORK: ("bootdev", "pxe"),
}
_STATUS = re.compile(r"^Chassis Power is (on|off)$", re.MULTILINE)
_NOISE = "Unable to Get Channel Cipher Suites"
"""What an older BMC makes ipmitool say, which then takes its default."""


async def switch(way: Ipmi, login: Login, action: Action, *, is_uefi: bool) -> str:
    """Do it; return whether the machine was ``on`` or ``off`` for STATUS. Raises PowerError.

    ``is_uefi``: its firmware is UEFI, which ignores a boot device that is set for a BIOS.
    """
    if len(login.password.encode()) > MOST_OF_IPMI:
        raise PowerError(f"IPMI has passwords of at most {MOST_OF_IPMI} octets; set a shorter one in the BMC")
    if action is Action.CYCLE:
        is_on = await switch(way, login, Action.STATUS, is_uefi=is_uefi) == "on"
        await _ask(way, login, "power", "cycle" if is_on else "on")  # a BMC refuses to cycle what is off
        return ""
    efi = ("options=efiboot",) if action is Action.NETWORK and is_uefi else ()
    ended = await _ask(way, login, *_WORDS[action], *efi)
    return _state(ended) if action is Action.STATUS else ""


def _state(ended: Ended) -> str:
    if not (found := _STATUS.search(ended.output)):
        raise PowerError("its answer tells neither on nor off")
    return found[1]


async def _ask(way: Ipmi, login: Login, *words: str) -> Ended:
    if await asyncio.to_thread(shutil.which, TOOL) is None:
        raise PowerError(f"{TOOL} is not installed; sudo apt-get install {TOOL}")
    with _password_file(login) as file:
        ended = await run([*_command(way, login, file), "chassis", *words], files=(file,))
    if ended.status:
        raise PowerError(_fault(ended, login))
    return ended


def _command(way: Ipmi, login: Login, file: int) -> Iterator[str]:
    yield from (TOOL, "-I", "lanplus", "-H", way.host, "-p", str(way.port), *_TRIES)
    if way.cipher_suite:
        yield from ("-C", str(way.cipher_suite))
    yield from ("-U", login.username, "-f", f"/proc/self/fd/{file}")


@contextmanager
def _password_file(login: Login) -> Iterator[int]:
    """Have the password in memory that only ipmitool inherits: arguments and environments can be read in /proc."""
    file = os.memfd_create("")
    try:
        with open(file, "wb", closefd=False) as stream:
            stream.write(f"{login.password}\n".encode())
        yield file
    finally:
        os.close(file)


def _fault(ended: Ended, login: Login) -> str:
    lines = [line for line in ended.complaint.splitlines() if line.strip() and line.strip() != _NOISE]
    said = one_line(lines[-1], login.password) if lines else f"{TOOL} ended with status {ended.status}"
    if "Unable to establish" in said:
        return f"{said}; are its address, user and password right, and is IPMI over LAN on?"
    return said
