"""Asks a control plane how far it is."""

import asyncio
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from iluvatar_pxe.errors import TalosError, TalosForeignError, TalosMaintenanceError, TalosUnreachableError
from iluvatar_pxe.layers.arda.api.connecting import talos_api
from iluvatar_pxe.layers.arda.api.model import EtcdMember
from iluvatar_pxe.layers.arda.api.resources import (
    MACHINE_STATUS,
    MEMBERS,
    REBOOT_REQUEST,
    SYSTEM_DISK,
    TIME_STATUS,
    UNATTENDED_INSTALL,
)
from iluvatar_pxe.layers.arda.expected import Expected
from iluvatar_pxe.layers.arda.founding import Answered, Found, InMaintenance
from iluvatar_pxe.layers.arda.proving import prove
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.founding import Foreign, Unproved

if TYPE_CHECKING:
    from iluvatar_pxe.layers.arda.api.client import TalosApi
    from iluvatar_pxe.layers.arda.api.state import State

ASK_SECONDS = 20.0
"""For all questions to one machine together."""
_RESTARTING = frozenset({"rebooting", "shutting down", "resetting", "upgrading"})
_CONTROL_PLANES = frozenset({"controlplane", "init"})
"""Types of machines in Talos' discovery."""


async def ask(
    expected: Expected, address: IPv4Address | None, credentials: Credentials, held: str | None = None
) -> Found:
    """Return what a control plane says of itself; ``held`` is why it is not installed."""
    if address is None:
        return Unproved("no address of it is known")
    try:
        async with asyncio.timeout(ASK_SECONDS), talos_api(str(address), credentials) as api:
            await prove(api, expected, address)
            return await _said(api)
    except TimeoutError:
        return Unproved(f"{address}: has not answered all questions within {ASK_SECONDS:.0f} s")
    except TalosError as error:
        return _unanswered(error, address, held)


def _unanswered(error: TalosError, address: IPv4Address, held: str | None) -> Found:
    match error:
        case TalosMaintenanceError():
            return InMaintenance(maintenance_words(address, held))
        case TalosForeignError():
            return Foreign(str(error))
        case TalosUnreachableError():
            return Unproved(str(error).rpartition("; ")[0])  # its remedy is to wait, which is what is done
    return Unproved(str(error))


def maintenance_words(address: IPv4Address, held: str | None) -> str:
    """Say that a machine waits in maintenance mode, and why as far as that is known."""
    return f"{address}: waits in maintenance mode: {held or 'it has not got its configuration yet'}"


async def _said(api: "TalosApi") -> Found:
    etcd = next((one.state for one in await api.services() if one.id == "etcd"), "")
    return Answered(
        etcd=etcd,
        members=await _members(api) if etcd == "Running" else (),
        is_installed=await _is_installed(api.state),
        is_in_sync=await _is_in_sync(api.state),
        is_reboot_pending=await _is_reboot_pending(api.state),
        discovered=frozenset(
            one.hostname for one in await api.state.list(MEMBERS) if one.machine_type in _CONTROL_PLANES
        ),
    )


async def _members(api: "TalosApi") -> tuple[EtcdMember, ...]:
    """Return the members as the machine's own etcd knows them; none where it does not answer yet."""
    try:
        return await api.etcd.members(local=True)
    except TalosError:
        return ()


async def _is_installed(state: "State") -> bool:
    install = await state.get(UNATTENDED_INSTALL)
    if install and install.phase not in ("", "installed"):
        return False
    return await state.get(SYSTEM_DISK) is not None


async def _is_in_sync(state: "State") -> bool:
    time = await state.get(TIME_STATUS)
    return time is not None and (time.is_synced or time.is_disabled)


async def _is_reboot_pending(state: "State") -> bool:
    status = await state.get(MACHINE_STATUS)
    return bool(status and status.stage in _RESTARTING) or await state.get(REBOOT_REQUEST) is not None
