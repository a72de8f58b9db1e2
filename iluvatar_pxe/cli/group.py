"""Groups of commands, whose help is plain text: Rich takes longer to load than the rest of a command together."""

from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperGroup


class Group(TyperGroup):
    """Tells of each of its commands the whole first paragraph of its help, where Click cuts it to one line."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands; the types of context and formatter are Typer's own, and private."""
        shown = {
            name: command for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))
        }
        rows = [(name, first_paragraph(one.help or "")) for name, one in shown.items() if not one.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def new_group(cls: type[Group] = Group, **settings: Any) -> typer.Typer:
    """Return a group that shows its help when it is called without a command; ``settings`` are Typer's."""
    return typer.Typer(cls=cls, no_args_is_help=True, rich_markup_mode=None, **settings)


def first_paragraph(text: str) -> str:
    """Return it as one line."""
    return " ".join(cleandoc(text).partition("\n\n")[0].split())
