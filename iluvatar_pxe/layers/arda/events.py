"""What a Talos machine reports to the event sink. Nothing in it says which machine it is: the sender's address does. Pure."""

from collections.abc import Callable
from ipaddress import IPv4Address

from msgspec import Struct

from iluvatar_pxe.layers.arda.api.model import UnmetCondition


class Sequence(Struct, frozen=True):
    """A sequence, such as ``boot``, begins (``start``), ends (``stop``), or has an error (``noop``).

    After an error that ``is_fatal`` the machine restarts; the others, a lock or a cancellation, are harmless.
    """

    name: str
    action: str
    error: str
    is_fatal: bool


class Phase(Struct, frozen=True):
    """A phase of a sequence begins or ends."""

    name: str
    begins: bool


class Task(Struct, frozen=True):
    """A task of a phase begins or ends."""

    name: str
    begins: bool


class ServiceState(Struct, frozen=True):
    """A service has another state: a word such as ``preparing``, ``running`` or ``failed``.

    ``is_healthy`` is None while nobody knows.
    """

    service: str
    state: str
    message: str
    is_healthy: bool | None


class ConfigurationFault(Struct, frozen=True):
    """A configuration could not be fetched, read or used, in the machine's words."""

    error: str


class Addresses(Struct, frozen=True):
    """The machine's name and addresses: when they change, and every ten minutes."""

    hostname: str
    addresses: tuple[str, ...]


class Stage(Struct, frozen=True):
    """How far the machine is: booting, installing, maintenance, running, rebooting, shutting down, resetting, upgrading.

    Running and ready is joined: that includes that Kubernetes has its node ready.
    """

    stage: str
    is_ready: bool
    unmet: tuple[UnmetCondition, ...]


class Restart(Struct, frozen=True):
    """The machine restarts now; ``how`` is restart, kexec, power off, or the number that the kernel gets."""

    how: str


class Unknown(Struct, frozen=True):
    """An event of a type that the daemon does not know, or which cannot be read."""

    type: str


Body = Sequence | Phase | Task | ServiceState | ConfigurationFault | Addresses | Stage | Restart | Unknown


class Event(Struct, frozen=True):
    """``id`` is in the order of time on one machine; ``actor`` is who has asked for what happens, if it was a call."""

    id: str
    actor: str
    body: Body


TakeEvent = Callable[[IPv4Address, Event], None]
"""Gets the sender's address, and what it reports."""
