"""Whether an answer's end and its encoding can be relied on where no checksum tells (RFC 9112, 6.3 and 8). Pure."""

from collections.abc import Mapping

_PLAIN = {"", "identity"}
_PIN = "pin its sha256 in the catalogue, or use another address"


def encoding_fault(headers: Mapping[str, str]) -> str:
    """Return what is wrong if a body is compressed, which nobody asked for, or an empty text."""
    coded = _codings(headers, "Content-Encoding") - _PLAIN
    coded |= _codings(headers, "Transfer-Encoding") - {*_PLAIN, "chunked"}
    return f"sent it compressed (Content-Encoding), which was not asked for; {_PIN}" if coded else ""


def end_fault(headers: Mapping[str, str]) -> str:
    """Return what is wrong if a lost connection looks like the end of the body, or an empty text."""
    is_chunked = "chunked" in _codings(headers, "Transfer-Encoding")
    is_framed = is_chunked or "Content-Length" in headers
    return "" if is_framed else f"does not tell where it ends, so that it may be truncated; {_PIN}"


def _codings(headers: Mapping[str, str], name: str) -> set[str]:
    return {coding.strip().lower() for coding in headers.get(name, "").split(",")}
