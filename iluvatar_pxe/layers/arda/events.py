"""What a Talos machine reports to the event sink. Nothing in it says which machine it is: the sender's address does. Pure."""

from dataclasses import dataclass

from iluvatar_pxe.layers.arda.api.model import UnmetCondition


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence, such as ``boot``, begins (``start``), ends (``stop``), or has an error (``noop``).

    After an error that ``is_fatal`` the machine restarts; the others, a lock or a cancellation, are harmless.
    """

    name: str
    action: str
    error: str
    is_fatal: bool


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of a sequence begins or ends."""

    name: str
    begins: bool


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a phase begins or ends."""

    name: str
    begins: bool


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service has another state: a word such as ``preparing``, ``running`` or ``failed``.

    ``is_healthy`` is None while nobody knows.
    """

    service: str
    state: str
    message: str
    is_healthy: bool | None


@dataclass(frozen=True, slots=True)
class ConfigurationFault:
    """A configuration could not be fetched, read or used, in the machine's words."""

    error: str


@dataclass(frozen=True, slots=True)
class Addresses:
    """The machine's name and addresses: when they change, and every ten minutes."""

    hostname: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """How far the machine is: booting, installing, maintenance, running, rebooting, shutting down, resetting, upgrading.

    Running and ready is joined: that includes that Kubernetes has its node ready.
    """

    stage: str
    is_ready: bool
    unmet: tuple[UnmetCondition, ...]


@dataclass(frozen=True, slots=True)
class Restart:
    """The machine restarts now; ``how`` is restart, kexec, power off, or the number that the kernel gets."""

    how: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """An event of a type that the daemon does not know, or which cannot be read."""

    type: str


Body = Sequence | Phase | Task | ServiceState | ConfigurationFault | Addresses | Stage | Restart | Unknown


@dataclass(frozen=True, slots=True)
class Event:
    """``id`` is in the order of time on one machine; ``actor`` is who has asked for what happens, if it was a call."""

    id: str
    actor: str
    body: Body
