"""The ``power:`` part of a machine's file: what switches the machine on and off."""

from typing import Annotated, Literal, Self

from pydantic import Field, StrictInt, model_validator

from iluvatar_pxe.declared.base import Model
from iluvatar_pxe.declared.shapes import Shape
from iluvatar_pxe.fleet.fields.values import FleetPath

_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
_HOST = rf"(?:{_NAME}|\[[0-9A-Fa-f:.]+\])"
_PORT = r"(?::(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]))?"
_PATH = r"(?:[/?][\x21-\x7e]*)?"
_OCTET = r"[0-9A-Fa-f]{2}"

BmcUrl = Annotated[
    str,
    Shape(
        rf"https://{_HOST}{_PORT}/?",
        "write https:// and the BMC's name or address, such as https://192.168.1.40",
    ),
]
BmcHost = Annotated[
    str,
    Shape(rf"{_NAME}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", "write a name or an address such as 192.168.1.40"),
]
SystemPath = Annotated[
    str, Shape(r"/redfish/v1/Systems/[\x21-\x7e]+", "write a path such as /redfish/v1/Systems/1")
]
Fingerprint = Annotated[
    str,
    Shape(
        rf"{_OCTET}(?::{_OCTET}){{31}}|[0-9A-Fa-f]{{64}}",
        "write the certificate's SHA-256 fingerprint, as openssl x509 -fingerprint -sha256 prints it",
    ),
]
WebUrl = Annotated[
    str,
    Shape(
        rf"https?://{_HOST}{_PORT}{_PATH}",
        "write a URL such as http://192.168.1.50/relay/0?turn=on, without user and password",
    ),
]
ProgramName = Annotated[
    str,
    Shape(
        r"[A-Za-z0-9][A-Za-z0-9._-]*", "write the name of a program in this host's [power] commands directory"
    ),
]
Argument = Annotated[str, Shape(r"[^\0\r\n]{1,1000}", "write a text of one line")]
Words = Annotated[str, Field(min_length=1, max_length=200)]


class _Trusting(Model):
    fingerprint: Fingerprint | None = None
    """SHA-256 of its certificate, which is then believed whatever it says."""
    ca: FleetPath | None = None
    """A PEM file of the fleet with the CA that signed its certificate. Default: the CAs that everybody trusts."""

    @model_validator(mode="after")
    def _one_trust(self) -> Self:
        if self.fingerprint and self.ca:
            raise ValueError("write one of fingerprint and ca")
        return self


class Redfish(_Trusting):
    """The ``redfish:`` part: a BMC that speaks Redfish, always over TLS."""

    url: BmcUrl
    """Where it is."""
    credentials: FleetPath
    """A sealed file of the fleet with ``username`` and ``password``."""
    system: SystemPath | None = None
    """The machine, where the BMC has several."""


class Ipmi(Model):
    """The ``ipmi:`` part: a BMC that speaks IPMI 2.0 over the network (RMCP+)."""

    host: BmcHost
    """Where it is."""
    port: Annotated[StrictInt, Field(ge=1, le=65535)] = 623
    """UDP."""
    credentials: FleetPath
    """A sealed file of the fleet with ``username`` and ``password``."""
    cipher_suite: Literal[3, 17] | None = None
    """For a BMC that does not tell which ones it has, as older ones do not: 3 is what all of them have."""


class Program(Model):
    """The ``command:`` part: a program of this host's owner."""

    program: ProgramName
    """Its name in the directory that ``[power] commands`` of this host's settings names."""
    arguments: tuple[Argument, ...] = ()
    """What it gets after the action's name."""
    credentials: FleetPath | None = None
    """A sealed file of the fleet, which it gets as standard input."""


class Call(Model):
    """One HTTP request."""

    url: WebUrl
    """Where it goes; no redirect is followed."""
    method: Literal["GET", "POST", "PUT", "PATCH"] = "POST"
    """How it is asked."""
    body: Annotated[str, Field(max_length=4096)] | None = None
    """What is sent."""


class StatusCall(Call):
    """The request that tells whether the machine has power: by a text in the answer."""

    method: Literal["GET", "POST", "PUT", "PATCH"] = "GET"
    """How it is asked."""
    when_on: Words
    """In the answer if it has."""
    when_off: Words
    """In the answer if it has not."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.when_on in self.when_off or self.when_off in self.when_on:
            raise ValueError("whenOn and whenOff are in each other; write more of the answer")
        return self


class Webhook(_Trusting):
    """The ``webhook:`` part: HTTP requests to what switches the power, such as a smart plug or a PoE switch."""

    on: Call
    """Switches it on."""
    off: Call
    """Switches it off."""
    cycle: Call | None = None
    """Switches it off and on again. Default: ``off``, and ``on`` after ten seconds."""
    status: StatusCall | None = None
    """Tells whether it is on."""
    network: Call | None = None
    """Has the machine boot from the network next."""
    credentials: FleetPath | None = None
    """A sealed file of the fleet with headers that are sent, such as ``Authorization: Bearer …``."""


class Power(Model):
    """What switches one machine on and off: exactly one of its keys."""

    redfish: Redfish | None = None
    """A BMC that speaks Redfish."""
    ipmi: Ipmi | None = None
    """A BMC that speaks IPMI 2.0."""
    command: Program | None = None
    """A program of this host's owner."""
    webhook: Webhook | None = None
    """HTTP requests."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self._given) != 1:
            raise ValueError("write one of redfish, ipmi, command and webhook")
        return self

    @property
    def kind(self) -> str:
        """Which one it is, as it is written."""
        return self._given[0]

    @property
    def way(self) -> Redfish | Ipmi | Program | Webhook:
        """That one."""
        way: Redfish | Ipmi | Program | Webhook = getattr(self, self.kind)
        return way

    @property
    def sets_boot(self) -> bool:
        """Say whether it can have the machine boot from the network next; of a program that is not known."""
        return bool(self.redfish or self.ipmi or (self.webhook and self.webhook.network))

    @property
    def _given(self) -> list[str]:
        return [name for name in type(self).model_fields if getattr(self, name) is not None]
