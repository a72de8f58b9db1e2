"""Commands on the inventory's database as a file."""

from iluvatar_pxe.admin.command import Command, CommandContext
from iluvatar_pxe.admin.requests import database as requests
from iluvatar_pxe.admin.requests.request import CommandResult


class Upgrade(requests.Upgrade, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        context.check_inventory()
        return {"message": "the database is up to date"}


class Backup(requests.Backup, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        await context.inventory.backup(self.file)
        return {"message": f"database backed up to {self.file}"}


class Restore(requests.Restore, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        kept = await context.inventory.restore(self.file)
        old = f"; the old one is {kept}" if kept else ""
        return {"message": f"database restored from {self.file}{old}"}


class SetAside(requests.SetAside, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        path = await context.inventory.set_aside()
        return {"message": f"a new database is in use; the old one is {path}"}
