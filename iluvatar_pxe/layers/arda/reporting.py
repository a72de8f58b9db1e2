"""Asks a machine of a cluster for everything that its status shows."""

import asyncio
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from iluvatar_pxe.errors import TalosAnotherError, TalosError, TalosMaintenanceError
from iluvatar_pxe.layers.arda.api.connecting import talos_api
from iluvatar_pxe.layers.arda.api.resources import KUBELET_IMAGE, MACHINE_STATUS, NODE_STATUSES, SYSTEM_DISK
from iluvatar_pxe.layers.arda.asking import ASK_SECONDS, maintenance_words
from iluvatar_pxe.layers.arda.configuration.images import version_of
from iluvatar_pxe.layers.arda.expected import Expected
from iluvatar_pxe.layers.arda.health import MachineReport
from iluvatar_pxe.layers.arda.proving import prove
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.values import replace

if TYPE_CHECKING:
    from iluvatar_pxe.layers.arda.api.client import TalosApi


async def report(
    address: IPv4Address | None,
    credentials: Credentials,
    held: str | None = None,
    *,
    is_control_plane: bool,
    expected: Expected | None = None,
) -> MachineReport:
    """Return what a machine says; that it says nothing is a report, too. ``held`` is why it is not installed.

    ``expected`` is the only one that is believed; None: whoever answers is.
    """
    if address is None:
        return MachineReport(trouble="no address of it is known")
    try:
        async with asyncio.timeout(ASK_SECONDS), talos_api(str(address), credentials) as api:
            hostname = await prove(api, expected, address) if expected else ""
            return replace(await _said(api, is_control_plane=is_control_plane), hostname=hostname)
    except TimeoutError:
        return MachineReport(trouble=f"{address}: has not answered within {ASK_SECONDS:.0f} s")
    except TalosMaintenanceError:
        return MachineReport(trouble=maintenance_words(address, held))
    except TalosError as error:
        return MachineReport(trouble=str(error), is_another=isinstance(error, TalosAnotherError))


async def _said(api: "TalosApi", *, is_control_plane: bool) -> MachineReport:
    status = await api.state.get(MACHINE_STATUS)
    disk = await api.state.get(SYSTEM_DISK)
    version = (await api.version()).tag
    kubelet = await api.state.get(KUBELET_IMAGE)
    nodes = await api.state.list(NODE_STATUSES)
    said = MachineReport(
        stage=status.stage if status else "",
        is_ready=bool(status and status.is_ready),
        unmet=tuple(f"{one.name}: {one.reason}" for one in status.unmet) if status else (),
        version=version,
        kubernetes=version_of(kubelet or ""),
        disk=disk.path if disk else "",
        nodes=nodes,
    )
    return await _with_etcd(api, said) if is_control_plane else said


async def _with_etcd(api: "TalosApi", said: MachineReport) -> MachineReport:
    """Add what its etcd says; one that is not founded, or just joins, says nothing."""
    try:
        members, etcd = await api.etcd.members(local=True), await api.etcd.status()
        alarms = await api.etcd.alarms()
    except TalosError:
        return said
    return replace(said, etcd=etcd, members=members, alarms=alarms)
