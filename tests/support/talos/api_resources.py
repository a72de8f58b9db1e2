"""COSI's State service of a stand-in: get, list and watch of its resources."""

from typing import TYPE_CHECKING, TypeVar

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Stream
from support.talos.certificates import caller
from support.talos.resources import SENSITIVE, Resource, resources, types_of
from support.talos.roles import ADMIN

from iluvatar_pxe.layers.arda.api.protos import resources_pb2 as pb2
from iluvatar_pxe.layers.arda.api.protos.resources_grpc import StateBase

if TYPE_CHECKING:
    from support.talos.boot import Boot

Key = tuple[str, str, str]
Found = dict[Key, Resource]
Asked = TypeVar("Asked")
Said = TypeVar("Said")


class StateService(StateBase):
    def __init__(self, boot: "Boot") -> None:
        self._boot = boot
        self._versions: dict[Key, tuple[int, Resource]] = {}

    async def Get(self, stream: "Stream[pb2.GetRequest, pb2.GetResponse]") -> None:
        request = await stream.recv_message()
        assert request is not None
        self._check(request.type, stream)
        found = self._found(request.namespace, request.type, request.id)
        if not found:
            raise GRPCError(
                Status.NOT_FOUND, f"resource {request.type}({request.namespace}/{request.id}) doesn't exist"
            )
        (resource,) = found.values()
        await stream.send_message(pb2.GetResponse(resource=self._message(resource)))

    async def List(self, stream: "Stream[pb2.ListRequest, pb2.ListResponse]") -> None:
        request = await stream.recv_message()
        assert request is not None
        self._check(request.type, stream)
        for resource in self._found(request.namespace, request.type).values():
            await stream.send_message(pb2.ListResponse(resource=self._message(resource)))

    async def Watch(self, stream: "Stream[pb2.WatchRequest, pb2.WatchResponse]") -> None:
        request = await stream.recv_message()
        assert request is not None
        self._check(request.type, stream)
        wanted = request.id if request.HasField("id") else None
        await stream.send_message(pb2.WatchResponse())
        known: Found = {}
        if wanted is None and not request.options.bootstrap_contents:
            known = self._found(request.namespace, request.type)
        else:
            known = await self._tell(stream, {}, self._found(request.namespace, request.type, wanted))
            if wanted is None and request.api_version:
                event = pb2.Event(event_type=pb2.BOOTSTRAPPED, resource=pb2.Resource())
                await stream.send_message(pb2.WatchResponse(event=[event]))
        while True:
            changed = self._boot.changed
            known = await self._tell(stream, known, self._found(request.namespace, request.type, wanted))
            await changed.wait()

    async def _tell(
        self, stream: "Stream[pb2.WatchRequest, pb2.WatchResponse]", known: Found, now: Found
    ) -> Found:
        """Send what differs between two moments, and return the later one."""
        for key in known.keys() - now.keys():
            await self._send(stream, pb2.DESTROYED, known[key])
        for key, resource in now.items():
            if key not in known:
                await self._send(stream, pb2.CREATED, resource)
            elif known[key] != resource:
                await self._send(stream, pb2.UPDATED, resource, known[key])
        return now

    async def _send(
        self,
        stream: "Stream[pb2.WatchRequest, pb2.WatchResponse]",
        kind: "pb2.EventType",
        resource: Resource,
        old: Resource | None = None,
    ) -> None:
        event = pb2.Event(event_type=kind, resource=self._message(resource))
        if old is not None:
            event.old.CopyFrom(self._message(old))
        await stream.send_message(pb2.WatchResponse(event=[event]))

    def _check(self, kind: str, stream: "Stream[Asked, Said]") -> None:
        """Refuse unknown types as Talos does, and secrets to all but administrators."""
        roles = caller(stream.peer).roles
        if kind not in types_of(self._boot) or (kind in SENSITIVE and ADMIN not in roles):
            raise GRPCError(Status.PERMISSION_DENIED, "not authorized")

    def _found(self, namespace: str, kind: str, name: str | None = None) -> Found:
        every = {(one.namespace, one.type, one.id): one for one in resources(self._boot)}
        return {
            key: one
            for key, one in every.items()
            if (one.namespace, one.type) == (namespace, kind) and name in (None, one.id)
        }

    def _message(self, resource: Resource) -> pb2.Resource:
        key = (resource.namespace, resource.type, resource.id)
        version, last = self._versions.get(key, (0, None))
        if resource != last:
            version += 1
            self._versions[key] = version, resource
        message = pb2.Resource()
        message.metadata.namespace, message.metadata.type, message.metadata.id = key
        message.metadata.version, message.metadata.phase = resource.version or str(version), "running"
        message.metadata.created.GetCurrentTime()
        message.metadata.updated.GetCurrentTime()
        message.spec.yaml_spec = resource.yaml
        return message
