"""iPXE's settings: ``${netX/mac}``, ``${serial:uristring}``, and what ``set`` makes (ipxe.org/cfg)."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from urllib.parse import quote
from uuid import UUID

_INNERMOST = re.compile(r"\$\{((?:(?!\$\{)[^}])*)\}")
LONGEST_LINE = 4096
"""Characters of an expanded command. iPXE's bound is its heap; of a command line, Linux for PCs takes 2,048."""
MOST_EXPANSIONS = 1000
"""In one word; a setting that names itself would be expanded for ever."""
_URI_SAFE = "-._~!$&'()*+,;=:@/"


def _integer(value: bytes) -> str:
    return str(int.from_bytes(value, signed=True)) if len(value) <= 4 else ""


def _unsigned(value: bytes) -> str:
    return str(int.from_bytes(value)) if len(value) <= 4 else ""


def _string(value: bytes) -> str:
    return value.partition(b"\0")[0].decode("utf-8", "replace")


def _uristring(value: bytes) -> str:
    return quote(_string(value), safe=_URI_SAFE.replace("&", "").replace("+", "").replace("=", ""))


def _uuid(value: bytes) -> str:
    return str(UUID(bytes=value)) if len(value) == 16 else ""


def _ipv4(value: bytes) -> str:
    return ".".join(map(str, value)) if len(value) == 4 else ""


FORMATS: Mapping[str, Callable[[bytes], str]] = MappingProxyType(
    {
        "string": _string,
        "uristring": _uristring,
        "hex": lambda value: value.hex(":") if value else "",
        "hexhyp": lambda value: value.hex("-") if value else "",
        "hexraw": lambda value: value.hex(),
        "uuid": _uuid,
        "ipv4": _ipv4,
        "uint8": _unsigned,
        "uint16": _unsigned,
        "uint32": _unsigned,
        "int8": _integer,
        "int16": _integer,
        "int32": _integer,
    }
)
"""By type, how octets are shown."""

_WIDTHS = {"8": 1, "16": 2, "32": 4}


def stored(text: str, kind: str) -> bytes:
    """Return the octets that a text of this type is kept as; raises ValueError."""
    if kind in {"string", "uristring"}:
        return text.encode()
    if kind.startswith("hex"):
        return bytes.fromhex(re.sub("[:-]", " ", text))
    if kind == "ipv4":
        return bytes(int(part) for part in text.split("."))
    if kind == "uuid":
        return UUID(text).bytes
    width = _WIDTHS[kind.lstrip("uint")]
    return (int(text, 0) & ((1 << 8 * width) - 1)).to_bytes(width)


class Settings:
    """Named octets with a type, in which they are shown unless another is asked for."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[bytes, str]] = {}

    def put(self, name: str, value: bytes, kind: str = "string") -> None:
        """Keep a setting by its plain name, such as ``net0/mac``."""
        self._values[_canonical(name)] = (value, kind)

    def set(self, name: str, text: str, default: str = "string") -> None:
        """Do as ``set NAME[:TYPE] TEXT`` does; raises ValueError for a type or text that iPXE does not know."""
        plain, kind = _split(name)
        kind = kind or default
        if kind not in FORMATS:
            raise ValueError(f"no setting type {kind}")
        self.put(plain, stored(text, kind), kind)

    def clear(self, name: str) -> None:
        """Forget a setting."""
        self._values.pop(_canonical(_split(name)[0]), None)

    def show(self, name: str) -> str:
        """Return a setting as text; empty when there is none, or no such type."""
        plain, asked = _split(name)
        value, kind = self._values.get(_canonical(plain), (b"", "string"))
        shown = FORMATS.get(asked or kind)
        return shown(value) if shown else ""

    def number(self, name: str) -> int:
        """Return a setting as a signed number, 0 when there is none."""
        value, _ = self._values.get(_canonical(_split(name)[0]), (b"", ""))
        return int.from_bytes(value, signed=True) if len(value) <= 4 else 0

    def expand(self, words: Sequence[str]) -> list[str]:
        """Replace every ``${…}``, innermost first, until none is left; raises ValueError if that is too much."""
        expanded: list[str] = []
        left = LONGEST_LINE
        for word in words:
            expanded.append(self._expand(word, left))
            left -= len(expanded[-1]) + 1
        return expanded

    def _expand(self, word: str, longest: int) -> str:
        for _ in range(MOST_EXPANSIONS):
            if len(word) > longest:
                raise ValueError(f"a command is longer than {LONGEST_LINE} characters")
            found = _INNERMOST.search(word)
            if not found:
                return word
            word = word[: found.start()] + self.show(found[1]) + word[found.end() :]
        raise ValueError("a setting contains itself")


def _split(name: str) -> tuple[str, str]:
    plain, _, kind = name.partition(":")
    return plain, kind


def _canonical(name: str) -> str:
    """``netX`` is the card that was used last: the only one; a bare name of a card's setting is that card's."""
    plain = name.replace("netX/", "net0/")
    return f"net0/{plain}" if plain in {"mac", "ip", "next-server", "filename"} else plain
