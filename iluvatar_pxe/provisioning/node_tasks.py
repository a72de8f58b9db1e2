"""What nodes of k3s clusters are to do, as long as somebody here wants that, and how they said that they are."""

import time
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct

from iluvatar_pxe.changed import Changed
from iluvatar_pxe.dns.members import members_of
from iluvatar_pxe.errors import ConfigurationError, IluvatarError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.node_tasks import (
    Facts,
    Task,
    answer_code,
    content_code,
    is_code,
    read_content_request,
    read_question,
    request_code,
    task_key,
    write_answer,
)
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.values import replace

FRESH_SECONDS = 300.0
"""For which what a node said counts; it asks every minute."""
GIVEN_SECONDS = 45.0
"""For which a task counts that is not given again: shorter than ``Pace.turn``, after which another daemon gives others."""


class _Heard(Struct, frozen=True):
    facts: Facts
    at: float
    """By the monotonic clock."""


class NodeTasks:
    """Gives them; belongs to one event loop. Nothing is kept: whoever wants something gives it again after a restart."""

    def __init__(
        self,
        fleet: Callable[[], Fleet],
        snapshot: Callable[[], Snapshot],
        bundle: Callable[[str], Awaitable[K3sBundle]],
    ) -> None:
        """``bundle`` returns the secrets of a layer's cluster; raises IluvatarError."""
        self._fleet, self._snapshot, self._bundle = fleet, snapshot, bundle
        self._tasks: dict[str, tuple[Task, float]] = {}
        """With when they were given last, by the monotonic clock."""
        self._heard: dict[str, _Heard] = {}
        self._contents: dict[str, Callable[[], Awaitable[bytes]]] = {}
        self.sums: Callable[[], Mapping[str, str]] = dict
        """Returns the SHA-256 of boot files that are here, by their names; set by whoever has them."""
        self.changed = Changed()
        """Told when a node says something new, but for what its etcd writes."""

    def give(self, node: str, task: Task) -> None:
        """Have a node do this when it asks soon, in place of what it was given before; give it again as long as it is wanted."""
        self._tasks[node] = task, time.monotonic()

    def withdraw(self, node: str) -> None:
        """Have a node do nothing any more that it has not begun."""
        self._tasks.pop(node, None)

    def offer(self, node: str, content: Callable[[], Awaitable[bytes]] | None) -> None:
        """Let a node get what its task needs besides, which is secret; None: nothing any more."""
        if content is None:
            self._contents.pop(node, None)
        else:
            self._contents[node] = content

    def given(self, node: str) -> Task | None:
        """Return what a node is to do."""
        task, at = self._tasks.get(node, (None, 0.0))
        return task if time.monotonic() - at < GIVEN_SECONDS else None

    @property
    def facts(self) -> Mapping[str, Facts]:
        """What nodes said lately, by their names."""
        since = time.monotonic() - FRESH_SECONDS
        return {name: heard.facts for name, heard in self._heard.items() if heard.at > since}

    async def answer(self, client: str, body: bytes, code: str) -> tuple[bytes, str]:
        """Return the answer to a node, and its code.

        Raises WireError where it is no question, and ConfigurationError where it is not known to be a node's.
        """
        question = read_question(body)
        key = await self._proved(question.node, client, lambda key: is_code(code, request_code(key, body)))
        self._hear(question.node, question.facts)
        found = write_answer(self.given(question.node))
        return found, answer_code(key, question.nonce, found)

    async def content(self, client: str, body: bytes, code: str) -> bytes:
        """Return what a node's task needs besides, for who asked by TLS; raises as ``answer``, and IluvatarError."""
        node = read_content_request(body)
        await self._proved(node, client, lambda key: is_code(code, content_code(key, body)))
        if node not in self._contents:
            raise ConfigurationError(f"{node}: nothing is kept for it here")
        return await self._contents[node]()

    async def _proved(self, node: str, client: str, is_shown: Callable[[bytes], bool]) -> bytes:
        """Return the key that somebody knows who asks as a node; raises ConfigurationError where it is not shown."""
        key = await self._key(node)
        if key is not None and is_shown(key):
            return key
        why = f"who asks as {node} does not prove to be it"
        complain("k3s.tasks.refused", client=client, node=node, why=why)
        raise ConfigurationError(f"{why}; if it is, install it again")

    def _hear(self, node: str, facts: Facts) -> None:
        before = self._heard.get(node)
        self._heard[node] = _Heard(facts, time.monotonic())
        if before is None or replace(before.facts, etcd=None) != replace(facts, etcd=None):
            self.changed.tell()

    async def _key(self, node: str) -> bytes | None:
        """Return a node's key; None where it has no place in a cluster whose secrets are known."""
        fleet = self._fleet()
        places = {one.name: one.layer for one in members_of(self._snapshot(), fleet)}
        layer = places.get(node)
        if layer is None or fleet.k3s(layer) is None:
            return None
        try:
            return task_key(await self._bundle(layer), node)
        except IluvatarError:  # told by whoever looks after the cluster
            return None
