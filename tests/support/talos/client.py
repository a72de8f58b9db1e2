"""A plain client of a stand-in's API, for tests of the stand-in where no judge is: only what gRPC itself does."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.empty_pb2 import Empty
from grpclib.client import Channel
from grpclib.config import Configuration
from support.talos.api import PORT
from support.talos.machine import Machine

from iluvatar_pxe.layers.arda.api.protos import machine_pb2
from iluvatar_pxe.layers.arda.api.protos.machine_grpc import MachineServiceStub
from iluvatar_pxe.layers.arda.api.protos.resources_grpc import StateStub
from iluvatar_pxe.layers.arda.api.protos.time_grpc import TimeServiceStub
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.keys import standard_pem

SECONDS = 20.0


@dataclass(frozen=True)
class Client:
    machine: MachineServiceStub
    state: StateStub
    time: TimeServiceStub

    async def bootstrap(self) -> None:
        await self.machine.Bootstrap(machine_pb2.BootstrapRequest(), timeout=SECONDS)

    async def members(self) -> list[machine_pb2.EtcdMember]:
        answer = await self.machine.EtcdMemberList(machine_pb2.EtcdMemberListRequest(), timeout=SECONDS)
        (said,) = answer.messages
        return list(said.members)

    async def version(self) -> str:
        (said,) = (await self.machine.Version(Empty(), timeout=SECONDS)).messages
        return said.version.tag

    async def apply(
        self,
        config: str,
        mode: machine_pb2.ApplyConfigurationRequest.Mode = machine_pb2.ApplyConfigurationRequest.NO_REBOOT,
    ) -> machine_pb2.ApplyConfiguration:
        request = machine_pb2.ApplyConfigurationRequest(data=config.encode(), mode=mode)
        (said,) = (await self.machine.ApplyConfiguration(request, timeout=SECONDS)).messages
        return said

    async def reset(self, *, graceful: bool = True) -> None:
        mode = machine_pb2.ResetRequest.SYSTEM_DISK
        request = machine_pb2.ResetRequest(graceful=graceful, reboot=True, mode=mode)
        await self.machine.Reset(request, timeout=SECONDS)


@asynccontextmanager
async def connected(machine: Machine, credentials: Credentials | None = None) -> AsyncIterator[Client]:
    """Yield a client with a certificate, or without one as in maintenance."""
    config = Configuration(ssl_target_name_override=machine.address)
    async with Channel(machine.address, PORT, ssl=tls_context(credentials), config=config) as channel:
        yield Client(MachineServiceStub(channel), StateStub(channel), TimeServiceStub(channel))


def tls_context(credentials: Credentials | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    if credentials is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    context.load_verify_locations(cadata=credentials.ca)
    with TemporaryDirectory() as directory:
        crt, key = Path(directory) / "crt", Path(directory) / "key"
        crt.write_text(credentials.crt)
        key.write_text(standard_pem(credentials.key))
        context.load_cert_chain(crt, key)
    return context
