"""How an attempt to deliver a message ended; also what the child process answers."""

from msgspec import Struct


class Outcome(Struct, frozen=True):
    """``fault`` is one line without secrets, empty where the service took the message."""

    fault: str = ""
    is_final: bool = False
    """Another attempt would fail in the same way."""
