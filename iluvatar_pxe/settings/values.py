"""Types of single settings; their errors say what to write instead."""

import re
from collections import Counter
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from iluvatar_pxe.settings.upstream import Upstream, parse_upstream

_GIT_URL = re.compile(r"(https?|ssh|git\+ssh|file)://|[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:(?!/{2})")
LAST_PORT = 65535
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_SECRET_IN_URL = re.compile(r"https?://[^/?#]*@|[a-z+]+://[^/@]*:[^/@]+@", re.IGNORECASE)
"""By HTTP, what stands alone before the ``@`` is a token too; by SSH it is the name of a user."""


def _no_truth(value: Any) -> Any:
    """Refuse true and false where a number belongs: Python would count them as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("input should be a whole number")  # noqa: TRY004 - pydantic's way to report
    return value


def _interface_name(value: str) -> str:
    if not 0 < len(value.encode()) <= 15 or not value.isprintable() or set(value) & set("/ "):
        raise ValueError("input should be an interface's name of 1 to 15 characters, or auto")
    return value


def _some(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("input should name an interface, or auto")
    return value


def _network(value: Any) -> Any:
    """Pydantic would take a number for an address, and false for 0.0.0.0."""
    if value == "local":
        return value
    try:
        return IPv4Network(value if isinstance(value, str | IPv4Network) else "")
    except ValueError:
        raise ValueError('input should be "local" or a network such as 192.168.1.0/24') from None


def _upstream(value: Any) -> Any:
    if value == "auto" or isinstance(value, Upstream):
        return value
    return parse_upstream(value if isinstance(value, str) else "")


def _one_or_more(value: Any) -> Any:
    """Take one resolver for a list of one."""
    resolvers = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not resolvers:
        raise ValueError("write at least one resolver such as 192.168.1.1")
    return tuple(
        one if isinstance(one, Upstream) else parse_upstream(one if isinstance(one, str) else "")
        for one in resolvers
    )


def _canonical(domain: str) -> str:
    return domain.removesuffix(".").lower()


def _forward_domain(value: str) -> str:
    domain = _canonical(value)
    if not _DOMAIN.fullmatch(domain):
        raise ValueError("the left side should be a domain such as fritz.box or 2.168.192.in-addr.arpa")
    return domain


def _forward(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError('write domains and their resolvers, such as {"fritz.box" = "192.168.178.1"}')  # noqa: TRY004 - pydantic's way to report
    counts = Counter(_canonical(domain) for domain in value if isinstance(domain, str))
    if twice := [domain for domain, times in counts.items() if times > 1]:
        raise ValueError(f"write {twice[0]} once, with a list of its resolvers")
    return value


def _no_nul(value: Any) -> Any:
    if "\0" in str(value):
        raise ValueError("a path must not contain NUL")
    return value


def is_git_url(source: str) -> bool:
    """Say whether a source names a repository elsewhere: a URL, or ssh's ``user@host:path``."""
    return _GIT_URL.match(source) is not None


def _no_secret(value: str) -> str:
    if _SECRET_IN_URL.match(value):
        raise ValueError("a URL must not contain a password or a token; put it into [fleet] token_file")
    return value


def _branch_name(value: str) -> str:
    """What ``git check-ref-format --branch`` takes, but for rare signs."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,99}", value) or re.search(
        r"\.\.|//|/\.|[./]$|\.lock(/|$)", value
    ):
        raise ValueError("input should be a branch's name such as main")
    return value


def _seconds(value: Any) -> float:
    found = re.fullmatch(r"(\d{1,6})(s|m|h)?", str(value))
    if not found or isinstance(value, bool) or not int(found[1]):
        raise ValueError('input should be a duration such as "30s" or "5m"')
    return float(found[1]) * {"m": 60, "h": 3600}.get(found[2], 1)


def _rate(value: Any) -> float | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,6}) ?(kB|MB)/s", str(value))
    if not found or not int(found[1]):
        raise ValueError('input should be a rate such as "500kB/s" or "2MB/s"')
    return int(found[1]) * {"kB": 1e3, "MB": 1e6}[found[2]]


def _peer(value: str) -> str:
    address, colon, port = value.partition(":")
    try:
        IPv4Address(address)
    except ValueError:
        address = ""
    is_port = re.fullmatch(r"[1-9]\d{0,4}", port, re.ASCII) and int(port) <= LAST_PORT
    if value != "auto" and (not address or (colon and not is_port)):
        raise ValueError('input should be "auto" or an address such as 192.168.1.11 or 192.168.1.11:8080')
    return value


Whole = Annotated[int, BeforeValidator(_no_truth)]
Port = Annotated[Whole, Field(ge=1, le=LAST_PORT)]
PortOrAny = Annotated[Whole, Field(ge=0, le=LAST_PORT)]
InterfaceName = Annotated[str, AfterValidator(_interface_name)]
Network = Annotated[IPv4Network | Literal["local"], BeforeValidator(_network)]
Forward = Annotated[
    Mapping[
        Annotated[str, AfterValidator(_forward_domain)],
        Annotated[tuple[Upstream, ...], BeforeValidator(_one_or_more)],
    ],
    BeforeValidator(_forward),
]
"""Resolvers by the domain that they are asked for."""
UpstreamOrAuto = Annotated[Upstream | Literal["auto"], BeforeValidator(_upstream)]
AnyPath = Annotated[Path, BeforeValidator(_no_nul)]
Interfaces = Annotated[tuple[InterfaceName, ...], AfterValidator(_some)]
Text = Annotated[str, AfterValidator(_no_nul)]
GitUrl = Annotated[str, AfterValidator(_no_nul), AfterValidator(_no_secret)]
BranchName = Annotated[str, AfterValidator(_branch_name)]
Seconds = Annotated[float, BeforeValidator(_seconds)]
Rate = Annotated[float | None, BeforeValidator(_rate)]
"""Bytes per second; None is without a limit."""
PeerOrAuto = Annotated[str, AfterValidator(_peer)]
