"""A stand-in for a cluster's API server: it keeps objects, and is strict about who asks and how they are applied.

RBAC knows masters, and users whom a ClusterRoleBinding makes ``cluster-admin``. Server-side apply is that of one manager.
"""

import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.x509.oid import NameOID
from support.talos.certificates import Authority
from support.talos.configuration import Pair
from support.talos.kubernetes_api import tls_context
from support.talos.stopping import listening

from iluvatar_pxe.layers.key_pair import KeyPair

Object = dict[str, Any]
_PLACE = re.compile(
    r"(?:/api/(?P<core>v1)|/apis/(?P<group>[a-z.0-9]+/[a-z0-9]+))"
    r"(?:/namespaces/(?P<namespace>[a-z-]+))?/(?P<plural>[a-z]+)(?:/(?P<name>[a-z0-9.-]+))?"
)
_KINDS = {
    ("v1", "secrets"): "Secret",
    ("rbac.authorization.k8s.io/v1", "clusterrolebindings"): "ClusterRoleBinding",
    ("longhorn.io/v1beta2", "backuptargets"): "BackupTarget",
    ("longhorn.io/v1beta2", "recurringjobs"): "RecurringJob",
}
_BINDING = "ClusterRoleBinding"


@dataclass
class ObjectsApi:
    """Listens on port 6443 of an address while it serves."""

    address: str
    namespaces: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=lambda: {"v1", "rbac.authorization.k8s.io/v1"})
    """API groups that it knows: Longhorn's come with Longhorn."""
    objects: dict[tuple[str, str], Object] = field(default_factory=dict)
    """By kind and name."""
    asked: list[str] = field(default_factory=list)
    """What was changed: the method, and kind and name."""
    _applied: dict[tuple[str, str], Object] = field(default_factory=dict)

    @asynccontextmanager
    async def serving(self, servers: KeyPair, clients: KeyPair) -> AsyncIterator[None]:
        """Listen, with a certificate of one CA, for clients of another one."""
        leaf = _authority(servers).leaf("kube-apiserver", [self.address], datetime.now(UTC))
        context = tls_context(_authority(clients), leaf)
        context.load_verify_locations(cadata=clients.crt)
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0)
        async with listening(runner, self.address, 6443, context):
            yield

    async def _answer(self, request: web.Request) -> web.Response:
        der = request.get_extra_info("ssl_object").getpeercert(binary_form=True)
        if der is None or not self._may(x509.load_der_x509_certificate(der).subject):
            return _failure(403 if der else 401, "Forbidden", "cannot do this")
        if request.path == "/api/v1/namespaces/kube-system":
            return web.json_response({"kind": "Namespace", "metadata": {"uid": self.address}})
        place = _PLACE.fullmatch(request.path)
        version = (place["core"] or place["group"]) if place else ""
        kind = _KINDS.get((version, place["plural"])) if place else None
        if place is None or kind is None or version not in self.groups:
            return _failure(404, "NotFound", "the server could not find the requested resource")
        if request.method == "GET":
            found: Object = {"apiVersion": version, "kind": f"{kind}List", "metadata": {}}
            return web.json_response(found | {"items": self._listed(kind, place["namespace"], request.query)})
        if place["namespace"] not in {None, *self.namespaces}:
            return _failure(404, "NotFound", f'namespaces "{place["namespace"]}" not found')
        self.asked.append(f"{request.method} {kind} {place['name'] or ''}".strip())
        return await self._change(request, version, kind, place["name"])

    async def _change(self, request: web.Request, version: str, kind: str, name: str | None) -> web.Response:
        if request.method == "DELETE" and name:
            found = self.objects.pop((kind, name), None)
            return web.json_response(found) if found else _failure(404, "NotFound", "not found")
        body = await request.json()
        if (body.get("apiVersion"), body.get("kind")) != (version, kind):
            return _failure(400, "BadRequest", "the object is of another kind than its path")
        if trouble := _trouble(body):
            return _failure(422, "Invalid", trouble)
        key = kind, body["metadata"]["name"]
        if request.method == "POST" and name is None:
            is_new = self.objects.setdefault(key, body) is body
            return (
                web.json_response(body, status=201) if is_new else _failure(409, "AlreadyExists", "it exists")
            )
        is_apply = request.content_type == "application/apply-patch+yaml" and "fieldManager" in request.query
        if request.method != "PATCH" or key[1] != name or not is_apply:
            return _failure(400, "BadRequest", "no server-side apply of this object")
        return web.json_response(self._apply(key, body))

    def _apply(self, key: tuple[str, str], body: Object) -> Object:
        rest = _without(self.objects.get(key, {}), self._applied.get(key, {}))
        self._applied[key] = json.loads(json.dumps(body))
        self.objects[key] = _merged(rest, body)
        return self.objects[key]

    def _listed(self, kind: str, namespace: str | None, query: Mapping[str, str]) -> list[Object]:
        wanted = dict(part.split("=") for part in query.get("labelSelector", "").split(",") if part)
        found = (one for (of, _), one in sorted(self.objects.items()) if of == kind)
        # Items of a list have neither a version nor a kind of their own.
        return [
            {key: value for key, value in one.items() if key not in {"apiVersion", "kind"}}
            for one in found
            if one["metadata"].get("namespace") == namespace
            and wanted.items() <= one["metadata"].get("labels", {}).items()
        ]

    def _may(self, subject: x509.Name) -> bool:
        groups = {one.value for one in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)}
        users = {one.value for one in subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
        bound = {
            subject["name"]
            for (kind, _), one in self.objects.items()
            if kind == _BINDING and one["roleRef"]["name"] == "cluster-admin"
            for subject in one["subjects"]
        }
        return "system:masters" in groups or bool(users & bound)


def _authority(pair: KeyPair) -> Authority:
    first, end = pair.crt.partition("-----END CERTIFICATE-----\n")[:2]
    return Authority.of(Pair((first + end).encode(), pair.key.encode()))


def _trouble(body: Object) -> str:
    """Say what the API server, or a webhook of Longhorn, would not take."""
    if body["kind"] == "Secret":
        for value in body.get("data", {}).values():
            base64.b64decode(value, validate=True)
    if body["kind"] == "RecurringJob":
        spec = body["spec"]
        if not (spec["name"] == body["metadata"]["name"] and len(spec["name"]) <= 40):
            return "spec.name: is another one"
        if spec["task"] not in {
            "backup",
            "snapshot",
            "filesystem-trim",
            "snapshot-cleanup",
            "snapshot-delete",
        }:
            return "spec.task: unsupported value"
        if len(spec["cron"].split()) != 5 or spec["retain"] < 0 or spec["concurrency"] < 1:
            return "spec: invalid"
    return ""


def _failure(code: int, reason: str, message: str) -> web.Response:
    status = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
    return web.json_response(status, status=code)


def _without(found: Mapping[str, Any], applied: Mapping[str, Any]) -> Object:
    """Return an object without the fields that its manager has applied before."""
    left: Object = {}
    for key, value in found.items():
        if key not in applied:
            left[key] = value
        elif isinstance(value, Mapping) and (rest := _without(value, applied[key])):
            left[key] = rest
    return left


def _merged(found: Mapping[str, Any], applied: Mapping[str, Any]) -> Object:
    merged = dict(found)
    for key, value in applied.items():
        is_map = isinstance(value, Mapping)
        merged[key] = _merged(found.get(key, {}), value) if is_map else value
    return merged
