"""Files that the daemon writes into the fleet's repository, so that the repository alone can rebuild everything."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, StrictInt

from iluvatar_pxe.declared.base import Model
from iluvatar_pxe.declared.shapes import Shape
from iluvatar_pxe.fleet.fields.layer_names import LayerName
from iluvatar_pxe.fleet.fields.values import Address, HostName
from iluvatar_pxe.fleet.k3s import K3sVersion

LONGEST_WINDOW = 7 * 24 * 3600
"""Seconds for which the enrolment window may be opened at once."""
_NO_TIME = "write a time in UTC, such as 2026-11-29T13:30:00Z"


def _real_time(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(_NO_TIME) from error
    return text


UtcTime = Annotated[
    str,
    Shape(r"(?:19[789]|20\d)\d-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", _NO_TIME),
    AfterValidator(_real_time),
]
AgeKey = Annotated[str, Shape(r"age1[02-9ac-hj-np-z]{58}", "write an age public key, which begins with age1")]
Fingerprint = Annotated[
    str,
    Shape(
        r"[0-9A-F]{2}(:[0-9A-F]{2}){31}",
        "write a SHA-256 fingerprint: 32 bytes in upper-case hex with ':' between them",
    ),
]


class Seen(Model):
    """The ``seen:`` part of a machine's file: what was known of it when it joined. Nothing is decided by it."""

    arch: str | None = None
    manufacturer: str | None = None
    product: str | None = None
    board: str | None = None
    serial: str | None = None
    uuid: UUID | None = None
    address: Address | None = None
    rule: str | None = None
    """Which rule let it in, in words."""


class Recovery(Model):
    """The ``recovery:`` part of a k3s cluster's file: one server becomes the only member of etcd, and others join it."""

    server: HostName
    """The one, and no other."""
    at: UtcTime
    """When it was asked for; no two recoveries of a cluster have the same."""
    snapshot: UtcTime | None = None
    """When the snapshot was taken that it restores; None: it goes on with its own data."""
    reset: UtcTime | None = None
    """When it was proved that the server has become that; it is never told so again."""


class ClusterFile(Model):
    """``clusters/NAME.yaml``: a cluster that has its secrets, and gets no others while this file is there."""

    layer: LayerName
    """Whose machines make it up."""
    ca_fingerprint: Fingerprint
    """SHA-256 of the certificate of the CA of its machines' API."""
    generation: Annotated[StrictInt, Field(ge=1)] = 1
    """How many times it was founded anew, counted from 1."""
    founder: HostName | None = None
    """The machine that is asked to found it, and no other; None while none is chosen."""
    founded: UtcTime | None = None
    """When it was proved that it is founded; None before. Then it is never founded again by itself."""
    recovery: Recovery | None = None
    """It is being recovered, until all of its servers are members again."""
    version: K3sVersion | None = None
    """Of k3s that its nodes run, or are upgraded to, whatever its layer's file says; None before it is founded."""
    upgrade: Annotated[StrictInt, Field(ge=1)] | None = None
    """How many times an upgrade was asked for; None: never."""


class RecipientsFile(Model):
    """``recipients.yaml``: the public age keys that secrets in this repository are sealed to."""

    recovery: AgeKey | None = None
    """The owner's, whose secret half is on paper."""
    daemons: Mapping[HostName, AgeKey] = Field(default_factory=dict)
    """By host name, each daemon's own."""

    @property
    def keys(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(dict.fromkeys([*([self.recovery] if self.recovery else []), *self.daemons.values()]))


class EnrolmentFile(Model):
    """``enrolment.yaml``: when the enrolment window was last opened or closed, for every daemon of the fleet."""

    at: UtcTime
    """When that was, by the clock of the daemon that committed it."""
    seconds: Annotated[StrictInt, Field(ge=0, le=LONGEST_WINDOW)]
    """For how long it is open since then; 0 closes it."""
    by: str
    """Who did it, and on which host."""

    @property
    def moment(self) -> datetime:
        """When it was opened or closed."""
        return datetime.fromisoformat(self.at)

    @property
    def words(self) -> str:
        """Who did it and when. No two in one branch are the same."""
        return f"{self.by} at {self.moment:%Y-%m-%d %H:%M:%S} UTC"
