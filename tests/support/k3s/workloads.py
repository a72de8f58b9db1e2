"""Pods and Leases in the cluster's etcd: what a drain moves, and what says whose turn it is."""

import json
import re
from uuid import uuid4

from aiohttp import web
from support.k3s.answers import failure, found_or_missing
from support.k3s.etcd import Etcd
from support.k3s.kubernetes import Object

PROTECTED = "lab/protected"
"""Annotation of a pod that a PodDisruptionBudget keeps where it is."""
_POD = re.compile(r"/api/v1/namespaces/([^/]+)/pods(?:/([^/]+)(/eviction)?)?")
VOLUMES = "/apis/longhorn.io/v1beta2/namespaces/longhorn-system/volumes"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
_SERVICE = "/api/v1/namespaces/default/services/kubernetes"
_PODS_OF = re.compile(r"spec\.nodeName=([^,=]+)")


class Workloads:
    """Answers for one server; every method may raise RequestError."""

    def __init__(self, etcd: Etcd) -> None:
        self._etcd = etcd

    async def answer(self, request: web.Request) -> web.StreamResponse | None:
        """Return the answer; None where it is for somebody else."""
        if request.path == "/api/v1/pods" and request.method == "GET":
            return await self._pods(request)
        if match := _POD.fullmatch(request.path):
            return await self._pod(request, *match.groups())
        if request.path == _SERVICE and request.method == "GET":
            return web.json_response({"kind": "Service", "spec": {"clusterIP": "10.43.0.1"}})
        if request.path == VOLUMES:
            return await self._volumes(request)
        if request.path.startswith(_LEASES):
            return await self._lease(request, request.path.removeprefix(_LEASES).lstrip("/"))
        return None

    async def _volumes(self, request: web.Request) -> web.Response:
        """Return Longhorn's volumes, or put one in the place of the one of its name."""
        if request.method == "POST":
            volume = await request.json()
            key = f"/registry/longhorn.io/volumes/{volume['metadata']['name']}"
            await self._etcd.put(key, json.dumps(volume).encode())
            return web.json_response(volume, status=201)
        found = (await self._etcd.get("/registry/longhorn.io/volumes/", is_prefix=True)).values()
        return web.json_response({"kind": "VolumeList", "items": [json.loads(one) for one in found]})

    async def _pods(self, request: web.Request) -> web.Response:
        selector = _PODS_OF.fullmatch(request.query.get("fieldSelector", ""))
        if selector is None:
            return failure(400, "BadRequest", "field label not supported")
        pods = [json.loads(one) for one in (await self._etcd.get("/registry/pods/", is_prefix=True)).values()]
        items = [pod for pod in pods if pod["spec"]["nodeName"] == selector[1]]
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})

    async def _pod(
        self, request: web.Request, namespace: str, name: str | None, eviction: str | None
    ) -> web.Response:
        if request.method == "POST" and name is None:
            pod = await request.json()
            pod["metadata"] = {"annotations": {}, **pod["metadata"], "namespace": namespace}
            await self._etcd.put(_pod_key(pod), json.dumps(pod).encode())
            return web.json_response(pod, status=201)
        if request.method != "POST" or not eviction:
            return failure(405, "MethodNotAllowed", "the server does not allow this method on the resource")
        key = f"/registry/pods/{namespace}/{name}"
        found = await self._etcd.get(key)
        if not found:
            return found_or_missing(None, request)
        asked, pod = await request.json(), json.loads(found[key])
        if (asked.get("apiVersion"), asked.get("kind")) != ("policy/v1", "Eviction"):
            return failure(400, "BadRequest", "no Eviction of policy/v1")
        if PROTECTED in pod["metadata"]["annotations"]:
            return failure(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's budget.")
        await self._etcd.delete(key)
        return web.json_response({"kind": "Status", "status": "Success"}, status=201)

    async def _lease(self, request: web.Request, name: str) -> web.Response:
        if request.method == "POST":
            made = _versioned(await request.json(), 1)
            if await self._etcd.create(_lease_key(made["metadata"]["name"]), json.dumps(made).encode()):
                return web.json_response(made, status=201)
            return failure(409, "AlreadyExists", "it exists already")
        found = (await self._etcd.get(_lease_key(name))).get(_lease_key(name))
        if found is None or request.method == "GET":
            return found_or_missing(json.loads(found) if found else None, request)
        if request.method != "PUT":
            return failure(405, "MethodNotAllowed", "the server does not allow this method on the resource")
        lease, version = await request.json(), json.loads(found)["metadata"]["resourceVersion"]
        after = _versioned(lease, int(version) + 1)
        is_newest = lease["metadata"].get("resourceVersion") == version
        if is_newest and await self._etcd.replace(_lease_key(name), found, json.dumps(after).encode()):
            return web.json_response(after)
        return failure(409, "Conflict", "the object has been modified")


def _versioned(lease: Object, version: int) -> Object:
    metadata = {"uid": str(uuid4()), **lease["metadata"], "resourceVersion": str(version)}
    return {**lease, "metadata": metadata}


def _lease_key(name: str) -> str:
    return f"/registry/leases/kube-system/{name}"


def _pod_key(pod: Object) -> str:
    return f"/registry/pods/{pod['metadata']['namespace']}/{pod['metadata']['name']}"
