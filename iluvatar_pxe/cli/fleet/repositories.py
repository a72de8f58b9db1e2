"""``iluvatar-pxe fleet repository``: further hosted repositories."""

import asyncio
from typing import Annotated

import typer

from iluvatar_pxe.cli.fleet.clone import clone_lines, secure_url
from iluvatar_pxe.cli.group import new_group
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say, say_json, table, terminal_width
from iluvatar_pxe.errors import UsageError
from iluvatar_pxe.gitops.repository.bare import SUFFIX
from iluvatar_pxe.gitops.repository.hosting import host, hosted_names, repository_path

_HEADINGS = (("REPOSITORY",), ("DIRECTORY",), ("URL",))

app = new_group(help="Host further Git repositories.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its URL then ends in /git/NAME.git.")],
    *,
    branch: Annotated[str, typer.Option(help="Default branch.")] = "main",
    config: ConfigOption = None,
) -> None:
    """Create an empty repository; works while the daemon runs. An existing one is reconfigured and keeps its contents."""
    settings = settings_of_daemon(config)
    path = repository_path(settings.repositories, name)
    if path == settings.fleet_repository:
        raise UsageError(f"{name} is the fleet's own repository; create it with 'iluvatar-pxe fleet init'")
    asyncio.run(host(path, branch, checked=False, max_push=settings.git.max_push))
    say([f"{path} is hosted. To clone it:", "", *clone_lines(settings, path.stem)])


@app.command("list")
def list_repositories(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List the repositories hosted here."""
    settings = settings_of_daemon(config)
    rows = [
        {
            "name": name,
            "directory": str(settings.repositories / f"{name}{SUFFIX}"),
            "url": secure_url(settings, name),
        }
        for name in hosted_names(settings.repositories)
    ]
    if as_json:
        say_json(rows)
    elif rows:
        cells = [[(value,) for value in row.values()] for row in rows]
        say(table(_HEADINGS, cells, terminal_width(), (1, 2)))
    else:
        say(["No repositories are hosted here. To create one: iluvatar-pxe fleet repository add NAME"])
