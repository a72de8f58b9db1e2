"""When a message goes out, and when it is tried again. Pure; seconds."""

from msgspec import Struct


class Pace(Struct, frozen=True):
    """What comes together is one message, and a service that fails is left alone for longer each time."""

    calm: float = 3.0
    """A message waits until nothing has come for so long."""
    longest: float = 30.0
    """But no longer than this."""
    between: float = 60.0
    """From one message to the next to the same recipient; twice as long each time while there is always more to tell."""
    rarest: float = 900.0
    """But no longer than this."""
    keeping: float = 10.0
    """Between two writes of what was told: anybody can invent machines, and memory cards wear out."""
    retries: tuple[float, ...] = (10.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)
    """From each failed attempt to the next; after these, the message is given up."""


PACE = Pace()
