"""The services of a machine, with their states as the API tells them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from google.protobuf.message import Message
from support.talos.clock import Clock

from iluvatar_pxe.layers.arda.api.protos import machine_pb2, runtime_events_pb2

State = str
"""Initialized, Preparing, Waiting, Running, Stopping, Finished, Failed, Skipped or Starting."""


@dataclass
class Service:
    name: str
    state: State = "Initialized"
    healthy: bool = False
    changes: list[tuple[State, str, datetime]] = field(default_factory=list)

    @property
    def message(self) -> machine_pb2.ServiceInfo:
        info = machine_pb2.ServiceInfo(id=self.name, state=self.state)
        for state, text, moment in self.changes:
            event = info.events.events.add(msg=text, state=state)
            event.ts.FromDatetime(moment)
        info.health.unknown = self.state != "Running"
        info.health.healthy = self.healthy
        return info


class Services:
    """All services; each change is published."""

    def __init__(self, clock: Clock, publish: Callable[[Message], None]) -> None:
        self._clock, self._publish = clock, publish
        self.all: dict[str, Service] = {}

    def set(self, name: str, state: State, text: str, *, healthy: bool = False) -> None:
        service = self.all.setdefault(name, Service(name))
        service.state, service.healthy = state, healthy
        service.changes.append((state, text, self._clock.now()))
        action = state.upper()
        event = runtime_events_pb2.ServiceStateEvent(service=name, action=action, message=text)
        event.health.CopyFrom(service.message.health)
        self._publish(event)

    def state(self, name: str) -> State:
        return self.all[name].state if name in self.all else ""
