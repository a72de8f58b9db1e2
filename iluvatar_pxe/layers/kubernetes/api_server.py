"""Calls of a cluster's Kubernetes API, one at a time, whose failures say in one line what to do."""

import json
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from iluvatar_pxe.errors import KubernetesError
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.load_key import load_key
from iluvatar_pxe.layers.one_line import one_line
from iluvatar_pxe.layers.trusting import trusting

PORT = 6443
_SECONDS = aiohttp.ClientTimeout(total=20)
_JSON = "application/json"
_DONE = frozenset([200, 201, 202])
_ELSEWHERE = frozenset([404, 409])
"""It is not there, or somebody else was first."""
_BUDGET = 429
"""A PodDisruptionBudget keeps a pod for now."""


class ApiServer:
    """One server of the API, by HTTPS."""

    def __init__(
        self, session: aiohttp.ClientSession, label: str, context: ssl.SSLContext, remedy: str
    ) -> None:
        self._session, self._label, self._context, self._remedy = session, label, context, remedy

    @classmethod
    @asynccontextmanager
    async def at(
        cls, address: str, port: int, credentials: Credentials, remedy: str
    ) -> "AsyncIterator[ApiServer]":
        """Give one whose failures are KubernetesErrors with this remedy."""
        label = f"https://{address}:{port}"
        try:
            async with aiohttp.ClientSession(timeout=_SECONDS) as session:
                yield cls(session, label, _context(credentials), remedy)
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, ValueError) as error:
            raise KubernetesError(f"{label}: {_why(error)}; {remedy}") from error

    async def call(
        self, method: str, path: str, body: Mapping[str, object] | None = None, kind: str = ""
    ) -> Mapping[str, Any]:
        """Return the object of an answer; empty where it is not there, or where somebody else was first."""
        status, found = await self._answer(method, path, body, kind)
        if status in _ELSEWHERE:
            return {}
        if status not in _DONE:
            why = _refusal(status, found)
            raise KubernetesError(f"{self._label}: {method} {path} is refused: {why}; {self._remedy}")
        return found

    async def _answer(
        self, method: str, path: str, body: Mapping[str, object] | None, kind: str = ""
    ) -> tuple[int, Mapping[str, Any]]:
        """Return the status and the object of an answer; ``kind`` is that of a patch."""
        async with self._session.request(
            method,
            f"{self._label}{path}",
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": f"application/{kind or 'json'}"},
            ssl=self._context,
        ) as answer:
            is_object = answer.status in _DONE or answer.content_type == _JSON
            found = json.loads(await answer.read()) if is_object else {}
            return answer.status, found if isinstance(found, Mapping) else {}

    async def listed(self, path: str) -> list[Mapping[str, Any]]:
        """Return the items of a list."""
        items = (await self.call("GET", path)).get("items")
        return [one for one in items if isinstance(one, Mapping)] if isinstance(items, list) else []

    async def change(self, node: str, change: Mapping[str, object]) -> None:
        """Change some fields of a Node; None removes one."""
        await self.call("PATCH", f"/api/v1/nodes/{node}", change, "merge-patch+json")

    async def evict(self, pod: Mapping[str, Any]) -> str:
        """Ask that a pod stops, and starts elsewhere; return why that is refused, empty where it is not.

        A PodDisruptionBudget that keeps a pod for now is no refusal.
        """
        place = {"name": pod.get("name"), "namespace": pod.get("namespace")}
        path = f"/api/v1/namespaces/{place['namespace']}/pods/{place['name']}/eviction"
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": place}
        status, found = await self._answer("POST", path, body)
        return "" if status in {*_DONE, *_ELSEWHERE, _BUDGET} else _refusal(status, found)


def _refusal(status: int, found: Mapping[str, Any]) -> str:
    """Return the API server's own words, where it has some."""
    words = one_line(str(found.get("message", "")))
    return f"status {status}: {words}" if words else f"status {status}"


def _why(error: Exception) -> str:
    """Return what has failed; ``str`` of a failed connection has the context of its encryption, too."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return str(error.certificate_error)
        case aiohttp.ClientConnectorError():
            return os.strerror(error.os_error.errno) if error.os_error.errno else str(error.os_error)
    return str(error) or "no answer in time"


def _context(credentials: Credentials) -> ssl.SSLContext:
    context = trusting(credentials.ca)
    load_key(context, credentials)
    return context
