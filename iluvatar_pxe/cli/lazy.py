"""Groups of commands that load a command's module only when the command is called, or its own help is shown.

All modules together take seconds of a Raspberry Pi's processor.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from iluvatar_pxe.cli.group import Group
from iluvatar_pxe.cli.quickly import quickly


class Entry(NamedTuple):
    """A command, or a group of them, that is not loaded yet."""

    name: str
    place: str
    """A module of the command line, and what it is there: a function, or an instance of Typer."""
    help: str
    """The first paragraph of its help, which the group's help shows."""
    hidden: bool = False

    @property
    def listed(self) -> TyperCommand:
        """What stands for it in the group's help."""
        return TyperCommand(self.name, help=self.help, hidden=self.hidden)

    @property
    def module(self) -> str:
        """The module's whole name."""
        return f"{__package__}.{self.place.partition(':')[0]}"

    def load(self) -> TyperCommand | TyperGroup:
        """Import it."""
        with quickly():
            thing = getattr(import_module(self.module), self.place.partition(":")[2])
        app = typer.Typer(rich_markup_mode=None)
        if isinstance(thing, typer.Typer):
            app.add_typer(thing, name=self.name, hidden=self.hidden)
        else:
            app.command(self.name, hidden=self.hidden)(thing)
        command = get_group(app).commands[self.name]
        if not isinstance(command, TyperCommand | TyperGroup):
            raise TypeError(f"{self.place} is no command")
        return command


class LazyGroup(Group):
    """A group whose commands are ``entries``, in this order."""

    entries: ClassVar[Sequence[Entry]]

    def __init__(self, **settings: Any) -> None:
        """Take the settings of TyperGroup."""
        super().__init__(**settings)
        self.commands = {entry.name: entry.listed for entry in self.entries}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Load the command that is called; the types of its context and result are Typer's own, and private."""
        name, command, rest = super().resolve_command(ctx, args)
        entry = next((one for one in self.entries if one.name == name), None)
        return name, entry.load() if entry else command, rest


def subcommands(group: TyperGroup, context: typer.Context) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    """Load every command of a group."""
    for name in group.commands:
        _, command, _ = group.resolve_command(context, [name])
        if isinstance(command, TyperCommand | TyperGroup):
            yield name, command
