"""The resources of a machine's controllers, by Talos' API: its best source of what is going on."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

import yaml

from iluvatar_pxe.errors import TalosDeniedError, TalosFailedError, TalosNotFoundError, TalosUnreachableError
from iluvatar_pxe.layers.arda.api import faults
from iluvatar_pxe.layers.arda.api.channel import READ_SECONDS, Caller, TalosChannel
from iluvatar_pxe.layers.arda.api.model import Change, of_number
from iluvatar_pxe.layers.arda.api.protos import resources_pb2
from iluvatar_pxe.layers.arda.api.protos.resources_grpc import StateStub
from iluvatar_pxe.layers.arda.api.resources import STATIC_PODS, Kind, SpecError, Watched
from iluvatar_pxe.layers.one_line import one_line

MOST = 10_000
"""Resources in one list."""
_API = 1
"""Without it, Talos tells neither the end of what there was, nor failures."""

Value = TypeVar("Value")


class State:
    """Reads resources by their kind (``resources``). Maintenance mode allows all of it."""

    def __init__(self, call: Caller, channel: TalosChannel) -> None:
        self._call = call
        self._stub = StateStub(channel)

    async def get(self, kind: Kind[Value], name: str = "") -> Value | None:
        """Return one resource, None where it is not there; ``name`` defaults to the kind's only one."""
        resource = await self._resource(kind, name or kind.id)
        return self._read(kind, resource) if resource else None

    async def static_pods(self) -> dict[str, str]:
        """Return by the names of a control plane's static pods the versions of what they are to run with."""
        found = [(kind.id, kind, await self._resource(kind, kind.id)) for kind in STATIC_PODS]
        return {
            name: resource.metadata.version
            for name, kind, resource in found
            if resource and self._read(kind, resource)
        }

    async def _resource(self, kind: Kind[Value], name: str) -> resources_pb2.Resource | None:
        request = resources_pb2.GetRequest(namespace=kind.namespace, type=kind.type, id=name)
        try:
            answer = await self._call.unary(self._stub.Get, request, READ_SECONDS)
        except TalosNotFoundError:
            return None
        except TalosDeniedError:
            if kind.is_new:  # what a version does not have, it denies
                return None
            raise
        return answer.resource

    async def configuration(self) -> str:
        """Return the configuration that the machine runs with; an administrator's, for it holds all secrets.

        One that is staged is not it before the next start.
        """
        return await self._configuration("v1alpha1")

    async def stored_configuration(self) -> str | None:
        """Return the configuration on the machine's disk, which it starts with next; None where there is none."""
        try:
            return await self._configuration("persistent")
        except TalosNotFoundError:
            return None

    async def _configuration(self, name: str) -> str:
        kind = "MachineConfigs.config.talos.dev"
        request = resources_pb2.GetRequest(namespace="config", type=kind, id=name)
        answer = await self._call.unary(self._stub.Get, request, READ_SECONDS)
        text = await asyncio.to_thread(_text_in, answer.resource.spec.yaml_spec)
        if text is None:
            raise faults.of_answer(self._call.label, kind, "is no text")
        return text

    async def list(self, kind: Kind[Value]) -> tuple[Value, ...]:
        """Return all resources of a kind."""
        request = resources_pb2.ListRequest(namespace=kind.namespace, type=kind.type)
        found: list[Value] = []
        try:
            async with aclosing(self._call.answers(self._stub.List, request, READ_SECONDS)) as answers:
                async for answer in answers:
                    if len(found) == MOST:
                        raise faults.of_answer(self._call.label, kind.type, f"more than {MOST} resources")
                    found.append(self._read(kind, answer.resource))
        except TalosDeniedError:
            if not kind.is_new:
                raise
        return tuple(found)

    async def watch(self, kind: Kind[Value], name: str = "") -> AsyncGenerator[Watched[Value], None]:
        """Yield what there is, then all changes, until it raises TalosError: it never ends by itself.

        Without a name, BOOTSTRAPPED comes after what there was. Who goes on after an error watches anew, for changes
        may have been missed. Close it (``contextlib.aclosing``) to stop.
        """
        request = resources_pb2.WatchRequest(
            namespace=kind.namespace,
            type=kind.type,
            id=name or None,
            options=resources_pb2.WatchOptions(bootstrap_contents=not name),
            api_version=_API,
        )
        async with aclosing(self._call.answers(self._stub.Watch, request, None)) as answers:
            async for answer in answers:
                for event in answer.event:
                    if told := self._told(kind, event):
                        yield told
        raise TalosUnreachableError(
            f"{self._call.label}: {kind.type}: the machine ended the watch; it is begun anew"
        )

    def _told(self, kind: Kind[Value], event: resources_pb2.Event) -> Watched[Value] | None:
        if event.event_type == resources_pb2.ERRORED:
            raise TalosFailedError(
                f"{self._call.label}: {kind.type}: {one_line(event.error)}; the watch is begun anew"
            )
        if event.event_type == resources_pb2.BOOTSTRAPPED:
            return Watched(Change.BOOTSTRAPPED, "", None)
        change = of_number(Change, event.event_type)
        if change is None:  # NOOP, and what a newer version may add
            return None
        return Watched(change, event.resource.metadata.id, self._read(kind, event.resource))

    def _read(self, kind: Kind[Value], resource: resources_pb2.Resource) -> Value:
        try:
            return kind.read(resource.metadata.id, resource.spec.yaml_spec)
        except SpecError as error:
            why = f"{one_line(resource.metadata.id)}: {one_line(str(error))}"
            raise faults.of_answer(self._call.label, kind.type, why) from error


def _text_in(written: str) -> str | None:
    """Return the text that is written as a YAML scalar; None where it is something else. Blocks."""
    try:
        found = yaml.load(written, yaml.CSafeLoader)
    except yaml.YAMLError:
        return None
    return found if isinstance(found, str) else None
