"""Finds secrets that a file of the fleet holds in clear. Pure.

It warns those who forget to seal, and proves nothing: keys and tokens are found by their form, and the values of keys
that Talos, k3s, Kubernetes and others use for secrets.
"""

import base64
import re
from collections.abc import Iterator, Mapping

from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.fleet.yaml.document import Findings

_PRIVATE_KEY = "a private key"
_FORMS = (
    (_PRIVATE_KEY, re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")),
    (
        "a password's hash",
        re.compile(r"\$(?:y|gy|7|6|5|2[aby])\$[./A-Za-z0-9=,$]{20,}"),
    ),
    ("an age key", re.compile(r"AGE-SECRET-KEY-1[0-9A-Z]{20}")),
    (
        "a bootstrap token",
        re.compile(r"\.(?<=[a-z0-9]{6}\.)(?<![\w.-][a-z0-9]{6}\.)(?=[a-z]{0,16}[0-9])[a-z0-9]{16}(?![\w.-])"),
    ),
    *(
        ("an access token", re.compile(form))
        for form in (
            r"ilu_[\w-]{43}",
            r"gh[pousr]_[A-Za-z0-9]{36}",
            r"github_pat_\w{50}",
            r"glpat-[\w-]{20}",
            r"K10[0-9a-f]{64}::",
        )
    ),
)
"""What secrets look like. Each pattern begins with a literal, which Python finds quickly."""
_ENCODED = re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{66,}")
"""PEM in base64."""
_NAMES = frozenset(
    [
        *(
            "token",
            "agent-token",
            "bootstraptoken",
            "secret",
            "secretboxencryptionsecret",
            "aescbcencryptionsecret",
        ),
        *("password", "passphrase", "privatekey", "client-key-data", "identitytoken", "client_secret"),
    ]
)
"""Keys whose values are secrets, in lower case."""
_NO_SECRET = re.compile(r"[<$({\[&*!#].*|x{3,}|null|~|true|false|\d{1,7}|", re.IGNORECASE)
"""A placeholder, a reference, or nothing; a block scalar is a secret that begins on the next line."""
_AROUND = " \t-\"',}]"


def clear_secrets(texts: Mapping[str, str]) -> list[str]:
    """Return one line for each file that holds secrets in clear: where the first is, what they are, and the remedy."""
    findings = Findings()
    for path, text in texts.items():
        found: dict[int, str] = {}
        for line, kind in () if is_sealed(text) else _found(text):
            found.setdefault(line, kind)
        if found:
            kinds = ", ".join(dict.fromkeys(found[line] for line in sorted(found)))
            told = f"holds {kinds} in clear; encrypt it: iluvatar-pxe fleet seal {path}"
            findings.add(path, min(found), told)
    return findings.lines


def _found(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line of each secret, and what it is."""
    for kind, form in _FORMS:
        yield from ((_line(text, match), kind) for match in form.finditer(text))
    for match in _ENCODED.finditer(text):
        if b"PRIVATE KEY" in base64.b64decode(match[0][:80]):
            yield _line(text, match), _PRIVATE_KEY
    for number, line in enumerate(text.split("\n"), 1):
        yield from ((number, name) for name in _named(line))


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1


def _named(line: str) -> Iterator[str]:
    """Yield the keys in a line whose values are secrets."""
    for pair in re.split("[{,]", line) if "{" in line else [line]:
        name, colon, value = pair.partition(":")
        name = name.strip(_AROUND)
        if colon and name.lower() in _NAMES and not _NO_SECRET.fullmatch(value.strip(_AROUND)):
            yield name
