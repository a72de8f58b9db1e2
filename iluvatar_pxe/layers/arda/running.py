"""What a machine's configuration tells of the daemon that made it, and what only that one knew. Pure."""

from collections.abc import Collection, Iterable
from ipaddress import AddressValueError, IPv4Address
from typing import Any
from urllib.parse import urlsplit

from iluvatar_pxe.layers.arda.configuration.cel import mac_of
from iluvatar_pxe.layers.arda.documents import Document
from iluvatar_pxe.machines.states import Role


def responsible(documents: Iterable[Document], daemons: Collection[IPv4Address]) -> IPv4Address:
    """Return which of a fleet's daemons changes a machine: the one that it reports to.

    If none of them has that address any more, it is the one with the lowest address.
    """
    found = {_address(each) for one in documents for each in _reports(one)}
    return min([one for one in daemons if one in found] or daemons)


def links(documents: Iterable[Document], known: Iterable[str]) -> tuple[str, ...]:
    """Return the MACs of a machine's links in the order that it has them, and those that only the daemon knows.

    None is left out: another daemon may know it. Those that are not known here come last.
    """
    named = (one for one in documents if one.get("kind") == "LinkAliasConfig")
    there = [mac for one in named if (mac := mac_of(str((one.get("selector") or {}).get("match", ""))))]
    told = list(known)
    return tuple(dict.fromkeys((*(one for one in there if one in told), *told, *there)))


def role_in(documents: Iterable[Document]) -> Role:
    """Return the role that a machine is installed with."""
    machine: Any = next((one.get("machine") for one in documents if "kind" not in one), None) or {}
    return Role.CONTROLPLANE if machine.get("type") == Role.CONTROLPLANE else Role.WORKER


def _reports(document: Document) -> tuple[str, ...]:
    """Return the hosts that a machine sends its events or its kernel's log to."""
    match document.get("kind"):
        case "EventSinkConfig":
            return (str(document.get("endpoint", "")).rpartition(":")[0],)
        case "KmsgLogConfig":
            return (urlsplit(str(document.get("url", ""))).hostname or "",)
    return ()


def _address(host: str) -> IPv4Address | None:
    try:
        return IPv4Address(host)
    except AddressValueError:
        return None
