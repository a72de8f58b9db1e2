"""Every change that may be asked for, as a value: sent to the daemon as JSON, or carried out on the spot."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from iluvatar_pxe.admin.edits import Wanted
from iluvatar_pxe.admin.operations import CommandResult, Operations
from iluvatar_pxe.fleet.fields.names import is_host_name
from iluvatar_pxe.machines.fingerprint import plain_text
from iluvatar_pxe.machines.states import Intent, LayerName, Phase, Role
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.records import type_of
from iluvatar_pxe.wire.mac import parse_mac

LONGEST_WINDOW = 7 * 24 * 3600
"""Seconds for which the enrolment window may be opened at once."""


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("write the whole path, from / on")
    return path


def _host_name(text: str) -> str:
    if not is_host_name(text):
        raise ValueError("no host name; use a-z, 0-9 and '-'")
    return text


def _without_command(intent: Intent) -> Intent:
    if intent in {Intent.HOLD, Intent.REINSTALL}:
        raise ValueError(f"there is a command for that: iluvatar-pxe machines {intent}")
    return intent


def _dns_name(text: str) -> str:
    name_of(text)
    return text


def _dns_type(text: str) -> str:
    type_of(text)
    return text


Designation = Annotated[str, Field(min_length=1, max_length=100)]
"""A machine's name, MAC or id."""
HostName = Annotated[str, AfterValidator(_host_name)]
PlainIntent = Annotated[Intent, AfterValidator(_without_command)]
Mac = Annotated[str, AfterValidator(parse_mac)]
DnsName = Annotated[str, AfterValidator(_dns_name)]
DnsType = Annotated[str, AfterValidator(_dns_type)]
Words = Annotated[str, BeforeValidator(lambda value: plain_text(value) if isinstance(value, str) else value)]
File = Annotated[Path, AfterValidator(_absolute)]


class Request(BaseModel, ABC):
    """``method`` and ``route`` are HTTP's; the fields that ``route`` does not name are the JSON body's."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    method: ClassVar[str] = "POST"
    route: ClassVar[str]

    @abstractmethod
    async def carry_out(self, operations: Operations, by: str) -> CommandResult:
        """Do it; raises OperationError or InventoryError."""


def request_of(kind: type[Request], fields: Mapping[str, Any]) -> Request:
    """Return the request with these fields; raises ValueError, one line that names the first faulty field."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise ValueError(f"{key}: {fault['msg'].removeprefix('Value error, ')}") from error


class _OfMachine(Request):
    machine: Designation


class SetPlace(_OfMachine):
    """``machines set``."""

    route = "/api/v1/machines/{machine}/set"
    name: HostName | None = None
    layer: LayerName | None = None
    role: Role | None = None
    phase: Phase | None = None
    intent: PlainIntent | None = None

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:
        wanted = Wanted(name=self.name, layer=self.layer, role=self.role)
        return await operations.set(self.machine, by, wanted, self.phase, self.intent)


class Hold(_OfMachine):
    """``machines hold``."""

    route = "/api/v1/machines/{machine}/hold"
    why: Words = ""

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:
        return await operations.hold(self.machine, by, self.why)


class Release(_OfMachine):
    """``machines release``."""

    route = "/api/v1/machines/{machine}/release"

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:
        return await operations.release(self.machine, by)


class Reinstall(_OfMachine):
    """``machines reinstall``."""

    route = "/api/v1/machines/{machine}/reinstall"

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:
        return await operations.reinstall(self.machine, by)


class Forget(_OfMachine):
    """``machines forget``."""

    route = "/api/v1/machines/{machine}/forget"

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:
        return await operations.forget(self.machine, by)


class Merge(_OfMachine):
    """``machines merge``."""

    route = "/api/v1/machines/{machine}/merge"
    other: Designation

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:
        return await operations.merge(self.machine, self.other, by)


class Split(_OfMachine):
    """``machines split``."""

    route = "/api/v1/machines/{machine}/split"
    mac: Mac

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:
        return await operations.split(self.machine, self.mac, by)


class ShowEnrolment(Request):
    """``enrol status``."""

    method = "GET"
    route = "/api/v1/enrolment"

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:  # noqa: ARG002
        return operations.enrolment()


class ShowHealth(Request):
    """``check``."""

    method = "GET"
    route = "/api/v1/health"

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:  # noqa: ARG002
        return operations.health()


class DnsQuery(Request):
    """``dns query``."""

    method = "GET"
    route = "/api/v1/dns/answer"
    name: DnsName
    type: DnsType

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:  # noqa: ARG002
        return await operations.dns_query(name_of(self.name), type_of(self.type))


class DnsFlush(Request):
    """``dns flush``."""

    route = "/api/v1/dns/flush"

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:  # noqa: ARG002
        return operations.dns_flush()


class OpenWindow(Request):
    """``enrol open``."""

    method = "PUT"
    route = "/api/v1/enrolment"
    seconds: Annotated[int, Field(ge=1, le=LONGEST_WINDOW)]

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:
        return await operations.open_window(self.seconds, by)


class CloseWindow(Request):
    """``enrol close``."""

    method = "DELETE"
    route = "/api/v1/enrolment"

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:
        return await operations.close_window(by)


class Upgrade(Request):
    """``db upgrade``."""

    route = "/api/v1/db/upgrade"

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:  # noqa: ARG002
        return operations.upgrade()


class Backup(Request):
    """``db backup``."""

    route = "/api/v1/db/backup"
    file: File

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:  # noqa: ARG002
        return await operations.backup(self.file)


class Restore(Request):
    """``db restore``."""

    route = "/api/v1/db/restore"
    file: File

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:  # noqa: ARG002
        return await operations.restore(self.file)


class SetAside(Request):
    """``db set-aside``."""

    route = "/api/v1/db/set-aside"

    async def carry_out(self, operations: Operations, by: str) -> CommandResult:  # noqa: ARG002
        return await operations.set_aside()


REQUESTS: tuple[type[Request], ...] = (
    *(SetPlace, Hold, Release, Reinstall, Forget, Merge, Split),
    *(ShowHealth, ShowEnrolment, OpenWindow, CloseWindow),
    *(Upgrade, Backup, Restore, SetAside),
    *(DnsQuery, DnsFlush),
)
