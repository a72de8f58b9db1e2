"""The man page, made of the texts that ``--help`` shows; man(7)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version

import typer
from typer.core import TyperCommand, TyperGroup

from iluvatar_pxe.cli.lazy import subcommands
from iluvatar_pxe.cli.tables import say

_FILES = {
    "/etc/iluvatar-pxe/config.toml": "Settings of this host.",
    "/var/lib/iluvatar-pxe": "Inventory, repositories, keys and boot files.",
    "/run/iluvatar-pxe/control.sock": "Socket through which commands reach the daemon.",
}
_STATUS = {
    "0": "Done.",
    "1": "The thing asked about is not as it should be.",
    "2": "Wrong usage, settings or fleet.",
}


def man(context: typer.Context) -> None:
    """Print the man page."""
    root = context.find_root().command
    if isinstance(root, TyperGroup):
        say(man_page(root, datetime.now(UTC)))


def man_page(root: TyperGroup, today: datetime) -> Iterator[str]:
    """Yield the lines of the page in roff."""
    yield f'.TH ILUVATAR\\-PXE 1 "{today:%Y-%m-%d}" "iluvatar\\-pxe {version("iluvatar-pxe")}" "User Commands"'
    purpose = (root.help or "").partition("\n")[0].rstrip(".")
    yield from (".SH NAME", f"iluvatar\\-pxe \\- {_roff(purpose)}")
    yield from (".SH SYNOPSIS", ".B iluvatar\\-pxe", ".I COMMAND", "[\\fIOPTION\\fR]...")
    yield ".SH COMMANDS"
    yield from _commands(root, typer.Context(root, info_name=""))
    for heading, entries in (("EXIT STATUS", _STATUS), ("FILES", _FILES)):
        yield f".SH {heading}"
        for name, text in entries.items():
            yield from (".TP", f".B {_roff(name)}", _roff(text))


def _commands(group: TyperGroup, context: typer.Context) -> Iterator[str]:
    """Yield every command below this one, with its options."""
    for name, command in subcommands(group, context):
        below = typer.Context(command, info_name=name, parent=context)
        if isinstance(command, TyperGroup) and not command.hidden:
            yield from _commands(command, below)
        elif isinstance(command, TyperCommand) and not command.hidden:
            yield from _command(command, below)


def _command(command: TyperCommand, context: typer.Context) -> Iterator[str]:
    usage = [context.command_path.strip(), *command.collect_usage_pieces(context)]
    yield f".SS {_roff(' '.join(usage))}"
    yield from filter(None, (_roff(line.strip()) for line in (command.help or "").splitlines()))
    for parameter in command.params:
        if record := parameter.get_help_record(context):
            names, text = record
            yield from (".TP", f"\\fB{_roff(names)}\\fR", _roff(text))


def _roff(text: str) -> str:
    """Escape a line: backslashes, dashes, and a first character that would be a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
