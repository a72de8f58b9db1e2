"""What goes wrong in a call of Talos' API, as one error of ours in words."""

import ssl

from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from iluvatar_pxe.errors import (
    TalosAnswerError,
    TalosDeniedError,
    TalosError,
    TalosExistsError,
    TalosFailedError,
    TalosIdentityError,
    TalosNotFoundError,
    TalosNotReadyError,
    TalosRebootError,
    TalosRefusedError,
    TalosUnreachableError,
    TalosUnsupportedError,
)
from iluvatar_pxe.layers.one_line import one_line

_NEEDS_REBOOT = "in immediate mode"

_MEANING: dict[Status, tuple[type[TalosError], str]] = {
    Status.ALREADY_EXISTS: (TalosExistsError, "it is done already"),
    Status.CANCELLED: (TalosUnreachableError, "it is tried again"),
    Status.DEADLINE_EXCEEDED: (TalosUnreachableError, "it is tried again"),
    Status.FAILED_PRECONDITION: (TalosNotReadyError, "it is tried again"),
    Status.INVALID_ARGUMENT: (TalosRefusedError, "correct what is sent"),
    Status.NOT_FOUND: (TalosNotFoundError, "look at what the machine lists"),
    Status.OUT_OF_RANGE: (TalosRefusedError, "correct what is sent"),
    Status.PERMISSION_DENIED: (
        TalosDeniedError,
        "use credentials with the role for it; maintenance mode allows little",
    ),
    Status.RESOURCE_EXHAUSTED: (TalosAnswerError, "look at the machine with talosctl"),
    Status.UNAUTHENTICATED: (TalosDeniedError, "use this cluster's credentials"),
    Status.UNAVAILABLE: (TalosUnreachableError, "it is tried again"),
    Status.UNIMPLEMENTED: (
        TalosUnsupportedError,
        "ask a control plane of Talos 1.13 or newer that has its configuration",
    ),
}
_OTHERWISE = (TalosFailedError, "it is tried again")


def of_status(label: str, call: str, error: GRPCError) -> TalosError:
    """Return what a status means that is not OK."""
    text = error.message or ""
    if _NEEDS_REBOOT in text:  # a diff of both configurations follows
        return TalosRebootError(
            f"{label}: {call}: the change needs a reboot; stage it, and reboot the machine"
        )
    kind, remedy = _MEANING.get(error.status, _OTHERWISE)
    return kind(f"{label}: {call}: {one_line(text) or error.status.name}; {remedy}")


def of_metadata(label: str, call: str, text: str) -> TalosError:
    """Return what a failure means that is inside a successful answer."""
    return TalosFailedError(f"{label}: {call}: {one_line(text)}; {_OTHERWISE[1]}")


def of_connection(
    label: str, call: str, error: StreamTerminatedError, reason: BaseException | None
) -> TalosError:
    """Return why a connection was lost: with TLS 1.3, a server refuses a certificate only after the handshake."""
    if isinstance(reason, ssl.SSLError) and "ALERT" in (reason.reason or ""):
        words = (reason.reason or "").lower().replace("_", " ")
        return TalosIdentityError(
            f"{label}: does not accept the daemon's certificate ({words}); "
            "compare its cluster and its clock with the daemon's"
        )
    return TalosUnreachableError(f"{label}: {call}: {error}; the machine restarts, or renews its certificate")


def of_silence(label: str, call: str, seconds: float) -> TalosError:
    """Return what it means that nothing came for so long."""
    return TalosUnreachableError(f"{label}: {call}: no answer for {seconds:.0f} s; it is tried again")


def of_answer(label: str, call: str, why: str) -> TalosError:
    """Return what an answer means that cannot be used."""
    return TalosAnswerError(f"{label}: {call}: {why}; look at the machine with talosctl")
