"""Why a machine waits in the provisioning system."""

from msgspec import Struct


class Held(Struct, frozen=True):
    """Why nothing is done, and what to do, in words."""

    reason: str
    remedy: str
