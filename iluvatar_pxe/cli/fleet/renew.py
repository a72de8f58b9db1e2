"""``iluvatar-pxe fleet keys``: the owner's recovery key."""

import asyncio
import os

from iluvatar_pxe.cli.fleet.keys import origin_of
from iluvatar_pxe.cli.group import new_group
from iluvatar_pxe.cli.options import ConfigOption, YesOption, make_sure
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.fleet.sealed import ARMOR
from iluvatar_pxe.gitops.publish import publish
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.gitops.secrets.first_keys import KEY_FILE, FirstKeys
from iluvatar_pxe.gitops.secrets.renew import renewal
from iluvatar_pxe.gitops.secrets.sealing import daemon_key, new_key
from iluvatar_pxe.settings.model import Settings

app = new_group(help="Manage the recovery key of sealed files.")


@app.command()
def renew(*, yes: YesOption = False, config: ConfigOption = None) -> None:
    """Replace the recovery key, on a host that can open the sealed files; the new one is shown only once."""
    settings = settings_of_daemon(config)
    make_sure(
        "Replace the recovery key? What is sealed from now on cannot be opened by the former one.", yes=yes
    )
    recovery, before, sealed = asyncio.run(_renew(settings))
    say(FirstKeys(recovery=recovery).lines())
    if before.fleet.recipients.recovery:
        say(_what_the_former_opens(before, sealed))


async def _renew(settings: Settings) -> tuple[str, Revision, tuple[str, ...]]:
    """Return the new key, the commit before it, and the paths of all that was sealed in its history."""
    origin = await origin_of(settings)
    own = await asyncio.to_thread(daemon_key, settings.state_directory / KEY_FILE)
    key, host = new_key(), os.uname().nodename
    before = await publish(origin, lambda newest: renewal(newest, host, own, str(key.to_public())))
    return str(key), before, await origin.repository.paths_that_held(ARMOR, before.commit.id)


def _what_the_former_opens(before: Revision, sealed: tuple[str, ...]) -> list[str]:
    if not sealed:
        return ["The former recovery key opens nothing: no file was sealed to it."]
    return [
        f"The former recovery key opens these files as they were in the history up to {before.commit.id[:10]},",
        "if they were sealed to it:",
        "",
        *(f"  {path}" for path in sealed),
        "",
        "If somebody else may have that key, change the secrets in them.",
    ]
