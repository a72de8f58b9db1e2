"""Where a redirect may lead. Pure, but for who is asked whether an address is this host's."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import quote

from yarl import URL

from iluvatar_pxe.dns.rebinding import reached_by
from iluvatar_pxe.errors import DownloadError

Address = IPv4Address | IPv6Address
IsOwn = Callable[[Address], bool]

MOST_REDIRECTS = 10
_LONGEST_LOCATION = 8192
_SCHEMES = {"http", "https"}
_KEPT = "!#$%&'()*+,/:;=?@[]~"
"""The characters of addresses (RFC 3986, 2)."""
_ADVICE = "correct the address"


def parse_address(what: str, text: str) -> URL:
    """Return an address of a publisher; raises DownloadError unless it is one of HTTP."""
    url = _joined(None, text)
    if url is None or url.scheme not in _SCHEMES:
        raise DownloadError(f"{what}: its address is not one of http or https; {_ADVICE}")
    return url


def host_of(url: URL) -> str:
    """Return an address' host, and its port where that is unusual: what may be shown, for the rest may be secret."""
    return url.host_port_subcomponent or "nobody"


def shown(url: URL) -> str:
    """Return an address without credentials and query, which may be secret."""
    return str(url.with_user(None).with_query(None).with_fragment(None))


def next_address(what: str, route: Sequence[URL], location: str) -> URL:
    """Return where the last address of a route redirects to; raises DownloadError (one line) if it may not."""
    here = route[-1]
    if len(route) > MOST_REDIRECTS:
        raise _refusal(what, here, f"redirects more than {MOST_REDIRECTS} times")
    there = _joined(here, location[:_LONGEST_LOCATION])
    if there is None:
        raise _refusal(what, here, "redirects to what is no address of http or https")
    if there.scheme not in _SCHEMES:
        raise _refusal(what, here, f"redirects to an address of {there.scheme}")
    if (here.scheme, there.scheme) == ("https", "http"):
        raise _refusal(what, here, f"redirects from https to http at {host_of(there)}")
    if there in route:
        raise _refusal(what, here, "redirects in a circle")
    return there


def inside(what: str, host: str) -> DownloadError:
    """Return the refusal of a redirect to this host, or to what only this host can reach."""
    return DownloadError(f"{what}: is redirected to {host}, which is this host's own network; {_ADVICE}")


def is_inside(address: Address, is_own: IsOwn) -> bool:
    """Say whether an address leads to this host, or to what only its neighbours reach."""
    return any(_is_special(one) or is_own(one) for one in {address, reached_by(address)})


def _is_special(address: Address) -> bool:
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or (address.version == 4 and int(address) >> 24 == 0)  # this network: RFC 1122, 3.2.1.3
    )


def literal(host: str) -> Address | None:
    """Return the address that a host is written as; None for a name. ``localhost`` is loopback (RFC 6761, 6.3)."""
    if host.rstrip(".").lower().split(".")[-1] == "localhost":
        return IPv4Address("127.0.0.1")
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _joined(base: URL | None, text: str) -> URL | None:
    """Return an address that has a host, as it is written but for what no request may contain; None if it is none."""
    try:
        url = URL(quote(text, _KEPT, errors="surrogateescape"), encoded=True)
        url = (base.join(url) if base and text else url).with_fragment(None)
        (url.host or "").encode("idna")
    except ValueError:
        return None
    return url if url.host and url.port is not None else None


def _refusal(what: str, url: URL, fault: str) -> DownloadError:
    return DownloadError(f"{what}: {host_of(url)} {fault}; {_ADVICE}")
