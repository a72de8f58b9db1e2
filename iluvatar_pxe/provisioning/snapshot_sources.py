"""Where snapshots of etcd come from: a machine's Talos API, or the etcd of a k3s server itself."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Protocol

from msgspec import Struct

from iluvatar_pxe.dns.members import Member
from iluvatar_pxe.layers.arda.api.connecting import talos_api
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.etcd.connecting import etcd_api
from iluvatar_pxe.layers.etcd.model import EtcdAlarm, EtcdStatus
from iluvatar_pxe.provisioning.cluster_secrets import ClusterSecrets

LIFETIME = timedelta(hours=1)
"""Of the certificate; it is checked when a connection begins."""


class SnapshotSource(Protocol):
    """The members of one cluster's etcd. Calls raise TalosError or EtcdError."""

    async def asked(self, member: Member) -> tuple[EtcdStatus, Sequence[EtcdAlarm]]:
        """Return how a member is, and what it knows of alarms."""
        ...

    def pieces(self, member: Member) -> AsyncGenerator[bytes, None]:
        """Yield a member's snapshot; whether it is whole is known at its end."""
        ...


class TalosSource(Struct, frozen=True):
    """Control planes, asked with the role that may take snapshots."""

    credentials: Credentials

    async def asked(self, member: Member) -> tuple[EtcdStatus, Sequence[EtcdAlarm]]:
        """See ``SnapshotSource``."""
        async with talos_api(str(member.address), self.credentials, name=member.name) as api:
            return await api.etcd.status(), await api.etcd.alarms()

    async def pieces(self, member: Member) -> AsyncGenerator[bytes, None]:
        """See ``SnapshotSource``."""
        address = str(member.address)
        async with (
            talos_api(address, self.credentials, name=member.name) as api,
            aclosing(api.etcd.snapshot()) as snapshot,
        ):
            async for piece in snapshot:
                yield piece


class K3sSource(Struct, frozen=True):
    """Servers, whose etcd takes certificates of the CA that the cluster's secrets have."""

    credentials: Credentials

    async def asked(self, member: Member) -> tuple[EtcdStatus, Sequence[EtcdAlarm]]:
        """See ``SnapshotSource``."""
        async with etcd_api(str(member.address), self.credentials, name=member.name) as api:
            return await api.status(), await api.alarms()

    async def pieces(self, member: Member) -> AsyncGenerator[bytes, None]:
        """See ``SnapshotSource``."""
        address = str(member.address)
        async with (
            etcd_api(address, self.credentials, name=member.name) as api,
            aclosing(api.snapshot()) as snapshot,
        ):
            async for piece in snapshot:
                yield piece


async def source_of(layer: str, secrets: ClusterSecrets, *, is_k3s: bool) -> SnapshotSource:
    """Return where a cluster's snapshots come from; raises as ``ClusterSecrets.known``."""
    if is_k3s:
        return K3sSource(await secrets.etcd(layer, LIFETIME))
    return TalosSource(await secrets.talos(layer, [ApiRole.ETCD_BACKUP], LIFETIME))
