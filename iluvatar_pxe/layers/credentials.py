"""What a client of a cluster's API needs. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from iluvatar_pxe.layers.certificates import Validity

ADMINISTRATOR = "admin"
"""The name of the user in a kubeconfig, as Talos has it."""
MASTERS = "system:masters"
"""Kubernetes' group of those who may do everything."""
_SKEW = timedelta(seconds=10)
"""A certificate is valid so long before it is signed, because the clocks of two machines differ a little."""


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """The CA that a client trusts, its own certificate, and its key; PEM with the labels that the API's clients know."""

    ca: str
    crt: str
    key: str


def valid_for(lifetime: timedelta, now: datetime) -> Validity:
    """Return how long a client's certificate that is signed now is valid."""
    return Validity(now - _SKEW, now + lifetime)
