"""Why a machine waits in the provisioning system."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Held:
    """Why nothing is done, and what to do, in words."""

    reason: str
    remedy: str
