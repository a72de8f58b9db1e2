"""Requests on the daemon's DNS server."""

from typing import Annotated

from pydantic import AfterValidator

from iluvatar_pxe.admin.requests.request import Request
from iluvatar_pxe.wire.dns.name import name_of
from iluvatar_pxe.wire.dns.records import type_of


def _name(text: str) -> str:
    name_of(text)
    return text


def _type(text: str) -> str:
    type_of(text)
    return text


DnsName = Annotated[str, AfterValidator(_name)]
DnsType = Annotated[str, AfterValidator(_type)]


class DnsQuery(Request):
    """``dns query``: returns the answer that a client gets for a name, and its source."""

    method = "GET"
    route = "/api/v1/dns/answer"
    name: DnsName
    type: DnsType


class DnsFlush(Request):
    """``dns flush``: flushes the cache of upstream answers."""

    route = "/api/v1/dns/flush"
