"""The ``notifications:`` part of ``fleet.yaml``: who is told what, by which service."""

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema, model_validator

from iluvatar_pxe.declared.base import Model
from iluvatar_pxe.declared.shapes import Shape
from iluvatar_pxe.fleet.fields.notification_services import SERVICES
from iluvatar_pxe.fleet.fields.values import FleetPath
from iluvatar_pxe.suggest import meant_by

MOST_RECIPIENTS = 16
_PATTERN = r"[a-z0-9]+://[!-~]{1,2000}"
_ADDRESS = re.compile(_PATTERN)
_NO_ADDRESS = "write an address of apprise, such as ntfys://ntfy.sh/TOPIC; see docs/notifications.md"
_OPEN = frozenset({"ntfy", "ntfys", "json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos"})
"""Services whose addresses may do without a token or password."""
_END_OF_HOST = re.compile("[/?]")
_TOKEN_AS_USER = frozenset({"ntfy", "ntfys"})
"""Services that take a token in the user's place."""
_SECRET_KEYS = re.compile(
    r"[?&][+-]?(?:[\w-]*[_-])?(?:pass|pwd|password|token|key|secret|authorization)=", re.IGNORECASE
)


class NewsKind(StrEnum):
    """What somebody may be told of."""

    NEW_MACHINE = "new-machine"
    """A machine that no file lists asked what to boot, for the first time."""
    JOINED = "joined"
    """A machine is a member of its cluster."""
    FAILED = "failed"
    """A machine's operating system reports a fault."""
    HELD = "held"
    """A machine of the fleet waits until somebody does something."""
    BOOT_LOOP = "boot-loop"
    """A machine was held after too many boots without progress."""
    DHCP_SERVER = "dhcp-server"
    """Another DHCP server answers boot requests or gives addresses."""
    PUSH_REFUSED = "push-refused"
    """A push was refused, or a commit is not applied."""


def address_fault(address: str) -> str | None:
    """Return what is wrong with an address, and what to do, or None. The address itself is not in it."""
    if not _ADDRESS.fullmatch(address):
        return _NO_ADDRESS
    service = address.partition("://")[0]
    if service in SERVICES:
        return None
    meant = meant_by(service, SERVICES)
    hint = f"; did you mean {meant}?" if meant else "; see docs/notifications.md"
    return f"no such service of apprise: {service[:20]}{hint}"


def has_secret(address: str) -> bool:
    """Say whether an address holds a token or password, as far as that can be told."""
    service, _, rest = address.partition("://")
    user, at, _ = _END_OF_HOST.split(rest, maxsplit=1)[0].rpartition("@")
    is_login = bool(at) and (":" in user or service in _TOKEN_AS_USER)
    return service not in _OPEN or is_login or bool(_SECRET_KEYS.search(rest))


def _checked(address: SecretStr) -> SecretStr:
    if fault := address_fault(address.get_secret_value()):
        raise ValueError(fault)
    return address


Address = Annotated[
    SecretStr,
    AfterValidator(_checked),
    WithJsonSchema({"type": "string", "pattern": f"^(?:{_PATTERN})$", "patternErrorMessage": _NO_ADDRESS}),
]
RecipientName = Annotated[
    str,
    Shape(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", "write up to 40 of a-z, 0-9 and '-', such as phone"),
]


class Recipient(Model):
    """Who is told, and of what."""

    address: Address | None = None
    """An address of apprise without a password or token, such as ``ntfys://ntfy.sh/TOPIC``."""
    address_file: FleetPath | None = None
    """A sealed file of the fleet with such an address in its only line."""
    about: Annotated[tuple[NewsKind, ...], Field(min_length=1)] = tuple(NewsKind)
    """What is told; without it, everything."""

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.address is None) == (self.address_file is None):
            raise ValueError("needs either 'address' or 'addressFile', a sealed file of the fleet")
        return self
