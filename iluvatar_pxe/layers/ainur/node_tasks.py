"""What a node of a k3s cluster asks a daemon every minute, and what it is told to do. Pure.

Both sides prove that they know a key that is the node's own: HMAC-SHA256 (RFC 2104) over the request, and over its nonce
and the answer. Nothing in them is secret. A request that somebody repeats tells how the node was before, so what counts is
compared with what Kubernetes has of it.
"""

import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.layers.ainur.bundle import K3sBundle

LARGEST = 16 << 10
"""Bytes of a request."""
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
_NEWLINE = b"\n"
_NAME = re.compile(r"[a-z0-9-]{1,63}")
_NO_QUESTION = "that is no question of a node"
_NONCE = re.compile(r"[0-9a-f]{32}")


class Kind(StrEnum):
    """What a node can be told to do."""

    UPGRADE = "upgrade"
    """It downloads the files of another version of k3s, and restarts k3s with them."""
    RESTART = "restart"
    """It restarts k3s; containers go on."""
    REBOOT = "reboot"
    """The machine restarts."""
    RESET = "reset"
    """It becomes the only member of etcd, with the data that it has."""
    FORGET_ETCD = "forget-etcd"
    """It moves its data of etcd aside, so that it joins again."""


class State(StrEnum):
    """How far a node is with a task."""

    WAITS = "waits"
    """It cannot begin yet, and tries again."""
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"


class Task(Struct, frozen=True):
    """What a node is to do. It does a task once: one with the same ``id`` is the same task."""

    id: str
    kind: Kind
    details: Mapping[str, Any] = field(default_factory=dict)
    """By name, what it needs for that: plain data."""


class Told(Struct, frozen=True):
    """How far a node is with the task that it was given last; ``why`` is one line."""

    id: str
    state: State
    why: str = ""
    at: datetime | None = None
    """Since when, by the node's clock."""


class Facts(Struct, frozen=True, kw_only=True):
    """How a node says that it is."""

    version: str
    """Of k3s, whose files it keeps to."""
    boot: str
    """Another one after each restart of the machine, as in its Node."""
    etcd: datetime | None = None
    """When its etcd wrote last; None where it has no data of one."""
    reboot_required: bool = False
    """Its operating system has updates that need a restart."""
    ends: datetime | None = None
    """When the first of k3s' certificates ends; None where that is not known."""
    task: Told | None = None


class Question(Struct, frozen=True):
    """What a node asks; who it is, is only proved by the code."""

    node: str
    nonce: str
    facts: Facts


def task_key(bundle: K3sBundle, node: str) -> bytes:
    """Return the key that only this node and the daemons know: 32 bytes."""
    told = f"tasks of {node}".encode()
    return hmac.digest(bundle.server_token.encode(), told, "sha256")


def request_code(key: bytes, body: bytes) -> str:
    """Return the ``Authorization`` of a request."""
    return _code(key, b"request", body)


def content_code(key: bytes, body: bytes) -> str:
    """Return the ``Authorization`` of a request for what a task needs; nobody has seen it where there was no TLS."""
    return _code(key, b"content", body)


def answer_code(key: bytes, nonce: str, body: bytes) -> str:
    """Return the ``Authentication-Info`` of the answer to the request with this nonce."""
    return _code(key, f"answer {nonce}".encode(), body)


def is_code(shown: str, code: str) -> bool:
    """Compare two codes in constant time."""
    return hmac.compare_digest(shown.encode(errors="surrogateescape"), code.encode())


def read_question(body: bytes) -> Question:
    """Return what a node asks; raises WireError."""
    try:
        told = json.loads(body)
        question = Question(str(told["node"]), str(told["nonce"]), _facts(told["facts"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WireError(_NO_QUESTION) from error
    if not _NAME.fullmatch(question.node) or not _NONCE.fullmatch(question.nonce):
        raise WireError(_NO_QUESTION)
    return question


def read_content_request(body: bytes) -> str:
    """Return which node asks for what its task needs; raises WireError."""
    try:
        node = str(json.loads(body)["node"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WireError(_NO_QUESTION) from error
    if not _NAME.fullmatch(node):
        raise WireError(_NO_QUESTION)
    return node


def write_answer(task: Task | None) -> bytes:
    """Return what a node is told; None: there is nothing to do."""
    told = {**task.details, "id": task.id, "kind": task.kind} if task else None
    return json.dumps({"task": told}).encode()


def _code(key: bytes, what: bytes, body: bytes) -> str:
    return f"HMAC-SHA256 {hmac.digest(key, what + _NEWLINE + body, 'sha256').hex()}"


def _facts(told: Mapping[str, Any]) -> Facts:
    task = told["task"]
    return Facts(
        version=_text(told["version"]),
        boot=_text(told["boot"]),
        etcd=_moment(told["etcd"]),
        reboot_required=bool(told["reboot_required"]),
        ends=_moment(told["ends"]),
        task=None
        if task is None
        else Told(_text(task["id"]), State(task["state"]), _text(task["why"]), _moment(task["at"])),
    )


def _text(value: object) -> str:
    """Return a text as one line."""
    return " ".join(str(value).split())[:500]


def _moment(value: float | None) -> datetime | None:
    if value is None:
        return None
    if not 0 <= value < _LATEST:
        raise ValueError(value)
    return datetime.fromtimestamp(value, UTC)
