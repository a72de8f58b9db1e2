"""``iluvatar-pxe fleet token``: who may read and write the repositories that are hosted here."""

from typing import Annotated

import typer

from iluvatar_pxe.cli.fleet.repositories import secure_url
from iluvatar_pxe.cli.options import ConfigOption, JsonOption, settings_for
from iluvatar_pxe.cli.tables import say, say_json, table, terminal_width
from iluvatar_pxe.gitops.secrets.tokens import Right, Tokens

Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose it is: a-z, 0-9 and '-'.")]

_HEADINGS = (("TOKEN",), ("MAY",), ("CREATED",))

app = typer.Typer(no_args_is_help=True, help="Give and take the right to the repositories hosted here.")


@app.command()
def add(
    name: Name,
    *,
    write: Annotated[bool, typer.Option("--write", help="It may push, too.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make a token and print it, once: only its hash is kept. The daemon knows it at once."""
    settings = settings_for(config)
    right = Right.WRITE if write else Right.READ
    secret = Tokens(settings.repositories).add(name, right)
    url = secure_url(settings, "fleet")
    if as_json:
        say_json({"name": name, "right": right, "token": secret, "url": url})
        return
    say(
        [
            f"Token {name}, which may {'read and write' if write else 'read'}. It is shown only now:",
            "",
            f"  {secret}",
            "",
            "Git asks for it as the password, with any user name:",
            "",
            f"  git clone {url}",
        ]
    )


@app.command("list")
def list_tokens(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Name all tokens, and say what they may."""
    known = Tokens(settings_for(config).repositories).all()
    if as_json:
        say_json([token.model_dump(mode="json", include={"name", "right", "created"}) for token in known])
    elif known:
        rows = [((token.name,), (token.right,), (f"{token.created:%Y-%m-%d %H:%M} UTC",)) for token in known]
        say(table(_HEADINGS, rows, terminal_width(), ()))
    else:
        say(["There are no tokens. 'iluvatar-pxe fleet token add NAME' makes one."])


@app.command()
def revoke(name: Name, *, config: ConfigOption = None) -> None:
    """Make a token worth nothing, from now on."""
    Tokens(settings_for(config).repositories).revoke(name)
    say([f"the token {name} is worth nothing any more"])
