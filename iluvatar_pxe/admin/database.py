"""Commands on the inventory's database as a file."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from iluvatar_pxe.admin.command import Command, CommandContext, CommandResult


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("use an absolute path")
    return path


File = Annotated[Path, AfterValidator(_absolute)]


class Upgrade(Command):
    """``db upgrade``: confirms that the tables are up to date; opening the database has migrated them."""

    route = "/api/v1/db/upgrade"

    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        context.check_inventory()
        return {"message": "the database is up to date"}


class Backup(Command):
    """``db backup``: writes a backup of the database."""

    route = "/api/v1/db/backup"
    file: File

    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        await context.inventory.backup(self.file)
        return {"message": f"database backed up to {self.file}"}


class Restore(Command):
    """``db restore``: replaces the database with a backup."""

    route = "/api/v1/db/restore"
    file: File

    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        kept = await context.inventory.restore(self.file)
        old = f"; the old one is {kept}" if kept else ""
        return {"message": f"database restored from {self.file}{old}"}


class SetAside(Command):
    """``db set-aside``: starts with an empty database."""

    route = "/api/v1/db/set-aside"

    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        path = await context.inventory.set_aside()
        return {"message": f"a new database is in use; the old one is {path}"}
