"""Image Factory's schematics: what is built into Talos, its canonical YAML, and the id that is computed of it.

The YAML is what the factory's own encoder writes (siderolabs/image-factory, pkg/schematic; go.yaml.in/yaml). What that
would write in another way than is known here is refused: a wrong id is a machine that never boots.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field

Scalar = str | int | bool
Value = Scalar | Sequence["Value"] | Mapping[str, "Value"]

EMPTY = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"
"""The id of the schematic without anything."""
_INDENT = "    "
_PRINTABLE = re.compile(r"[!-~]+")
_NO_TEXT = re.compile(
    r"[-+.]?\d[\w.:+-]*|~|<<|=|y|n|yes|no|on|off|true|false|null|[-+]?\.inf|\.nan", re.IGNORECASE | re.ASCII
)
"""Texts that YAML may read as something else: encoders differ in how they quote them."""
_QUOTED = re.compile(r"""[#,\[\]{}&*!|>'"%@`].*|[?:-]|---.*|\.\.\..*|.*:""")
"""Texts without spaces that YAML cannot hold unquoted."""


class Overlay(Struct, frozen=True, kw_only=True):
    """What a single-board computer needs in its disk image and installer. ``options`` are the overlay's own."""

    image: str
    name: str
    options: Mapping[str, Scalar] = field(default_factory=dict)


class Schematic(Struct, frozen=True, kw_only=True):
    """What the factory builds into Talos. The order of ``extensions`` and ``kernel_args`` counts for the id."""

    extensions: tuple[str, ...] = ()
    kernel_args: tuple[str, ...] = ()
    overlay: Overlay | None = None

    @property
    def text(self) -> str:
        """The canonical YAML; raises ValueError where that is not known."""
        customization: dict[str, Value] = {}
        if self.kernel_args:
            customization["extraKernelArgs"] = self.kernel_args
        if self.extensions:
            customization["systemExtensions"] = {"officialExtensions": self.extensions}
        return canonical({**_overlay(self.overlay), "customization": customization})

    @property
    def id(self) -> str:
        """Its id; raises ValueError where that cannot be computed."""
        return schematic_id(self.text)


def schematic_id(text: str) -> str:
    """Return the id of a schematic in canonical YAML."""
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(document: Mapping[str, Value]) -> str:
    """Return a schematic as the factory writes it, with its keys in the order given.

    Raises ValueError for a text of which that is not known.
    """
    return "".join(f"{line}\n" for line in _mapping(document))


def _overlay(overlay: Overlay | None) -> dict[str, Value]:
    if overlay is None:
        return {}
    options = {"options": dict(sorted(overlay.options.items()))} if overlay.options else {}
    return {"overlay": {"image": overlay.image, "name": overlay.name, **options}}


def _mapping(values: Mapping[str, Value]) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, str | int):
            yield f"{key}: {_scalar(value)}"
        elif not value:
            yield f"{key}: {{}}"
        else:
            yield f"{key}:"
            lines = _mapping(value) if isinstance(value, Mapping) else _items(value)
            yield from (f"{_INDENT}{line}" for line in lines)


def _items(values: Sequence[Value]) -> Iterator[str]:
    for value in values:
        if isinstance(value, Mapping):
            lines = list(_mapping(value))
            yield from (f"{'  ' if number else '- '}{line}" for number, line in enumerate(lines))
        elif isinstance(value, str | int):
            yield f"- {_scalar(value)}"


def _scalar(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if not _PRINTABLE.fullmatch(value):
        raise ValueError(f"{value[:40]!r} is empty, or not one line of printable ASCII without spaces")
    if _NO_TEXT.fullmatch(value):
        raise ValueError(f"{value[:40]!r} can be read as something else than a text")
    return "'{}'".format(value.replace("'", "''")) if _QUOTED.fullmatch(value) else value
