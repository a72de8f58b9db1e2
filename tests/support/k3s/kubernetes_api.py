"""The Kubernetes API of a server: Nodes, secrets of node passwords, pods and Leases, by client certificate alone."""

from collections.abc import Mapping

from aiohttp import web
from support.k3s.answers import failure, found_or_missing
from support.k3s.callers import MASTERS, NODES, Caller, by_certificate
from support.k3s.kubernetes import Kubernetes, Object
from support.k3s.workloads import Workloads

VERSION = "v1.36.3+k3s1"
_PATCHES = frozenset({"application/merge-patch+json", "application/strategic-merge-patch+json"})
_NODES = "/api/v1/nodes"
_NAMESPACE = "/api/v1/namespaces/kube-system"
_SECRETS = "/api/v1/namespaces/kube-system/secrets/"


class KubernetesApi:
    """Answers whoever shows a certificate; what nothing here asks for is not found."""

    def __init__(self, kubernetes: Kubernetes, workloads: Workloads) -> None:
        self._kubernetes, self._workloads = kubernetes, workloads

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer as the API server does; may raise RequestError."""
        caller = by_certificate(request)
        if caller is None:
            return failure(401, "Unauthorized", "Unauthorized")
        if request.path in {"/readyz", "/livez", "/healthz"}:
            return web.Response(text="ok")
        if (discovered := _discovery(request.path)) is not None:
            return web.json_response(discovered)
        if not _may(caller, request):
            return failure(403, "Forbidden", f'User "{caller.name}" cannot {request.method} {request.path}')
        return await self._resource(request)

    async def _resource(self, request: web.Request) -> web.StreamResponse:
        if request.path == _NODES:
            return await self._nodes(request)
        if request.path == _NAMESPACE and request.method == "GET":
            return web.json_response(await self._kubernetes.namespace())
        if request.path.startswith(f"{_NODES}/"):
            return await self._node(request, request.path.removeprefix(f"{_NODES}/"))
        if request.path.startswith(_SECRETS) and request.method == "GET":
            return found_or_missing(
                await self._kubernetes.secret(request.path.removeprefix(_SECRETS)), request
            )
        if (answer := await self._workloads.answer(request)) is not None:
            return answer
        return failure(404, "NotFound", "the server could not find the requested resource")

    async def _nodes(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return web.json_response(await self._kubernetes.register(await request.json()), status=201)
        items = await self._kubernetes.nodes()
        return web.json_response({"kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": items})

    async def _node(self, request: web.Request, name: str) -> web.StreamResponse:
        if request.method == "DELETE":
            return found_or_missing(await self._kubernetes.delete_node(name), request)
        found = await self._kubernetes.node(name)
        if request.method == "PATCH" and found is not None:
            if request.content_type not in _PATCHES:
                return failure(415, "UnsupportedMediaType", request.content_type)
            found = _merged(found, await request.json())
            await self._kubernetes.write(found)
        return found_or_missing(found, request)


def _may(caller: Caller, request: web.Request) -> bool:
    """Say whether RBAC, or the node authorizer, lets somebody do this."""
    if MASTERS in caller.groups:
        return True
    own = caller.name.removeprefix("system:node:")
    makes = request.path == _NODES and request.method == "POST"
    return NODES in caller.groups and (
        makes or (request.path == f"{_NODES}/{own}" and request.method == "GET")
    )


def _merged(found: Object, patch: Mapping[str, object]) -> Object:
    """Apply a merge patch (RFC 7396)."""
    merged = dict(found)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = _merged(merged[key] if isinstance(merged.get(key), dict) else {}, value)
        else:
            merged[key] = value
    return merged


def _discovery(path: str) -> object | None:
    """Return what kubectl reads before it asks for something."""
    verbs = ["delete", "get", "list", "patch"]
    node = {"name": "nodes", "singularName": "node", "namespaced": False, "kind": "Node", "verbs": verbs}
    told: dict[str, object] = {
        "/version": {"major": "1", "minor": "36", "gitVersion": VERSION},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [node]},
    }
    return told.get(path)
