"""``iluvatar-pxe fleet init``, ``recover`` and ``argocd``: the repository, and the keys to it."""

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pyrage.x25519 import Identity

from iluvatar_pxe.cli.fleet.clone import clone_lines, secure_url
from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.errors import RepositoryError, SealError, UsageError
from iluvatar_pxe.fleet.layer_files import or_another
from iluvatar_pxe.fleet.sealed import sealed_paths
from iluvatar_pxe.gitops.origin import HostedOrigin, Origin
from iluvatar_pxe.gitops.prepare import prepare
from iluvatar_pxe.gitops.publish import publish
from iluvatar_pxe.gitops.reading import fleet_in_force
from iluvatar_pxe.gitops.repository.remote import Remote
from iluvatar_pxe.gitops.secrets.first_keys import KEY_FILE, FirstKeys, enlisting_of, make_first_keys
from iluvatar_pxe.gitops.secrets.recover import recovery
from iluvatar_pxe.gitops.secrets.sealing import daemon_key, key_of
from iluvatar_pxe.gitops.secrets.tokens import Right, Tokens
from iluvatar_pxe.gitops.take_over import take_over
from iluvatar_pxe.layers.argocd.following import Followed, following
from iluvatar_pxe.layers.argocd.objects import stream
from iluvatar_pxe.settings.model import HOSTED, Settings
from iluvatar_pxe.settings.values import is_git_url
from iluvatar_pxe.tls.authority import open_authority


def init(
    *,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="REPOSITORY",
            help="Start from an existing repository: a clone or mirror of a lost Pi's.",
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Create the fleet's repository if there is none, and the owner's keys, which are shown only once."""
    settings = settings_of_daemon(config)
    keys = asyncio.run(_init(settings, source))
    say([f"The fleet is {settings.fleet_place}", ""])
    if settings.fleet.source == HOSTED:
        local = f"http://127.0.0.1:{settings.http.port}/git/fleet.git"
        say(["To clone it on this host:", "", f"  git clone {local}", ""])
        say(["To clone it on another host:", "", *clone_lines(settings, "fleet"), ""])
    say(
        keys.lines()
        or ["Its keys were shown before. To create another token: iluvatar-pxe fleet token add NAME --write"]
    )


def recover(
    key: Annotated[
        Path, typer.Option("--key", help="File with the owner's recovery key; - for standard input.")
    ],
    config: ConfigOption = None,
) -> None:
    """Let a new host open the repository's sealed files, with the owner's recovery key."""
    settings = settings_of_daemon(config)
    opened = asyncio.run(_recover(settings, owners_key(key)))
    if opened:
        say([f"This host can now open every sealed file of the fleet: {', '.join(opened)}"])
    else:
        say(
            [
                "This fleet has no sealed files. To restore a lost Pi's fleet: iluvatar-pxe fleet init --from REPOSITORY"
            ]
        )


def argocd(
    layer: Annotated[str, typer.Argument(help="Layer of the cluster that runs Argo CD.")],
    config: ConfigOption = None,
) -> None:
    """Print Argo CD's manifests for the fleet's repository: its own read token, our CA, and the app of apps.

    Pipe it into kubectl apply. A token that was printed before is worth nothing from then on.
    """
    settings = settings_of_daemon(config)
    if settings.fleet.source != HOSTED:
        raise UsageError(
            "[fleet] source: the repository is not hosted here; give Argo CD access on the server that hosts it"
        )
    fleet = asyncio.run(fleet_in_force(settings))
    layers = fleet.layers
    if layer not in layers:
        raise UsageError(
            f"{layer}: the fleet has no layers/{layer}.yaml; create it{or_another(layer, layers)}"
        )
    name = f"argocd-{layer}"
    tokens = Tokens(settings.repositories)
    if any(one.name == name for one in tokens.all()):
        tokens.revoke(name)
        typer.echo(f"iluvatar-pxe: the token {name} that was printed before is revoked", err=True)
    token = tokens.add(name, Right.READ)
    given = settings.http.tls_certificate
    authority = (
        ""
        if given
        else open_authority(
            settings.state_directory / "tls", os.uname().nodename, fleet.settings.domain, datetime.now(UTC)
        ).document.decode()
    )
    followed = Followed(
        layer=layer,
        url=secure_url(settings, "fleet"),
        branch=settings.fleet.branch,
        token=token,
        authority=authority,
    )
    say(stream(following(followed), indent=2).splitlines())


async def _init(settings: Settings, source: str | None) -> FirstKeys:
    origin = await origin_of(settings)
    if source is not None:
        if not isinstance(origin, HostedOrigin):
            raise UsageError(
                "[fleet] source: is already a remote repository; --from is for one that is hosted here"
            )
        place = source if is_git_url(source) else str(Path(source).absolute())  # noqa: ASYNC240 - asks no disk
        await take_over(origin.repository, Remote.of(place, settings.fleet, settings.state_directory))
    return await make_first_keys(settings, origin, shown=True)


async def _recover(settings: Settings, owner: Identity) -> tuple[str, ...]:
    origin = await origin_of(settings)
    own = await asyncio.to_thread(daemon_key, settings.state_directory / KEY_FILE)
    enlisting = await enlisting_of(settings)
    revision = await publish(origin, lambda newest: recovery(newest, enlisting, own, owner))
    return sealed_paths(revision.tree.texts)


async def origin_of(settings: Settings) -> Origin:
    """Return the fleet's repository, made if there is none; raises RepositoryError, UsageError for a plain directory."""
    state = settings.state_directory
    try:
        await asyncio.to_thread(state.mkdir, mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise RepositoryError(f"{state}: cannot be created: {error.strerror}; try it with sudo") from error
    origin = await prepare(settings)
    if origin is None:
        raise UsageError(f"[fleet] source: {settings.fleet.source} is a plain directory, not a repository")
    return origin


def owners_key(file: Path) -> Identity:
    """Return the recovery key in a file, or given on standard input; raises SealError."""
    return key_of(_text(file), str(file))


def _text(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.read()
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise SealError(
            f"{file}: cannot be read: {error.strerror}; pass the file with the recovery key"
        ) from error
