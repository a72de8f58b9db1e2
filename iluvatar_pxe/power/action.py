"""What is done to a machine's power. Pure."""

from enum import StrEnum

from iluvatar_pxe.printable import printable

MOST_WORDS = 200
"""Characters of what a BMC or a program says that are repeated."""


class Action(StrEnum):
    """One thing that can be done."""

    ON = "on"
    OFF = "off"
    """At once, as if the plug were pulled."""
    CYCLE = "cycle"
    """Off and on again; on, where it is off."""
    STATUS = "status"
    NETWORK = "network"
    """Its next boot, and no other, is from the network."""


def one_line(text: str, *secrets: str) -> str:
    """Return what somebody else says as one short line, with every secret in it masked."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return printable(" ".join(text.split()))[:MOST_WORDS].rstrip(". ")
