"""Forms that texts of a machine configuration must have, as the library of Talos reads them. Pure."""

import base64
import binascii
import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit


class Form(NamedTuple):
    """What a text must be."""

    holds: Callable[[str], bool]
    what: str
    example: str

    def __str__(self) -> str:
        """Return what is wrong with a text without this form, and what to do; it does not show the text."""
        return f"is not {self.what}; write it like {self.example}"


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_plain_address(text: str) -> bool:
    return "%" not in text and _is_address(text)


def _is_network(text: str) -> bool:
    """Say whether it is an address with its prefix length; unlike Python, Go takes no netmask there."""
    address, _, length = text.partition("/")
    if not _is_plain_address(address) or not re.fullmatch(r"0|[1-9][0-9]{0,2}", length):
        return False
    return int(length) <= ip_address(address).max_prefixlen


def _is_address_or_network(text: str) -> bool:
    return _is_network(text) if "/" in text else _is_plain_address(text)


def _is_filter(text: str) -> bool:
    subnet = text.removeprefix("!")
    return _is_network(subnet) or _is_address(subnet)


_HOST_PORT = re.compile(r"(?:([^:\[\]]*)|\[([^\[\]]*)\]):([^:\[\]]*)")


def _is_host_port(text: str) -> bool:
    return _HOST_PORT.fullmatch(text) is not None


def _is_address_port(text: str) -> bool:
    found = _HOST_PORT.fullmatch(text)
    return found is not None and _is_address(found[1] or found[2] or "") and is_port(found[3])


def is_port(text: str, first: int = 0) -> bool:
    """Say whether it is the number of a port, of ``first`` or more."""
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and first <= int(text) <= 65_535


def _parsed(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None


def port_of(url: SplitResult) -> str:
    """Return the port of a URL as it is written; empty without one."""
    return re.sub(r"^\[.*\]|^[^:]*", "", url.netloc.rpartition("@")[2]).removeprefix(":")


def _is_endpoint(text: str) -> bool:
    url = _parsed(text)
    return url is not None and bool(url.hostname) and (not port_of(url) or is_port(port_of(url), first=1))


def url(*schemes: str, has_host: bool = False, has_port: bool = False, has_path: bool = True) -> Form:
    """Return the form of a URL of some schemes, and of what it must have or must not."""

    def holds(text: str) -> bool:
        found = _parsed(text)
        if found is None or found.scheme not in schemes or (has_host and not found.hostname):
            return False
        return (not has_port or bool(port_of(found))) and (has_path or found.path in {"", "/"})

    what = " or ".join(f"{scheme}://" for scheme in schemes)
    parts = " with a port" * has_port + " without a path" * (not has_path)
    port = ":3334" if has_port else ""
    return Form(holds, f"a URL of {what}{parts}", f"{schemes[0]}://192.168.1.2{port}")


_DNS_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})*")
_NAME = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_DNS_NAME = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_-]{0,62}(?:\.[a-zA-Z0-9_][a-zA-Z0-9_-]{0,62})*[._]?")
_EFFECTS = frozenset(["NoSchedule", "PreferNoSchedule", "NoExecute"])


def _is_subdomain(text: str) -> bool:
    return len(text) <= 253 and _SUBDOMAIN.fullmatch(text) is not None


def is_qualified(text: str) -> bool:
    """Say whether it is what Kubernetes calls a qualified name: a name, below a domain or not."""
    prefix, slash, name = text.rpartition("/")
    if slash and not _is_subdomain(prefix):
        return False
    return len(name) <= 63 and _NAME.fullmatch(name) is not None


def is_label_value(text: str) -> bool:
    """Say whether it is a value that a label of Kubernetes may have."""
    return not text or (len(text) <= 63 and _NAME.fullmatch(text) is not None)


def _is_taint(text: str) -> bool:
    value, colon, effect = text.partition(":")
    return (effect if colon else value) in _EFFECTS and (not colon or is_label_value(value))


def _is_dns_name(text: str) -> bool:
    return len(text) - text.count(".") <= 255 and _DNS_NAME.fullmatch(text) is not None


def _is_ports(text: str) -> bool:
    first, _, last = text.partition("-")
    return is_port(first) and (not last or is_port(last)) and not text.endswith("-")


def _is_key_of_32_bytes(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == 32
    except binascii.Error:
        return False


def matches(form: str, what: str, example: str) -> Form:
    """Return the form of texts that match a regular expression."""
    return Form(lambda text: re.fullmatch(form, text) is not None, what, example)


ADDRESS = Form(_is_address, "an IP address", "192.168.1.5")
PLAIN_ADDRESS = Form(_is_plain_address, "an IP address", "192.168.1.5")
NETWORK = Form(_is_network, "an address with its prefix length", "192.168.1.0/24")
ADDRESS_OR_NETWORK = Form(
    _is_address_or_network, "an IP address, with its prefix length or without", "192.168.1.5/24"
)
FILTER = Form(_is_filter, "a subnet or an address, with ! before it or without", "192.168.1.0/24")
HOST_PORT = Form(_is_host_port, "a host and its port", "192.168.1.2:3333")
ADDRESS_PORT = Form(_is_address_port, "an IP address and its port", "192.168.1.2:51820")
ENDPOINT = Form(
    _is_endpoint, "a URL with a host and, if any, a port from 1 to 65535", "https://192.168.1.5:6443"
)
PORTS = Form(_is_ports, "a port or a range of ports", "80, or 8000-8010")
QUALIFIED = Form(
    is_qualified, "a name that Kubernetes takes for a label, annotation or taint", "example.org/name"
)
LABEL_VALUE = Form(is_label_value, "a value that Kubernetes takes for a label", "rack-1")
TAINT = Form(
    _is_taint, "an effect of a taint, with a value before it or without", "NoSchedule, or value:NoExecute"
)
SUBDOMAIN = Form(_is_subdomain, "a name of small letters, digits, hyphens and dots", "my-name")
DNS_NAME = Form(_is_dns_name, "a DNS name", "cluster.local")
WIREGUARD_KEY = Form(_is_key_of_32_bytes, "a key of 32 bytes in Base64", "what 'wg genkey' prints")
SECRET = Form(_is_key_of_32_bytes, "32 bytes in Base64", "what 'openssl rand -base64 32' prints")
SIZE = matches(r"-?[0-9][0-9.,]*\s*(?:[kmgtpeKMGTPE]?[iI]?[bB]?)", "a size", "100GB, or 20GiB")
SIZE_OR_SHARE = matches(
    r"-?[0-9][0-9.,]*\s*(?:[kmgtpeKMGTPE]?[iI]?[bB]?|%)", "a size or a percentage", "100GB, or 80%"
)
VARIABLE = matches(r"[a-zA-Z_][a-zA-Z0-9_]*", "a name of an environment variable", "HTTP_PROXY")
CERTIFICATE = matches(
    r"(?s).*-----BEGIN CERTIFICATE-----.*-----END CERTIFICATE-----.*",
    "a certificate as PEM text",
    "a block of lines that begins with -----BEGIN CERTIFICATE-----",
)
