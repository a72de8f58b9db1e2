"""The Kubernetes API of a stand-in's control plane, on port 6443: as much of it as kubectl and a drain need.

Where Go would ask for a certificate and answer 401, Python's TLS refuses one of another CA in the handshake.
"""

import json
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from aiohttp import web
from cryptography import x509
from cryptography.x509.oid import NameOID
from support.talos.certificates import Authority
from support.talos.configuration import Pair
from support.talos.etcd import Etcd
from support.talos.kubernetes import CONTROL_PLANE, LONGHORN, Kubernetes, Object
from support.talos.stopping import stop_accepting

PORT = 6443
_TABLE = "as=Table"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
_PATCHES = frozenset({"application/merge-patch+json", "application/strategic-merge-patch+json"})
_VERBS = ["delete", "get", "list", "patch"]
_FIELDS: dict[str, Callable[[Object], str]] = {
    "metadata.name": lambda found: str(found["metadata"]["name"]),
    "metadata.namespace": lambda found: str(found["metadata"].get("namespace", "")),
    "spec.nodeName": lambda found: str(found["spec"].get("nodeName", "")),
    "status.phase": lambda found: str(found["status"].get("phase", "")),
}
_SELECTABLE = {
    "Node": {"metadata.name"},
    "Pod": {"metadata.name", "metadata.namespace", "spec.nodeName", "status.phase"},
}


