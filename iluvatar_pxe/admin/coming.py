"""Which wanted boot files are not here yet, for programs that plan a boot without being the daemon."""

from dataclasses import asdict

from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.requests import coming as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.catalogue.choosing import key_of
from iluvatar_pxe.catalogue.coming import coming


class ShowComing(requests.ShowComing, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        assets = of_daemon(context.assets)
        files = assets.files()
        known = coming((one.download for one in files), {one.download.name: one.progress for one in files})
        chosen = {key_of(entry): progress for entry, progress in assets.unresolved().items()}
        return {"coming": {name: asdict(progress) for name, progress in (known | chosen).items()}}
