"""The daemon's side of Talos' event sink: what machines publish, as values of ours."""

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import TypeVar

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import DecodeError, Message
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream

from iluvatar_pxe.layers.arda.api.model import UnmetCondition
from iluvatar_pxe.layers.arda.api.protos import common_pb2, machine_pb2, runtime_events_pb2
from iluvatar_pxe.layers.arda.api.protos.events_grpc import EventSinkServiceBase
from iluvatar_pxe.layers.arda.api.protos.events_pb2 import EventRequest, EventResponse
from iluvatar_pxe.layers.arda.events import (
    Addresses,
    Body,
    ConfigurationFault,
    Event,
    Phase,
    Restart,
    Sequence,
    ServiceState,
    Stage,
    TakeEvent,
    Task,
    Unknown,
)
from iluvatar_pxe.layers.one_line import one_line
from iluvatar_pxe.ratelimit import complain

LARGEST_EVENT = 256 << 10
"""Bytes."""
SECONDS = 30.0
"""In which an event that was begun must have come."""

_LONGEST_ID = 64
_MOST_ADDRESSES = 64
_MOST_UNMET = 32
_COMMANDS = {0x01234567: "restart", 0x4321FEDC: "power off", 0x45584543: "kexec", 0xCDEF0123: "halt"}
"""LINUX_REBOOT_CMD_*, linux/reboot.h."""

Published = TypeVar("Published", bound=Message)


class EventSink(EventSinkServiceBase):
    """Answers everything with OK, for a machine sends an event again until that comes, and nothing after it."""

    def __init__(self, take: TakeEvent) -> None:
        self._take = take

    async def Publish(self, stream: Stream[EventRequest, EventResponse]) -> None:  # noqa: N802 - Talos' name
        """Pass one event on."""
        peer = stream.peer.addr()
        try:
            async with asyncio.timeout(SECONDS):
                request = await stream.recv_message()
        except TimeoutError as error:
            raise GRPCError(Status.DEADLINE_EXCEEDED, "the event has not come") from error
        except (GRPCError, DecodeError) as error:
            complain("talos.event", client=peer and peer[0], why=one_line(str(error)))
            request = None
        if request and peer:
            self._take(IPv4Address(peer[0]), read_event(request))
        await stream.send_message(EventResponse())


def read_event(request: EventRequest) -> Event:
    """Return what a machine reports; whatever it is, an event."""
    return Event(one_line(request.id)[:_LONGEST_ID], one_line(request.actor_id)[:_LONGEST_ID], _body(request))


def _body(request: EventRequest) -> Body:
    name = request.data.type_url.rpartition("/")[2]
    reader = _READERS.get(name)
    if reader:
        try:
            return reader(request.data.value)
        except DecodeError:
            pass
    return Unknown(one_line(name)[:_LONGEST_ID])


def _reader(kind: type[Published], read: Callable[[Published], Body]) -> Callable[[bytes], Body]:
    return lambda value: read(kind.FromString(value))


def _sequence(told: runtime_events_pb2.SequenceEvent) -> Sequence:
    action = _word(runtime_events_pb2.SequenceEvent.Action, told.action)
    is_fatal = told.HasField("error") and told.error.code == common_pb2.FATAL
    return Sequence(one_line(told.sequence), action, one_line(told.error.message), is_fatal)


def _service(told: runtime_events_pb2.ServiceStateEvent) -> ServiceState:
    state = _word(runtime_events_pb2.ServiceStateEvent.Action, told.action)
    return ServiceState(one_line(told.service), state, one_line(told.message), _health(told.health))


def _health(told: machine_pb2.ServiceHealth) -> bool | None:
    return None if told.unknown else told.healthy


def _addresses(told: runtime_events_pb2.AddressEvent) -> Addresses:
    return Addresses(one_line(told.hostname), tuple(map(one_line, told.addresses[:_MOST_ADDRESSES])))


def _stage(told: runtime_events_pb2.MachineStatusEvent) -> Stage:
    stage = _word(runtime_events_pb2.MachineStatusEvent.MachineStage, told.stage)
    unmet = told.status.unmet_conditions[:_MOST_UNMET]
    conditions = tuple(UnmetCondition(one_line(one.name), one_line(one.reason)) for one in unmet)
    return Stage(stage, told.status.ready, conditions)


def _restart(told: runtime_events_pb2.RestartEvent) -> Restart:
    return Restart(_COMMANDS.get(told.cmd, str(told.cmd)))


def _word(words: EnumTypeWrapper, number: int) -> str:
    """Return the word of a number; the number itself where only a newer Talos knows it."""
    try:
        return str(words.Name(number)).lower().replace("_", " ")
    except ValueError:
        return str(number)


_START_PHASE, _START_TASK = runtime_events_pb2.PhaseEvent.START, runtime_events_pb2.TaskEvent.START
_READERS: dict[str, Callable[[bytes], Body]] = {
    "machine.SequenceEvent": _reader(runtime_events_pb2.SequenceEvent, _sequence),
    "machine.PhaseEvent": _reader(
        runtime_events_pb2.PhaseEvent, lambda told: Phase(one_line(told.phase), told.action == _START_PHASE)
    ),
    "machine.TaskEvent": _reader(
        runtime_events_pb2.TaskEvent, lambda told: Task(one_line(told.task), told.action == _START_TASK)
    ),
    "machine.ServiceStateEvent": _reader(runtime_events_pb2.ServiceStateEvent, _service),
    "machine.ConfigLoadErrorEvent": _reader(
        runtime_events_pb2.ConfigLoadErrorEvent, lambda told: ConfigurationFault(one_line(told.error))
    ),
    "machine.ConfigValidationErrorEvent": _reader(
        runtime_events_pb2.ConfigValidationErrorEvent, lambda told: ConfigurationFault(one_line(told.error))
    ),
    "machine.AddressEvent": _reader(runtime_events_pb2.AddressEvent, _addresses),
    "machine.MachineStatusEvent": _reader(runtime_events_pb2.MachineStatusEvent, _stage),
    "machine.RestartEvent": _reader(runtime_events_pb2.RestartEvent, _restart),
}
