"""``iluvatar-pxe fleet token``: who may read and write the repositories that are hosted here."""

from typing import Annotated

import typer

from iluvatar_pxe.cli.fleet.clone import clone_lines, secure_url
from iluvatar_pxe.cli.group import new_group
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say, say_json, table, terminal_width
from iluvatar_pxe.gitops.secrets.tokens import Right, Tokens

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the token: a-z, 0-9 and '-'.")]

_HEADINGS = (("TOKEN",), ("RIGHT",), ("CREATED",))

app = new_group(help="Manage access tokens for the hosted repositories.")


@app.command()
def add(
    name: Name,
    *,
    write: Annotated[bool, typer.Option("--write", help="Allow pushes.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Create a token and print it once; only its hash is stored. It is valid immediately."""
    settings = settings_of_daemon(config)
    right = Right.WRITE if write else Right.READ
    secret = Tokens(settings.repositories).add(name, right)
    if as_json:
        url = secure_url(settings, "fleet")
        say_json({"name": name, "right": right, "token": secret, "url": url})
        return
    say(
        [
            f"Token {name} ({'read and write' if write else 'read-only'}). It is shown only once:",
            "",
            f"  {secret}",
            "",
            "Git asks for it as the password, with any user name:",
            "",
            *clone_lines(settings, "fleet"),
        ]
    )


@app.command("list")
def list_tokens(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List all tokens and their rights."""
    known = Tokens(settings_of_daemon(config).repositories).all()
    if as_json:
        say_json([token.model_dump(mode="json", include={"name", "right", "created"}) for token in known])
    elif known:
        rows = [((token.name,), (token.right,), (f"{token.created:%Y-%m-%d %H:%M} UTC",)) for token in known]
        say(table(_HEADINGS, rows, terminal_width(), ()))
    else:
        say(["There are no tokens. To create one: iluvatar-pxe fleet token add NAME"])


@app.command()
def revoke(name: Name, *, config: ConfigOption = None) -> None:
    """Revoke a token."""
    Tokens(settings_of_daemon(config).repositories).revoke(name)
    say([f"token {name} is revoked"])