class _Refusal(Exception):  # noqa: N818  # an answer
    def __init__(self, status: int, reason: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.reason, self.more = status, reason, more


class KubernetesApi:
    """Listens for one boot of a control plane, and changes nothing that its etcd could not write."""

    def __init__(self, kubernetes: Kubernetes, version: str, etcd: Etcd) -> None:
        self._kubernetes, self._version, self._etcd = kubernetes, version, etcd
        self._runner: web.AppRunner | None = None
        self._listening: socket.socket | None = None

    @property
    def is_listening(self) -> bool:
        return self._listening is not None

    async def serve(self, address: str, context: ssl.SSLContext) -> None:
        self._place = address, context
        await self.start()

    async def start(self) -> None:
        """Listen where it is to, also once more."""
        address, context = self._place
        application = web.Application(middlewares=[self._admit])
        for path, method, answer in self._routes():
            application.router.add_route(method, path, answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        self._listening = socket.create_server((address, PORT))
        await web.SockSite(self._runner, self._listening, ssl_context=context).start()

    async def close(self) -> None:
        """Stop listening, and break all connections."""
        runner, self._runner = self._runner, None
        listening, self._listening = self._listening, None
        if listening is not None:
            await stop_accepting(listening)
        if runner is not None:
            await runner.cleanup()
        if listening is not None:
            listening.close()  # a power cut may have come before the runner had it

    def _routes(self) -> Iterable[tuple[str, str, Callable[[web.Request], Awaitable[web.Response]]]]:
        node, pods = "/api/v1/nodes/{name}", "/api/v1/namespaces/{namespace}/pods"
        longhorn = f"/apis/longhorn.io/v1beta2/namespaces/{LONGHORN}/{{plural}}"
        daemon_set = "/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}"
        return [
            *((path, "GET", self._discover) for path in ("/version", "/api", "/api/v1", "/apis")),
            *(
                (f"/apis/{group}", "GET", self._discover)
                for group in ("policy/v1", "longhorn.io/v1beta2", "apps/v1")
            ),
            (_LEASES, "POST", self._create_lease),
            (_LEASES + "/{name}", "GET", self._lease),
            (_LEASES + "/{name}", "PUT", self._replace_lease),
            (_LEASES + "/{name}", "DELETE", self._delete_lease),
            ("/api/v1/nodes", "GET", self._nodes),
            (node, "GET", self._node),
            (node, "PATCH", self._patch_node),
            (node, "DELETE", self._delete_node),
            ("/api/v1/pods", "GET", self._pods),
            (pods, "GET", self._pods),
            (pods + "/{name}", "GET", self._pod),
            (pods + "/{name}", "DELETE", self._delete_pod),
            (pods + "/{name}/eviction", "POST", self._evict),
            (daemon_set, "GET", self._daemon_set),
            (longhorn, "GET", self._longhorn),
        ]

    # Who may ask, and in what form answers go out

    @web.middleware
    async def _admit(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            _check_caller(request)
            await self._check_etcd(request.method)
            return await handler(request)
        except _Refusal as refusal:
            return web.json_response(_status(refusal), status=refusal.status)
        except web.HTTPNotFound:
            return web.Response(text="404 page not found\n", status=404)

    async def _check_etcd(self, method: str) -> None:
        if not self._etcd.is_running or (method != "GET" and not await self._etcd.is_healthy()):
            raise _Refusal(500, "InternalError", "etcdserver: request timed out")

    def _listed(self, request: web.Request, kind: str, found: Iterable[Object], group: str = "v1") -> Object:
        fields = _selector(request.query.get("fieldSelector", ""))
        labels = _selector(request.query.get("labelSelector", ""))
        for name in fields:
            if name not in _SELECTABLE.get(kind, {"metadata.name", "metadata.namespace"}):
                raise _Refusal(400, "BadRequest", f'field label not supported: "{name}"')
        items = [
            one
            for one in sorted(
                found, key=lambda one: (one["metadata"].get("namespace", ""), one["metadata"]["name"])
            )
            if all(_FIELDS[name](one) == value for name, value in fields.items())
            and all(one["metadata"]["labels"].get(name) == value for name, value in labels.items())
        ]
        return {"kind": f"{kind}List", "apiVersion": group, "metadata": {"resourceVersion": "1"}, "items": items}  # fmt: skip

    async def _discover(self, request: web.Request) -> web.Response:
        return web.json_response(_discovery(request.path, self._version, has_longhorn=self._has_longhorn))

    @property
    def _has_longhorn(self) -> bool:
        return bool(self._kubernetes.others)

    # Nodes

    async def _nodes(self, request: web.Request) -> web.Response:
        shown = map(self._kubernetes.shown, self._kubernetes.nodes.values())
        listed = self._listed(request, "Node", shown)
        return web.json_response(_table(listed) if _wants_table(request) else listed)

    async def _node(self, request: web.Request) -> web.Response:
        return self._node_answer(request, self._named_node(request))

    async def _patch_node(self, request: web.Request) -> web.Response:
        node = self._named_node(request)
        if request.content_type not in _PATCHES:
            raise _Refusal(415, "UnsupportedMediaType", f"{request.content_type} is not supported")
        patch = await request.json()
        asked = (patch.get("metadata") or {}).pop("resourceVersion", None)
        if asked not in {None, node["metadata"]["resourceVersion"]}:
            raise _Refusal(409, "Conflict", "the object has been modified")
        _merge(node, patch)
        self._kubernetes.touch(node)
        return self._node_answer(request, node)

    async def _delete_node(self, request: web.Request) -> web.Response:
        name = self._named_node(request)["metadata"]["name"]
        self._kubernetes.delete_node(name)
        return web.json_response({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})

    def _named_node(self, request: web.Request) -> Object:
        return _held(self._kubernetes.nodes, request.match_info["name"], "nodes", request.match_info["name"])

    def _node_answer(self, request: web.Request, node: Object) -> web.Response:
        shown = {"kind": "Node", "apiVersion": "v1", **self._kubernetes.shown(node)}
        return web.json_response(_table({"items": [shown]}) if _wants_table(request) else shown)

    # Pods

    async def _pods(self, request: web.Request) -> web.Response:
        namespace = request.match_info.get("namespace")
        found = (pod for key, pod in self._kubernetes.pods.items() if namespace in {None, key[0]})
        return web.json_response(self._listed(request, "Pod", found))

    async def _pod(self, request: web.Request) -> web.Response:
        return web.json_response({"kind": "Pod", "apiVersion": "v1", **self._named_pod(request)})

    async def _delete_pod(self, request: web.Request) -> web.Response:
        pod = self._named_pod(request)
        self._kubernetes.stop(pod)
        return web.json_response({"kind": "Pod", "apiVersion": "v1", **pod})

    async def _evict(self, request: web.Request) -> web.Response:
        pod, eviction = self._named_pod(request), await request.json()
        if (eviction.get("apiVersion"), eviction.get("kind")) != ("policy/v1", "Eviction"):
            raise _Refusal(400, "BadRequest", "no Eviction of policy/v1")
        if eviction.get("metadata", {}).get("name") != pod["metadata"]["name"]:
            raise _Refusal(400, "BadRequest", "name in URL does not match name in Eviction object")
        if self._kubernetes.has_two_budgets(pod):
            why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
            raise _Refusal(500, "InternalError", why)
        if not self._kubernetes.may_evict(pod):
            cause = {"reason": "DisruptionBudget", "message": "The disruption budget needs more healthy pods"}
            raise _Refusal(
                429,
                "TooManyRequests",
                "Cannot evict pod as it would violate the pod's disruption budget.",
                details={"causes": [cause]},
            )
        self._kubernetes.evict(pod)
        return web.json_response(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, status=201
        )  # fmt: skip

    def _named_pod(self, request: web.Request) -> Object:
        name = request.match_info["name"]
        return _held(self._kubernetes.pods, (request.match_info["namespace"], name), "pods", name)

    # Leases

    async def _create_lease(self, request: web.Request) -> web.Response:
        lease = await request.json()
        name = lease["metadata"]["name"]
        if (lease.get("apiVersion"), lease.get("kind")) != ("coordination.k8s.io/v1", "Lease"):
            raise _Refusal(400, "BadRequest", "no Lease of coordination.k8s.io/v1")
        if name in self._kubernetes.leases:
            raise _Refusal(409, "AlreadyExists", f'leases.coordination.k8s.io "{name}" already exists')
        lease["metadata"] |= {"uid": str(uuid4()), "resourceVersion": "1"}
        self._kubernetes.leases[name] = lease
        return web.json_response(lease, status=201)

    async def _lease(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return web.json_response(_held(self._kubernetes.leases, name, "leases", name))

    async def _replace_lease(self, request: web.Request) -> web.Response:
        name, lease = request.match_info["name"], await request.json()
        before = _held(self._kubernetes.leases, name, "leases", name)["metadata"]
        version = lease["metadata"].get("resourceVersion")
        if version is None:
            raise _Refusal(422, "Invalid", "metadata.resourceVersion: must be specified for an update")
        if version != before["resourceVersion"]:
            why = (
                "the object has been modified; please apply your changes to the latest version and try again"
            )
            raise _Refusal(409, "Conflict", why)
        lease["metadata"] = before | {"resourceVersion": str(int(version) + 1)}
        self._kubernetes.leases[name] = lease
        return web.json_response(lease)

    async def _delete_lease(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        lease = _held(self._kubernetes.leases, name, "leases", name)
        expected = (await request.json()).get("preconditions", {}) if request.can_read_body else {}
        for key, value in expected.items():
            if lease["metadata"][key] != value:
                raise _Refusal(409, "Conflict", f"the {key} in the precondition is not that of the object")
        del self._kubernetes.leases[name]
        return web.json_response({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})

    async def _daemon_set(self, request: web.Request) -> web.Response:
        metadata = dict(request.match_info)
        return web.json_response({"kind": "DaemonSet", "apiVersion": "apps/v1", "metadata": metadata})

    async def _longhorn(self, request: web.Request) -> web.Response:
        plural = request.match_info["plural"]
        if plural not in self._kubernetes.others:
            raise web.HTTPNotFound
        kind = plural.removesuffix("s").title()
        found = self._kubernetes.others[plural].values()
        return web.json_response(self._listed(request, kind, found, "longhorn.io/v1beta2"))


def tls_context(authority: Authority, leaf: Pair) -> ssl.SSLContext:
    """Return TLS for the API server: it asks for a certificate of the cluster's CA, and takes also who has none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as directory:
        crt, key = Path(directory) / "crt", Path(directory) / "key"
        crt.write_bytes(leaf.crt)
        key.write_bytes(leaf.key)
        context.load_cert_chain(crt, key)
    context.load_verify_locations(cadata=authority.pem.decode())
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _check_caller(request: web.Request) -> None:
    """Refuse who shows no certificate, and who is no master."""
    der = request.get_extra_info("ssl_object").getpeercert(binary_form=True)
    if der is None:
        raise _Refusal(401, "Unauthorized", "Unauthorized")
    subject = x509.load_der_x509_certificate(der).subject
    groups = {str(one.value) for one in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)}
    if "system:masters" not in groups:
        users = [str(one.value) for one in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        raise _Refusal(403, "Forbidden", f'User "{" ".join(users)}" cannot do this at the cluster scope')


def _held(held: Mapping[Any, Object], key: Any, plural: str, name: str) -> Object:
    if key not in held:
        raise _Refusal(
            404, "NotFound", f'{plural} "{name}" not found', details={"name": name, "kind": plural}
        )
    return held[key]


def _status(refusal: _Refusal) -> Object:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": str(refusal),
        "reason": refusal.reason,
        "code": refusal.status,
        **refusal.more,
    }


def _selector(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {name: value.removeprefix("=") for name, _, value in pairs}


def _merge(target: Object, patch: Mapping[str, Any]) -> None:
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, Mapping):
            _merge(target.setdefault(name, {}), value)
        else:
            target[name] = json.loads(json.dumps(value))


def _discovery(path: str, version: str, *, has_longhorn: bool) -> Object:
    if path == "/version":
        major, minor, _ = version.removeprefix("v").split(".")
        return {"major": major, "minor": minor, "gitVersion": version, "platform": "linux/amd64"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    groups = {"apps": "v1", "policy": "v1"} | ({"longhorn.io": "v1beta2"} if has_longhorn else {})
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*pair) for pair in groups.items()]}  # fmt: skip
    group, _, of_group = path.removeprefix("/apis/").partition("/")
    if path != "/api/v1" and groups.get(group) != of_group:
        raise web.HTTPNotFound
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": "v1" if path == "/api/v1" else f"{group}/{of_group}",
        "resources": _CORE if path == "/api/v1" else [],
    }


def _group(name: str, version: str) -> Object:
    known = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [known], "preferredVersion": known}


def _resource(name: str, kind: str, *, namespaced: bool, verbs: list[str], **more: str) -> Object:
    return {"name": name, "singularName": kind.lower(), "namespaced": namespaced, "kind": kind, "verbs": verbs, **more}  # fmt: skip


_CORE = [
    _resource("nodes", "Node", namespaced=False, verbs=_VERBS),
    _resource("pods", "Pod", namespaced=True, verbs=["delete", "get", "list"]),
    _resource("pods/eviction", "Eviction", namespaced=True, verbs=["create"], group="policy", version="v1"),
]


def _wants_table(request: web.Request) -> bool:
    return _TABLE in request.headers.get("Accept", "")


def _table(listed: Object) -> Object:
    """Return nodes in the columns that kubectl prints."""
    names = ("Name", "Status", "Roles", "Age", "Version")
    columns = [{"name": name, "type": "string", "format": "", "priority": 0} for name in names]
    rows = [{"cells": _cells(node), "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": node["metadata"]}} for node in listed["items"]]  # fmt: skip
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": "1"},
        "columnDefinitions": columns,
        "rows": rows,
    }


def _cells(node: Object) -> list[str]:
    status = node["status"]
    is_ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status["conditions"])
    shown = ("Ready" if is_ready else "NotReady") + (
        ",SchedulingDisabled" if node["spec"].get("unschedulable") else ""
    )
    role = "control-plane" if CONTROL_PLANE in node["metadata"]["labels"] else "<none>"
    return [node["metadata"]["name"], shown, role, "1m", status["nodeInfo"]["kubeletVersion"]]
