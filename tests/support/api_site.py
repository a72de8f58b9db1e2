"""The web site's API behind the real HTTP server, with an inventory of its own and a person's tokens."""

import asyncio
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from support.no_secrets import no_secrets
from support.ports import free_port
from support.web import Response, Web

from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.admin.health import Health
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.secrets.tokens import Right, Tokens
from iluvatar_pxe.provisioning.assigner import DatabaseAssigner
from iluvatar_pxe.provisioning.enrolment import OwnWindow
from iluvatar_pxe.settings.model import HttpSettings, Settings
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.login.first_run import FirstRun
from iluvatar_pxe.web.login.logins import Logins
from iluvatar_pxe.web.site import WebSite

T = TypeVar("T")


class ApiSite(Web):
    """``writes`` is a token that may change something, and ``reads`` one that may not."""

    def __init__(self, directory: Path) -> None:
        http = HttpSettings(port=free_port(), tls_port=free_port())
        (directory / "assets").mkdir()
        super().__init__(directory, Fleet(), http)
        settings = Settings.model_validate({"state": {"directory": str(directory)}})
        context = CommandContext(
            inventory=self.inventory,
            fleet_in_force=Fleet,
            assigner=DatabaseAssigner(self.inventory),
            window=OwnWindow(self.inventory),
            secrets=no_secrets(self.inventory),
            events=self.events,
        )
        health = Health(parts={}, programs=dict)
        self.site = WebSite(
            WebContext(settings=settings, commands=context, health=health, events=self.events),
            Logins(settings.state_directory / "web"),
            FirstRun(),
        )
        self._make = partial(self._make, routes=self.site.routes())
        tokens = Tokens(settings.repositories)
        self.writes, self.reads = tokens.add("ada", Right.WRITE), tokens.add("bob", Right.READ)

    async def _start(self) -> None:
        await self.inventory.open()
        await super()._start()
        self._tasks = [asyncio.create_task(one.run()) for one in (self.inventory, self.site)]

    def __exit__(self, *of_error: object) -> None:
        self.call(self._stop())
        super().__exit__(*of_error)

    async def _stop(self) -> None:
        self.site.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self.inventory.close()

    def do(self, work: Callable[[], T]) -> T:
        """Do something in the server's event loop."""

        async def done() -> T:
            return work()

        return self.call(done())

    def ask(self, target: str) -> Any:
        """Return the document that is served there."""
        answer = self.get(target)
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def change(self, target: str, fields: Mapping[str, Any] | bytes = b"", **headers: str) -> Response:
        """Ask for a change with a write token; ``fields`` may be the octets of the body."""
        body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        given = {"Content_Type": "application/json", "Authorization": f"Bearer {self.writes}"}
        return self.post(target, body, **given | headers)
