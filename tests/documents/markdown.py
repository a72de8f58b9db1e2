"""The commands in the documents.

An indented block is commands to type, one in a line; a fenced block is a file, or what a screen shows, with the
commands behind ``$``; and what stands between backquotes is a command if it begins with a program and goes on.
"""

import re
from functools import cache
from pathlib import Path

import typer
from typer.main import get_command

from iluvatar_pxe.cli.lazy import subcommands
from iluvatar_pxe.cli.main import app

ROOT = Path(__file__).parents[2]
OURS = "iluvatar-pxe"
PROGRAMS = frozenset(
    f"{OURS} apt-get curl git ip journalctl kill make python rpi-eeprom-config sqlite3 sudo systemctl"
    " systemd-analyze talosctl".split()
)
"""Begin a command between backquotes."""

_FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_PROMPT = re.compile(r"^\$ (.+)$", re.MULTILINE)
_INDENTED = re.compile(r"(?<=\n\n)(?: {4}\S.*\n)+")
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def documents() -> list[str]:
    """Return the documents for people who use it or change it, as paths in the checkout."""
    return [
        "README.md",
        "CONTRIBUTING.md",
        *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")),
    ]


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def commands_in(text: str) -> list[str]:
    """Return every command of a document once, in its order and without comments; ours with the program's name."""
    found = [(block.start(), line) for block in _FENCED.finditer(text) for line in _PROMPT.findall(block[0])]
    prose = _FENCED.sub(lambda block: " " * len(block[0]), text)
    found += [(block.start(), line) for block in _INDENTED.finditer(prose) for line in block[0].splitlines()]
    found += [(code.start(), code[1]) for code in _CODE.finditer(prose) if _is_command(code[1].split())]
    lines = [" ".join(line.partition(" # ")[0].split()) for _, line in sorted(found, key=lambda one: one[0])]
    return list(
        dict.fromkeys(f"{OURS} {line}" if line.split()[0] in _our_commands() else line for line in lines)
    )


def links_in(text: str) -> list[str]:
    """Return the links of a document to others, and within itself."""
    return [link for link in _LINK.findall(text) if "://" not in link]


def headings_of(text: str) -> set[str]:
    """Return the names by which links reach the headings of a document, as GitHub makes them."""
    kept = (re.sub(r"[^\w -]", "", heading.lower()) for heading in _HEADING.findall(_FENCED.sub("", text)))
    return {heading.replace(" ", "-") for heading in kept}


def _is_command(words: list[str]) -> bool:
    if len(words) < 2:
        return False
    if words[0] in _our_commands():
        within = _our_commands()[words[0]]
        return words[1] in within if within else words[1].isupper() or words[1].startswith("-")
    return words[0].rpartition("/")[2] in PROGRAMS


@cache
def _our_commands() -> dict[str, frozenset[str]]:
    """Return the names of our commands, and of those within each."""
    root = get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    commands = subcommands(root, typer.Context(root))
    return {name: frozenset(getattr(command, "commands", ())) for name, command in commands}
