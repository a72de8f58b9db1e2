"""Machine configurations as they may be shown: what is secret in them, or may be, is masked.

Talos has about 90 kinds of documents and every release adds some, so this goes by what keys are called and by what
values look like. It masks too much rather than too little.
"""

import base64
import io
import re

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.tag import Tag

MASK = "(masked)"
CERTIFICATE = "(certificate)"

_SECRET_KEY = re.compile(
    r"""
    .*(?: token | secret | passw | passphrase | pwd | credential | private | preshared | psk | cookie | hash ).*
    | (?: .*[a-z\d_-] )? (?<! public ) (?: key | salt | seed ) | keys
    | auth | authorization | .*headers? | contents? | manifests? | (?: string | binary | user )? data
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""By its key, what is a secret; those of the last line may hold one: request headers, files, manifests."""

_SECRET_TEXT = re.compile(
    r"""
    [a-z0-9]{6} \. [a-z0-9]{16}                                                 # a bootstrap or trustd token
    | (?! /(?:dev|etc|var)/ ) (?= .*\d ) (?= .*[A-Za-z] ) [A-Za-z0-9+/_=-]{24,}     # base64, hexadecimal digits
    | \$ [a-z0-9-]+ \$ .*                                               # a password's hash, as crypt(3) has it
    | eyJ [\w.-]+                                                       # a JSON web token
    | .* PRIVATE[ ]KEY .*
    """,
    re.VERBOSE,
)

_SECRET_PART = re.compile(
    r"""
    (?<= :// ) [^/@\s]+ (?= @ )                                                 # https://user:password@host
    | (?<= [?&] ) [^=&\s]* (?i: token | secret | key | pass | auth ) [^=&\s]* = [^&\s]+     # https://host?jointoken=…
    | (?i: token | secret | pass | pw | credential | auth | key | inline ) [\w-]* ["']? \s* [=:] \s*
      (?: (?i: bearer | basic ) \s+ )? [^\s&;,]+
    | (?= \S*\d ) (?= \S*[a-z] ) (?= \S*[A-Z] ) [A-Za-z0-9+=_-]{24,}            # base64
    """,
    re.VERBOSE,
)

_SECRET_ARGUMENT = re.compile(
    r"""
    ( :// ) [^/@\s]+ (?= @ )
    | ( (?: token | secret | pass | credential | auth | key | inline ) [\w-]* = ) [^\s&]+
    """,
    re.IGNORECASE | re.VERBOSE,
)

_CERTIFICATES = re.compile(r"(?:-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\s*)+")

_CORE = "tag:yaml.org,2002:"
_TEXT = f"{_CORE}str"
_ALWAYS_SHOWN = frozenset({f"{_CORE}bool", f"{_CORE}null"})
_SHOWN = _ALWAYS_SHOWN | {f"{_CORE}float", f"{_CORE}int", f"{_CORE}merge"}
_YAML_FAULTS = (
    *(YAMLError, RecursionError),
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, NotImplementedError),
)
"""The second line: what ruamel.yaml raises besides its own errors."""


def mask_secrets(text: str) -> str:
    """Return YAML documents without secrets and without comments; keys and structure stay.

    Of a text that is no YAML, or no mapping, only the size is told.
    """
    try:
        documents = list(_yaml().compose_all(text))
        seen: set[tuple[int, bool]] = set()
        for document in documents:
            if not isinstance(document, MappingNode):
                raise TypeError("a text or a list")
            _mask(document, seen, secret=False)
        written = io.StringIO()
        _yaml().serialize_all(documents, written)
    except _YAML_FAULTS:
        return f"(not shown: {len(text.encode())} bytes that are no YAML of keys and values)\n"
    return written.getvalue()


def mask_arguments(script: str) -> str:
    """Return an iPXE script without the secrets in its URLs and in the kernel's arguments."""
    return _SECRET_ARGUMENT.sub(lambda found: f"{found[1] or found[2]}{MASK}", script)


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.width = 1 << 20
    yaml.indent(mapping=4, sequence=6, offset=4)
    yaml.explicit_start = True
    return yaml


def _mask(node: Node, seen: set[tuple[int, bool]], *, secret: bool) -> None:
    """Mask a node in place; one that an alias repeats may contain itself."""
    if (id(node), secret) in seen:
        return
    seen.add((id(node), secret))
    if isinstance(node, ScalarNode):
        _mask_scalar(node, secret=secret)
    elif isinstance(node, SequenceNode):
        for item in node.value:
            _mask(item, seen, secret=secret)
    else:
        for key, value in node.value:
            _mask(value, seen, secret=secret or _is_secret_key(key))
            _mask(key, seen, secret=False)


def _is_secret_key(key: Node) -> bool:
    return isinstance(key, ScalarNode) and bool(_SECRET_KEY.fullmatch(key.value))


def _mask_scalar(node: ScalarNode, *, secret: bool) -> None:
    if not node.value or node.tag in _ALWAYS_SHOWN or (node.tag in _SHOWN and not secret):
        return
    shown = MASK if secret or node.tag != _TEXT else _shown(node.value)
    if shown != node.value:
        node.value, node.style, node.ctag = shown, None, Tag(suffix=_TEXT)


def _shown(text: str) -> str:
    if _CERTIFICATES.fullmatch(text) or _CERTIFICATES.fullmatch(_decoded(text)):
        return CERTIFICATE
    if "\n" in text.strip() or _SECRET_TEXT.fullmatch(text.strip()):
        return MASK
    return _SECRET_PART.sub(MASK, text)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""
